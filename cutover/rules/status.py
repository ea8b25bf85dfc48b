"""What a stack does now beside what its file wants: weights, the split that was seen, health, support, the way back.

Pure: it is given one reading of AWS. Refuses to own the reads (account.py, minutes.py, support.py) and how it is shown
(commands/status.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from cutover.rules import elsewhere, gate
from cutover.rules.giver import beside
from cutover.rules.missing import missing
from cutover.rules.move import Group
from cutover.rules.rollback import RollbackError, goal
from settings.values import order_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from cutover.rules.account import Account
    from cutover.rules.missing import Missing
    from cutover.rules.move import Hold, Move, Policy
    from cutover.rules.support import Support
    from cutover.rules.traffic import Reading
    from cutover.rules.unconfirmed import Unconfirmed

WINDOW = timedelta(minutes=5)
"""How long traffic is counted: whole minutes, without the newest, which CloudWatch is still collecting."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A route in a cluster.

    ``wanted`` is its weight in the stack file and ``live`` the one in AWS, each None where it has none. ``share`` is
    what the live weight gives it, ``seen`` the part of the route's requests that it got; both 0 to 1, ``seen`` None
    where the route had no request. ``healthy`` is None where health could not be read. ``needed`` is what the gate asks
    for at the share ``at``: the live one, and 1 where that is 0, since a rollback would give it all. ``requests`` and
    ``errors`` are per second, None where traffic is not counted.
    """

    route: str
    cluster: str
    wanted: int | None
    live: int | None
    share: float
    seen: float | None
    healthy: int | None
    needed: int
    at: float
    requests: float | None
    errors: float | None


@dataclass(frozen=True)
class Back:
    """Where a rollback would land: the cluster, and by route what it lacks for everything.

    ``short`` is what was read and is too little, ``unknown`` what could not be read, ``unproven`` why nothing tells
    what targets can carry: then what serves now is the measure. ``empty`` are routes in which no target is registered.
    """

    to: str
    short: Mapping[str, str]
    unknown: Mapping[str, str]
    unproven: Mapping[str, str]
    empty: Sequence[str]

    @property
    def lands(self) -> bool | None:
        """Whether the cluster is known to cover every route; None where that is not known of some, and of none not."""
        if self.short:
            return False
        return None if self.unknown or self.unproven else True


@dataclass(frozen=True, kw_only=True)
class Status:
    """A stack as it is.

    ``drifted`` are routes to which AWS and the file give different weights above 0, ``half_moved`` those that must
    move together and give different shares. ``back`` is None where a rollback would not know where to go.
    ``strangers`` are routes that are live in AWS and not in the file, ``missing`` is what only the file has,
    ``instead`` what rules do, by route, that forward to nothing. ``own_errors`` are the load balancers' own 5xx
    per second. ``emptied`` are by route clusters with a share and no target. ``unheld`` is why nothing tells whether
    there is a hold, and empty where that is known. ``unconfirmed`` is what a killed command has left in the file.
    """

    stack: str
    places: Sequence[Place]
    drifted: Sequence[str]
    half_moved: Sequence[str]
    strangers: Sequence[str]
    missing: Sequence[Missing]
    hold: Hold | None
    unheld: str
    back: Back | None
    support: Sequence[Support]
    own_errors: float | None
    instead: Mapping[str, str]
    beside: Mapping[str, Sequence[str]]
    shadows: Sequence[str]
    emptied: Mapping[str, Sequence[str]]
    unconfirmed: Unconfirmed | None = None


def judge(
    account: Account, counted: Reading | None, support: Sequence[Support], stack: str, unheld: str = ""
) -> Status:
    """Put one reading together; ``counted`` is None where CloudWatch could not be read, ``unheld`` why SSM not.

    ``stack`` is how `-s` names it.
    """
    found, settings = account.found, account.settings
    live = {route: _live(account, route) for route in settings.routes}
    return Status(
        stack=settings.stack,
        places=[place for route in settings.routes for place in _places(account, route, live[route], counted)],
        drifted=[
            name
            for name, route in settings.routes.items()
            if (not found.rules[name].instead if name in found.rules else not route.live)
            and _above_0(live[name] or {}) != _above_0(settings.weights_of(name) if route.live else {})
        ],
        half_moved=_half_moved(account, live),
        instead={route: rule.instead for route, rule in found.rules.items() if rule.instead},
        beside=beside(settings, found),
        shadows=[*elsewhere.shadows(settings, elsewhere.by_load_balancer(settings, found))],
        emptied=found.emptied(account.health),
        missing=missing(settings, found, stack),
        strangers=sorted(found.rules.keys() - settings.routes.keys()),
        hold=found.hold,
        unheld=unheld,
        back=_back(account, live, unheld),
        support=support,
        own_errors=None if counted is None else _per_second(sum(one.failures for one in counted.balancers.values())),
    )


def weights(status: Status, route: str, *, live: bool) -> dict[str, int]:
    """Return a route's weights by cluster: those in AWS, or those of the stack file."""
    mine = {place.cluster: place.live if live else place.wanted for place in status.places if place.route == route}
    return {cluster: weight for cluster, weight in mine.items() if weight is not None}


def document(status: Status, today: date) -> dict[str, Any]:
    """Return the status as JSON has it.

    Its keys stand in docs/json.md. Requests are those of targets; errors are their 5xx, and requests that
    they left to the load balancer, whose own 5xx, of no target group, are apart.
    """
    return {
        "stack": status.stack,
        "places": [
            {
                "route": place.route,
                "cluster": place.cluster,
                "wantedWeight": place.wanted,
                "liveWeight": place.live,
                "liveShare": place.share,
                "seenShare": place.seen,
                "healthy": place.healthy,
                "needed": place.needed,
                "neededAtShare": place.at,
                "requestsPerSecond": place.requests,
                "errorsPerSecond": place.errors,
            }
            for place in status.places
        ],
        "clusters": [
            {
                "cluster": one.cluster,
                "version": one.version,
                "supportPolicy": one.policy,
                "standardSupportEnds": one.standard and one.standard.isoformat(),
                "standardSupportDays": one.standard and (one.standard - today).days,
                "extendedSupportEnds": one.extended and one.extended.isoformat(),
                "extendedSupportDays": one.extended and (one.extended - today).days,
            }
            for one in status.support
        ],
        "driftedRoutes": list(status.drifted),
        "halfMovedRoutes": list(status.half_moved),
        "rulesWithoutForward": dict(status.instead),
        "besideOthers": {route: list(rules) for route, rules in status.beside.items()},
        "shadows": list(status.shadows),
        "emptied": {route: list(clusters) for route, clusters in status.emptied.items()},
        "routesNotInFile": list(status.strangers),
        "missing": [str(one) for one in status.missing],
        "hold": status.hold
        and {
            "weights": {route: dict(held) for route, held in status.hold.weights.items()},
            "who": status.hold.who,
            "why": status.hold.why,
            "when": status.hold.when,
            "version": status.hold.version,
        },
        "holdUnknown": status.unheld,
        "rollback": status.back
        and {
            "to": status.back.to,
            "lands": status.back.lands,
            "short": dict(status.back.short),
            "unknown": dict(status.back.unknown),
            "empty": list(status.back.empty),
            "unproven": dict(status.back.unproven),
        },
        "unconfirmed": status.unconfirmed.found if status.unconfirmed else [],
        "loadBalancerErrorsPerSecond": status.own_errors,
    }


def _live(account: Account, route: str) -> dict[str, int] | None:
    """Return a route's live weights by cluster, or None where no weighted rule exists."""
    rule = account.found.rules.get(route)
    if rule is None:
        return None
    # A group that does not carry the stack's tags is nobody's cluster, and still takes its share.
    groups = account.found.groups
    return {groups[arn].cluster if arn in groups else arn: weight for arn, weight in rule.weights.items()}


def _places(account: Account, route: str, live: Mapping[str, int] | None, counted: Reading | None) -> Iterator[Place]:
    wanted = account.settings.weights_of(route)
    here = {group.cluster for group in account.found.groups.values() if group.route == route}
    every: set[str] = {*wanted, *here, *(live or {})}
    clusters = sorted(every, key=order_of)
    arns = {cluster: account.found.group_of(route, cluster) or cluster for cluster in clusters}
    by_arn = counted.groups if counted and live is not None else {}
    requests = sum(by_arn[arn].requests for arn in arns.values() if arn in by_arn)
    move, total = account.move(route, dict.fromkeys(wanted, 0)), sum((live or {}).values())
    for cluster, arn in arns.items():
        share = Fraction((live or {}).get(cluster, 0), total or 1)
        # A cluster that is not up yet has no group, and nothing in it.
        health = account.health.get(arn, Group(cluster=cluster) if cluster in wanted else None)
        mine = by_arn.get(arn)
        yield Place(
            route=route,
            cluster=cluster,
            wanted=wanted.get(cluster),
            live=None if live is None else live.get(cluster),
            share=float(share),
            seen=mine.requests / requests if mine and requests else None,
            healthy=None if health is None or health.unreadable else health.units,
            needed=gate.need(move, account.policy, arn, share or 1),
            at=float(share) or 1.0,
            requests=mine and _per_second(mine.requests),
            errors=mine and _per_second(mine.failures),
        )


def _half_moved(account: Account, live: Mapping[str, Mapping[str, int] | None]) -> list[str]:
    """Return the routes that follow the stack's weights and are live, if they do not give the same shares."""
    together = {
        route: weights for route, weights in live.items() if weights and account.settings.routes[route].weights is None
    }
    return list(together) if len({frozenset(gate.shares(weights).items()) for weights in together.values()}) > 1 else []


def _back(account: Account, live: Mapping[str, Mapping[str, int] | None], unheld: str) -> Back | None:
    """Return how a rollback would land, or None where it would not know where to go."""
    try:
        to = goal(account.found, unsure=bool(unheld))
    except RollbackError:
        return None
    lacks = {
        route: _lacks(account.move(route, {to: 1}), account.policy, to)
        for route, weights in live.items()
        if weights  # a rule that forwards to nothing stays as it is
    }
    unknown = {route: why for route in lacks if (why := _unread(account, route, to))}
    unproven = {route: move.unproven for route in lacks if not (move := account.move(route, {to: 1})).capacity}
    return Back(
        to,
        {route: what for route, what in lacks.items() if what and route not in unknown},
        unknown,
        {route: why for route, why in unproven.items() if why},
        [route for route in lacks if _empty(account, route, to)],
    )


def _unread(account: Account, route: str, cluster: str) -> str:
    """Say why the health of a cluster in a route is not known; empty: it is."""
    group = account.health.get(account.found.group_of(route, cluster) or "")
    return group.unreadable if group else ""


def _empty(account: Account, route: str, cluster: str) -> bool:
    """Tell whether a cluster has a group in a route, and no target in it."""
    group = account.health.get(account.found.group_of(route, cluster) or "")
    return group is not None and not group.registered and not group.unreadable


def _lacks(move: Move, policy: Policy, cluster: str) -> str:
    """Say what a cluster lacks for a whole route; empty: nothing."""
    if not move.wanted:
        return f"{cluster} has no target group"
    (arn,) = move.wanted
    group = move.groups[arn]
    if gate.coverage(move, policy, arn, 1) >= 1:
        return ""
    needed = gate.need(move, policy, arn, 1)
    return f"{group.units} of {needed}" if group.units < needed else "; ".join(gate.flaws(move, arn))


def _per_second(count: int) -> float:
    return count / WINDOW.total_seconds()


def _above_0(weights: Mapping[str, int]) -> dict[str, int]:
    return {cluster: weight for cluster, weight in weights.items() if weight > 0}
