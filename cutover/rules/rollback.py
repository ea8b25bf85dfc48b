"""A rollback: which cluster it goes to, where each route lands, and what the stack file must say afterwards.

Pure. Nothing in here refuses because of health: a rollback is never blocked, it only says where it lands. Refuses to
own the writes (writes.py) and what is asked and shown (commands/rollback.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cutover.rules.evidence import Evidence
from cutover.rules.gate import coverage, furthest, need, shares
from cutover.rules.move import Group, Hold, Move, Policy
from cutover.rules.shift import shared_out
from settings.values import newest, order_of
from settings.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from fractions import Fraction

    from cutover.rules.evidence import Unproven
    from cutover.rules.found import Found
    from settings import Settings

ALL = 100
"""The weight of the cluster that gets everything."""


class RollbackError(Exception):
    """It is not clear where to go back to. The text says why, and what to name."""


@dataclass(frozen=True)
class Seen:
    """What could be read in time: health by target group ARN, and by route what seven days prove.

    ``sticky`` is the stickiness of the routes that have it, in seconds. What is missing was not read: it stops nothing.
    """

    health: Mapping[str, Group] = field(default_factory=dict[str, Group])
    proven: Mapping[str, Evidence | Unproven] = field(default_factory=dict[str, "Evidence | Unproven"])
    capacities: Mapping[str, int | None] = field(default_factory=dict[str, "int | None"])
    sticky: Mapping[str, int] = field(default_factory=dict[str, int])
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True)
class Landing:
    """A route before and after, weights by cluster, and how well the weakest group that then serves covers its share.

    ``wanted`` are the weights after, by target group ARN. ``units``, ``needed`` and ``covered`` (units over needed) are
    None where health is not known. ``note`` says what is special about the route, ``unproven`` why nothing tells what
    its targets can carry.
    """

    route: str
    rule: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    wanted: Mapping[str, int]
    units: int | None = None
    needed: int | None = None
    covered: Fraction | None = None
    note: str = ""
    unproven: str = ""


def goal(found: Found, *, unsure: bool = False) -> str:
    """Return the cluster to go back to: the older one that serves beside the newest, else the next older one.

    Where a hold stands it is where the hold's rollback went, so that the same again moves nothing further back.
    ``unsure`` is whether one may stand that could not be read.

    :raises RollbackError: nothing is older, several older clusters serve, all may have gone back already, or the keys
        of clusters tell no version
    """
    clusters = sorted({group.cluster for group in found.groups.values()}, key=order_of)
    kept = list(found.hold.weights.values()) if found.hold else []
    for cluster in clusters:
        if any(weights.get(cluster) for weights in kept):
            return cluster
    serving = found.serving
    if not serving and found.instead:
        raise RollbackError(
            f"no weighted rule forwards to any cluster: {', '.join(found.instead)}. Somebody has given them another "
            "action, and there is no share to move. Nothing was moved. Give them back their forward action in the "
            "console; where to go is then named with --to"
        )
    if clusters and newest(clusters) is None:
        raise RollbackError(
            f"the keys of {', '.join(clusters)} tell no version, so nothing tells which of them is the way back. "
            f"Nothing was moved. Name it, such as --to {clusters[0]}"
        )
    last = newest(serving)
    older = [cluster for cluster in clusters if last and order_of(cluster) < order_of(last)]
    if not older:
        others = ", ".join(cluster for cluster in clusters if cluster != last)
        why = f"no cluster is older than {last}, the newest that serves" if last else "no cluster has a weight above 0"
        raise RollbackError(
            f"{why}. Nothing was moved. "
            + (f"Name where to go with --to ({others})" if others else "There is no other either")
        )
    beside = [cluster for cluster in older if cluster in serving]
    if len(beside) > 1:
        raise RollbackError(
            f"{' and '.join(beside)} serve beside {last}, and either may be the way back. Nothing was moved. "
            f"Name one, such as --to {beside[-1]}"
        )
    if unsure and not beside:
        raise RollbackError(
            f"all is on {last}, and whether a rollback brought it there could not be read. Nothing was moved. "
            f"Name where to go: --to {older[-1]}"
        )
    return beside[0] if beside else older[-1]


def all_on(found: Found, cluster: str) -> dict[str, dict[str, int]]:
    """Return the weights, by route and target group ARN, that give a cluster everything.

    Routes in whose rule the cluster has no group are not in it: there is nothing to move them to.

    :raises RollbackError: no route has such a group
    """
    wanted = {
        route: {arn: ALL if arn == target else 0 for arn in rule.weights}
        for route, rule in found.rules.items()
        if (target := found.group_of(route, cluster)) in rule.weights
    }
    if not wanted:
        known = sorted({group.cluster for group in found.groups.values()}, key=order_of)
        raise RollbackError(
            f"no weighted rule has a target group of {cluster}. Nothing was moved. There are: {', '.join(known)}"
        )
    return wanted


def as_far_as_covered(found: Found, wanted: Mapping[str, Mapping[str, int]], seen: Seen) -> dict[str, dict[str, int]]:
    """Return weights that go only as far as the one cluster that gets everything covers its share.

    The rest stays where it is. No route gives that cluster less than it has now.
    """
    return {
        route: _covered_part(_move(found, route, weights, seen), weights, seen) for route, weights in wanted.items()
    }


def landings(found: Found, wanted: Mapping[str, Mapping[str, int]], seen: Seen, missing: str) -> list[Landing]:
    """Return where each route lands; one that has no weights in ``wanted`` stays, for the reason ``missing``."""
    return [_landing(found, route, wanted.get(route), seen, missing) for route in sorted(found.rules)]


def absent(settings: Settings, found: Found, cluster: str, routes: Collection[str] | None = None) -> list[Landing]:
    """Return where live routes of the file are to land that have no rule in AWS, once they have one."""
    after = {key: ALL if key == cluster else 0 for key in settings.clusters}
    return [
        Landing(route, "", {}, after, {}, note="has no rule in AWS")
        for route, one in settings.routes.items()
        if one.live and cluster in after and route not in found.rules and (routes is None or route in routes)
    ]


def elsewhere(landed: Iterable[Landing], cluster: str, stack: str) -> list[str]:
    """Say of every route that leaves a share on another cluster where it is, and what to do.

    ``stack`` is how `-s` names the stack.
    """
    said: list[str] = []
    for landing in landed:
        total = sum(landing.after.values())
        kept = {other: weight for other, weight in landing.after.items() if weight and other != cluster}
        if not total:
            said.append(
                f"{landing.route} stays, and sends nothing to any cluster: its rule has another action than the stack "
                f"gave it. Give it back in the console, or once the hold is released: pulumi up --refresh -s {stack}"
            )
        if not kept:
            continue
        on = ", ".join(f"{weight} of {total} on {other}" for other, weight in kept.items())
        if cluster in landing.after:
            said.append(
                f"{landing.route} keeps {on}, since {cluster} covers no more. Give {cluster} more healthy targets, or "
                "leave --partial out"
            )
        else:
            said.append(
                f"{landing.route} stays, with {on}: its rule has no target group of {cluster}. Mend what serves it, or "
                f"move it once the hold is released: cutover shift KEY=100 --route {landing.route} -s {stack}"
            )
    return said


def enough(landing: Landing) -> bool:
    """Tell whether a route lands on what was read, and covers its share."""
    return landing.covered is not None and landing.covered >= 1 and not landing.unproven


def reached(landing: Landing) -> str:
    """Say what a route has landed on: in numbers, and what is short or not known."""
    serving = [cluster for cluster, weight in landing.after.items() if weight]
    if not serving:
        return f"{landing.route} is on no cluster: its rule sends nothing to any"
    on = f"{landing.route} is on {', '.join(serving)}"
    if landing.covered is None:
        return f"{on}. What is healthy there could not be read, so nothing tells whether it is enough"
    if not landing.units:
        return f"{on}, where no target is healthy: its requests may be lost. Give it healthy targets, or go elsewhere"
    healthy = f"{on}: {landing.units} healthy {'target' if landing.units == 1 else 'targets'}, {landing.needed} needed"
    short = f", so it covers {float(landing.covered):.0%}. Give it more" if landing.covered < 1 else ""
    return f"{healthy}{short}{f'. What they can carry is not known: {landing.unproven}' if landing.unproven else ''}"


def held(landed: Iterable[Landing], who: str, why: str, when: str) -> Hold:
    """Return the hold that keeps every route where it lands, also one that stays."""
    return Hold({landing.route: dict(landing.after) for landing in landed}, who, why, when, VERSION)


def to_write(settings: Settings, landed: Iterable[Landing]) -> dict[str | None, dict[str, int]]:
    """Return the weights that the stack file lacks: by route for its own, and under None the stack's.

    A route that lands elsewhere than most of those that share the stack's weights gets weights of its own. What the
    file says of one that sends nothing to any of its clusters is left: no weights can say that.
    """
    after = {
        landing.route: weights
        for landing in landed
        if landing.route in settings.routes and settings.routes[landing.route].live
        if any((weights := {cluster: landing.after.get(cluster, 0) for cluster in settings.clusters}).values())
    }
    own = {route: settings.routes[route].weights for route in after}
    sharing = Counter(tuple(after[route].items()) for route in after if own[route] is None)
    common = dict(sharing.most_common(1)[0][0]) if sharing else dict(settings.weights)
    edits: dict[str | None, dict[str, int]] = {} if common == settings.weights else {None: common}
    return edits | {route: weights for route, weights in after.items() if weights != (own[route] or common)}


def _landing(found: Found, route: str, wanted: Mapping[str, int] | None, seen: Seen, missing: str) -> Landing:
    rule = found.rules[route]
    after = rule.weights if wanted is None else wanted
    stays = f"clients with a cookie stay up to {seen.sticky[route]} s" if route in seen.sticky else ""
    note = "; ".join(filter(None, [missing if wanted is None else "", stays]))
    landing = Landing(route, rule.arn, _named(found, rule.weights), _named(found, after), after, note=note)
    parts = shares(after)
    if not parts or any(arn not in seen.health or seen.health[arn].unreadable for arn in parts):
        return replace(landing, note=note or "health unknown")
    move = _move(found, route, after, seen)
    weakest = min(parts, key=lambda arn: coverage(move, seen.policy, arn, parts[arn]))
    return replace(
        landing,
        units=seen.health[weakest].units,
        needed=need(move, seen.policy, weakest, parts[weakest]),
        covered=coverage(move, seen.policy, weakest, parts[weakest]),
        unproven=_unproven(route, seen),
    )


def _unproven(route: str, seen: Seen) -> str:
    proven = seen.proven.get(route)
    if seen.capacities.get(route) is not None or isinstance(proven, Evidence):
        return ""
    return str(proven or "CloudWatch did not answer in time")


def _covered_part(move: Move, weights: Mapping[str, int], seen: Seen) -> dict[str, int]:
    target = max(weights, key=lambda arn: weights[arn])
    live = dict(move.live or {})
    total, others = sum(live.values()), {arn: weight for arn, weight in live.items() if arn != target and weight}
    if not others:
        return dict(weights)
    percent = furthest(move, seen.policy, target)
    if percent * total <= live[target] * ALL:
        return live
    rest = shared_out(ALL - percent, others)
    return {arn: percent if arn == target else rest.get(arn, 0) for arn in live}


def _move(found: Found, route: str, wanted: Mapping[str, int], seen: Seen) -> Move:
    proven = seen.proven.get(route)
    return Move(
        route=route,
        live=found.rules[route].weights,
        wanted=wanted,
        groups=seen.health,
        evidence=proven if isinstance(proven, Evidence) else None,
        capacity=seen.capacities.get(route),
    )


def _named(found: Found, weights: Mapping[str, int]) -> dict[str, int]:
    return {_name(found, arn): weight for arn, weight in weights.items()}


def _name(found: Found, arn: str) -> str:
    """Return the cluster of a target group; one that is not the stack's goes by its ARN, as the gate has it."""
    return found.groups[arn].cluster if arn in found.groups else arn
