"""Who answers a route's requests on a listener that somebody else made: today, and again when its rule is gone.

Pure. There is no first `up` there: the rule that answers today gives the requests of a route that becomes live, and
gets them back. Owns which rules these are, and what stands against taking from them or giving back. Refuses to judge
shares (gate.py).
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING

from settings.listeners import ArnOfListener

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cutover.rules.found import Found
    from cutover.rules.listener import Listener, Rule
    from cutover.rules.move import Group
    from settings import Settings
    from settings.listeners import ExistingLoadBalancer


def listener_of(settings: Settings, found: Found, route: str) -> Listener | None:
    """Return the listener of a route, where somebody else made it; None where it is the stack's, or is not there."""
    balancer = settings.elsewhere.get(settings.load_balancer_of(route))
    return next((one for one in found.listeners if balancer and is_meant(balancer, one)), None)


def is_meant(balancer: ExistingLoadBalancer, listener: Listener) -> bool:
    """Tell whether a listener is the one that the stack file names."""
    if isinstance(balancer.existing, ArnOfListener):
        return listener.arn == balancer.existing.listener_arn
    return listener.named == (balancer.existing.name, balancer.existing.port)


def givers(settings: Settings, found: Found, route: str) -> list[Rule]:
    """Return others' rules that answer a route's requests while it has no weighted rule, in ELB's order."""
    listener = listener_of(settings, found, route) if route in settings.routes else None
    if listener is None:
        return []
    places = settings.load_balancers[settings.load_balancer_of(route)].places
    return listener.answering(places.weighted(settings.routes[route].priority), settings.routes[route])


def given(rules: Sequence[Rule]) -> dict[str, int]:
    """Return the weights of the target groups that some rules forward to together, by ARN.

    Where there are several, nothing tells how many requests come to each: they count alike.
    """
    totals = [sum(rule.forwards.values()) for rule in rules]
    whole = lcm(*filter(None, totals))
    weights: dict[str, int] = {}
    for rule, total in zip(rules, totals, strict=True):
        for arn, weight in rule.forwards.items() if total else ():
            weights[arn] = weights.get(arn, 0) + weight * whole // total
    return weights


def barred(rules: Sequence[Rule], *, asks: bool = False) -> str:
    """Return why a route may not take requests from some rules, as a clause; empty where it may.

    One that ``asks`` who a user is, and lets nobody else in, may take from others that ask.
    """
    first = next((rule for rule in rules if rule.before), None)
    if first is None or asks:
        return ""
    return f"{first} asks who a user is ({first.before}) before it forwards, and the route would let everybody in"


def opened(rules: Sequence[Rule]) -> str:
    """Return which rules would let everybody in where a route asks who a user is, as a clause; empty where none would.

    What others answer themselves lets nobody in anywhere.
    """
    open_to_all = [rule for rule in rules if rule.forwards and not rule.before]
    asks = "asks nobody" if len(open_to_all) == 1 else "ask nobody"
    return f"{listed(open_to_all)} {asks} who a user is, and would let everybody in" if open_to_all else ""


def unanswered(rules: Sequence[Rule], health: Mapping[str, Group]) -> str:
    """Return why rules would not answer what is given back to them, as a clause; empty where they would.

    ``health`` is by target group ARN; a group that is not in it has no healthy target. What others answer themselves, a
    part of a route as they did before it, is theirs to say; but somebody must be there for the rest.
    """
    return "; ".join(_unanswered(rules, health))


def _unanswered(rules: Sequence[Rule], health: Mapping[str, Group]) -> Iterator[str]:
    for rule in rules:
        if not rule.forwards and rule is rules[-1]:
            yield f"{rule} forwards to nothing ({rule.instead})"
        for arn, weight in rule.forwards.items():
            group = health.get(arn)
            if weight and (group is None or not group.units):
                name = group.cluster if group else arn
                why = f" ({group.unreadable})" if group and group.unreadable else ""
                yield f"{rule} forwards to {name}, where no target is known to be healthy{why}"


def beside(settings: Settings, found: Found) -> dict[str, list[str]]:
    """Return by route on listeners of others who answers its requests without its weighted rule.

    Of a route that the file has no more nothing is told, but that it is one.
    """
    others = {listener.load_balancer for listener in found.listeners}
    gone = [route for route, rule in found.rules.items() if rule.load_balancer in others]
    there = [name for name in settings.routes if listener_of(settings, found, name)]
    return {name: [] for name in gone} | {name: [str(rule) for rule in givers(settings, found, name)] for name in there}


def listed(rules: Sequence[Rule]) -> str:
    """Return some rules as a sentence names them."""
    return " and ".join(map(str, rules))
