"""What a stack file takes for granted of a listener that somebody else made: that it is there, and free to be shared.

Pure. Owns what is refused, and what is told of rules in each other's way. Refuses to own the reading
(cutover/aws/places.py), single places (places.py), and what the file alone shows to be wrong (settings/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutover.rules.giver import is_meant
from cutover.rules.places import Place
from settings.conditions import covers
from settings.rules.load_balancers import MAX_GROUPS_PER_LOAD_BALANCER
from settings.rules.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cutover.rules.found import Found
    from cutover.rules.listener import Listener
    from settings import Settings


def by_load_balancer(settings: Settings, found: Found) -> dict[str, list[Listener]]:
    """Return by load balancer that others made all its listeners."""
    return {
        key: [one for one in found.listeners if one.named[0] == balancer.existing.name]
        for key, balancer in settings.elsewhere.items()
    }


def standing(settings: Settings, there: Mapping[str, Sequence[Listener]]) -> dict[tuple[str, int], Place]:
    """Return what stands on listeners that others made, by load balancer and priority."""
    return {
        (key, rule.place): Place(rule.arn, rule.route, rule.cluster)
        for key, listeners in there.items()
        for listener in _meant(settings, key, listeners)
        for rule in listener.rules
        if rule.place is not None
    }


def _meant(settings: Settings, key: str, listeners: Sequence[Listener]) -> list[Listener]:
    return [one for one in listeners if is_meant(settings.elsewhere[key], one)]


def mistakes(settings: Settings, there: Mapping[str, Sequence[Listener]]) -> Iterator[Mistake]:
    """Yield what keeps the stack's rules off listeners that others made.

    ``there`` has all listeners of each such load balancer; of one that was not read nothing is said.
    """
    for key, listeners in there.items():
        if not _meant(settings, key, listeners):
            yield _absent(settings, key, listeners)
        for listener in _meant(settings, key, listeners):
            yield from _unfit(settings, key, listener)
            yield from _full(settings, key, listeners)


def _absent(settings: Settings, key: str, listeners: Sequence[Listener]) -> Mistake:
    name = settings.elsewhere[key].existing.name
    ports = ", ".join(str(one.port) for one in listeners)
    has = f"{name} has listeners on {ports} alone" if ports else f"this account has no load balancer {name} with one"
    return Mistake(
        "CUT330",
        f"loadBalancers.{key}.existing",
        f"there is no such listener in {settings.aws.region}: {has}. Its rules would stand nowhere. Correct it, or use "
        "the credentials of its account",
    )


def _unfit(settings: Settings, key: str, listener: Listener) -> Iterator[Mistake]:
    where = f"loadBalancers.{key}.existing"
    if listener.kept:
        yield Mistake(
            "CUT331",
            where,
            f"{listener.named[0]} is kept by a controller, for {listener.kept}. It deletes every rule that it has not "
            "made as soon as it looks again, so requests would be lost. Name a listener that no Ingress or Gateway "
            "owns, or let the stack make a load balancer of its own beside it",
        )
    if listener.protocol not in {"HTTP", "HTTPS"}:
        yield Mistake(
            "CUT332",
            where,
            f"{listener.named[0]} speaks {listener.protocol}, so it is no Application Load Balancer, and its listener "
            "has no rules. Name one that speaks HTTP or HTTPS",
        )
    for name, route in settings.routes.items():
        if settings.load_balancer_of(name) != key or listener.protocol != "HTTP":
            continue
        if route.authenticate:
            yield Mistake(
                "CUT414",
                f"routes.{name}.authenticate",
                f"a login wants HTTPS, and the listener of {key} speaks HTTP. ELB would refuse the rule. Name its "
                "HTTPS listener, or let the targets ask who a user is",
            )
        if route.protocol_version != "HTTP1":
            yield Mistake(
                "CUT333",
                f"routes.{name}.protocolVersion",
                f"{route.protocol_version} wants HTTPS, and the listener of {key} speaks HTTP. ELB would refuse the "
                "rule. Name its HTTPS listener, or set HTTP1",
            )
    places = settings.load_balancers[key].places
    for rule in listener.rules:
        if rule.stack and not rule.own and rule.place is not None and places.first <= rule.place <= places.last:
            yield Mistake(
                "CUT334",
                f"loadBalancers.{key}.rulePriorities",
                f"{places.first} to {places.last} has {rule} already. Sooner or later both stacks would want one "
                "place, and ELB would refuse the second (PriorityInUse). Choose places that no other stack has",
            )
            break


def _full(settings: Settings, key: str, listeners: Sequence[Listener]) -> Iterator[Mistake]:
    on_it = [route for name, route in settings.routes.items() if settings.load_balancer_of(name) == key]
    groups, clusters = len(on_it) * len(settings.clusters), len(settings.clusters)
    rules, quota = groups + sum(route.live for route in on_it), settings.load_balancers[key].rule_quota
    others = [rule for one in listeners for rule in one.rules if not rule.own]
    theirs, behind = sum(rule.place is not None for rule in others), {arn for rule in others for arn in rule.forwards}
    if rules + theirs > quota:
        yield Mistake(
            "CUT335",
            f"loadBalancers.{key}.ruleQuota",
            f"{len(on_it)} routes over {clusters} clusters make {rules} rules, {theirs} rules of others are there, and "
            f"the quota is {quota}. The update would stop halfway. Have the quota raised in Service Quotas and write "
            "it here, or leave routes out",
        )
    if groups + len(behind) > MAX_GROUPS_PER_LOAD_BALANCER:
        yield Mistake(
            "CUT336",
            f"loadBalancers.{key}.existing",
            f"{len(on_it)} routes over {clusters} clusters make {groups} target groups, {len(behind)} of others are "
            f"there, and a load balancer takes {MAX_GROUPS_PER_LOAD_BALANCER}. The update would stop halfway. Leave "
            "routes out",
        )


def shadows(settings: Settings, there: Mapping[str, Sequence[Listener]]) -> Iterator[str]:
    """Yield which rules of others take requests of the stack's routes, and from which of others' a route takes some."""
    for name, route in settings.routes.items():
        key = settings.load_balancer_of(name)
        place = settings.load_balancers[key].places.weighted(route.priority)
        # Of what is live only what is live too comes before it; what is quiet may become live in any order.
        before = [
            other
            for on_it, other in settings.routes.items()
            if settings.load_balancer_of(on_it) == key and other.priority < route.priority and other.live >= route.live
        ]
        for listener in _meant(settings, key, there.get(key, ())):
            for rule in listener.shadowing(place, route):
                takes = "all of its requests" if rule.answers_all(route) else "some of its requests"
                yield (
                    f"routes.{name} is shadowed by {rule}: it stands before the route's own place {place}, and takes "
                    f"{takes}. Write lower loadBalancers.{key}.rulePriorities if the route is to have them."
                )
            for rule in listener.answering(place, route)[:-1]:  # the last answers whatever the others leave
                if not any(covers(other, rule) for other in before):
                    does = "takes" if route.live else "would take, once it is live,"
                    part = "all that" if covers(route, rule) else "some of what"
                    yield (
                        f"routes.{name} {does} {part} {rule} answers, which stands behind it. Write narrower hosts or "
                        "paths if that is not meant."
                    )
