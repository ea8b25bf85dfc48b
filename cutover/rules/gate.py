"""The gate: whether a change of weights is safe now. Pure: it is given what is live, wanted and proven.

The rule, per route: requests move to a group only if it is **fit** for its new share, or if they come only from groups
that are **worse off**. Fit: enough healthy targets, each of which gets what one like it has carried well. Worse off: no
group that gives is fit for what it has now, and after the move none of them has a smaller load than the one that takes.
A route's first share is given to a cluster only where its probes, if it has any, were seen answered lately. Routes are
judged together: if one is refused, none moves. docs/gate.md has it at length.

Owns the rule and its words. Refuses to own what the past proves (evidence.py), where the numbers come from (live.py,
buckets.py), and what a refusal stops (hooks.py).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from cutover.rules.move import Group, Hold, Move, Policy, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cutover.rules.evidence import Carried, Evidence

REFUSES = "the gate refuses"
"""How a refusal begins, by which a command tells it from a failure."""

# What a group is worth at most whose pods stand in one zone, where two serve now: losing that zone would lose it all;
# and one whose targets answer with failures, while others do not.
_HALF = Fraction(1, 2)
_MORE_THAN_PROVEN = Fraction(
    11, 10
)  # what a target may get of what it has carried itself: a minute is not like another
_WHOLE = Fraction(9, 10)  # of a route: who has that carries the route, however few its targets are
_SPEAKS = Fraction(1, 10)  # of a route: a load at less is no measure for others


def judge(moves: Iterable[Move], policy: Policy, hold: Hold | None = None, stack: str = "STACK") -> list[Refusal]:
    """Return every reason why the moves may not be made; none: all of them may. ``stack`` is how `-s` names it."""
    return [refusal for move in moves for refusal in _judge(move, policy, hold, stack)]


def unprobed(move: Move, stack: str) -> list[Refusal]:
    """Return why clusters may not get their first share of a route whose probes do not speak for them.

    One that had nine tenths of the route in seven days has been seen to answer it; and where nothing that gives is
    alive, an application that may not answer costs no request. ``stack`` is how `-s` names it.
    """
    live, after = shares(move.live or {}), shares(move.wanted)
    givers = [arn for arn, share in live.items() if after.get(arn, 0) < share]
    if givers and not any(_units(move, arn) or not _seen(move, arn) for arn in givers):
        return []
    takes = [arn for arn in after if arn not in live and not _carries_the_route(move, arn)]
    return [
        Refusal(
            move.route,
            f"{move.groups[arn].cluster} has no share yet, and {move.probed[arn].said}",
            f"Once what stands behind it answers, ask from where the load balancer is reached: cutover status "
            f"{move.groups[arn].cluster} -s {stack}, then run the same again. To go back in an emergency, cutover "
            "rollback asks nothing",
        )
        for arn in takes
        if arn in move.groups and arn in move.probed and not move.probed[arn].well
    ]


def grounds(move: Move, policy: Policy) -> list[str]:
    """Return, for each group that takes in a move that is allowed, on which evidence it may."""
    if move.live is None and move.first:
        return []
    return [_ground(move, policy, arn) for arn in takers(move) if arn in move.groups]


def shares(weights: Mapping[str, int]) -> dict[str, Fraction]:
    """Return the part of the requests, above 0 and up to 1, that each weight above 0 gets."""
    total = sum(weights.values())
    return {name: Fraction(weight, total) for name, weight in weights.items() if weight > 0}


def takers(move: Move) -> list[str]:
    """Return the groups whose share grows: without any there is nothing to judge, and nothing to read."""
    live = shares(move.live or {})
    return [arn for arn, share in shares(move.wanted).items() if share > live.get(arn, 0)]


def need(move: Move, policy: Policy, arn: str | None, share: float | Fraction) -> int:
    """Return the fewest healthy targets with which a group is fit for ``share`` (above 0, up to 1) of the route.

    ``arn`` is None for a group that is yet to come.
    """
    least = 1 if _carries_the_route(move, arn) else max(1, policy.min_healthy)
    return max(least, _need_by_load(move, policy, arn, Fraction(share)))


def coverage(move: Move, policy: Policy, arn: str, share: float | Fraction) -> Fraction:
    """Return units over need of a group at ``share``; at most one half where they fail, or stand in too few zones.

    The group is fit for the share where that is 1 or more.
    """
    full = Fraction(_units(move, arn), need(move, policy, arn, share))
    return min(full, _HALF) if _lacks_a_zone(move, arn) or _fails(move, arn) else full


def flaws(move: Move, arn: str) -> dict[str, str]:
    """Return what halves the worth of a group's targets, as clauses, and what each must do."""
    found: dict[str, str] = {}
    if _lacks_a_zone(move, arn):
        zones = ", ".join(sorted(_zones(move, arn)))
        found[f"all stand in {zones}, while two zones serve now"] = "run pods in a second zone"
    if _fails(move, arn):
        found["it failed more than one request in twenty all of the last hour, while others were well"] = (
            "answer for five minutes without failures (requests by its preview rule count)"
        )
    return found


def furthest(move: Move, policy: Policy, arn: str) -> int:
    """Return up to which share of a group that takes, in whole percent, a move in the same direction passes.

    It is what the group has now where no such move passes.
    """
    live, wanted = shares(move.live or {}), shares(move.wanted)
    begin, end = live.get(arn, Fraction()), wanted[arn]
    every = {*live, *wanted}

    def fails(percent: int) -> bool:
        part = (Fraction(percent, 100) - begin) / (end - begin)
        after = {one: (1 - part) * live.get(one, Fraction()) + part * wanted.get(one, Fraction()) for one in every}
        return bool(_unsafe(move, policy, {one: share for one, share in after.items() if share}))

    low, high = math.floor(100 * begin), math.floor(100 * end)
    # What refuses a move refuses every longer one in its direction.
    return low + bisect_left(range(low + 1, high + 1), x=True, key=fails)


def held(hold: Hold | None, route: str, weights: Mapping[str, int], stack: str) -> list[Refusal]:
    """Return why a hold, if there is one, forbids a route these weights, by cluster; ``stack`` as `-s` names it."""
    if hold is None or any(shares(weights) == shares(one) for one in hold.allows(route)):
        return []
    cure = f"Release the hold once the reason is gone: cutover release -s {stack}"
    return [Refusal(route, f"{hold} holds the weights", cure)]


def _judge(move: Move, policy: Policy, hold: Hold | None, stack: str) -> list[Refusal]:
    if move.live is not None and not move.unknown and shares(move.live) == shares(move.wanted):
        return []
    clusters = {arn: group.cluster for arn, group in move.groups.items()}
    wanted = {clusters.get(arn, arn): weight for arn, weight in move.wanted.items()} | dict.fromkeys(move.unknown, 1)
    if always := [*held(hold, move.route, wanted, stack), *_all_zero(move)]:
        return always
    if move.live is None and move.first:
        return []
    if unsure := [*_not_yet(move), *_blind(move)]:
        return unsure
    after = shares(move.wanted)
    short = [_short(move, policy, arn, after[arn]) for arn in _unsafe(move, policy, after)]
    return [*short, *unprobed(move, stack)]


def _unsafe(move: Move, policy: Policy, after: Mapping[str, Fraction]) -> list[str]:
    """Return the groups that may not take what these shares would give them beyond what they have."""
    live = shares(move.live or {})
    givers = [arn for arn, share in live.items() if after.get(arn, 0) < share]
    # What cannot be seen excuses nothing.
    fit = any(not _seen(move, arn) or coverage(move, policy, arn, live[arn]) >= 1 for arn in givers)
    least = min((_load(move, arn, after) for arn in givers), default=Fraction())

    def may_take(arn: str) -> bool:
        if not _units(move, arn):
            return False
        worse_off = bool(givers) and not fit and least >= _load(move, arn, after)
        return worse_off or coverage(move, policy, arn, after[arn]) >= 1

    return [arn for arn, share in after.items() if share > live.get(arn, 0) and not may_take(arn)]


def _seen(move: Move, arn: str) -> bool:
    group = move.groups.get(arn)
    return group is not None and not group.unreadable


def _load(move: Move, arn: str, weights: Mapping[str, Fraction]) -> Fraction | float:
    """Return the part of the route that each healthy target of a group gets."""
    units = _units(move, arn)
    return weights.get(arn, Fraction()) / units if units else math.inf


def _carries_the_route(move: Move, arn: str | None) -> bool:
    """Tell whether a group has nearly all of the route, or had it in seven days."""
    if arn is None:
        return False
    seen = move.evidence.seen.get(arn, 0) if move.evidence else 0
    return max(shares(move.live or {}).get(arn, 0), seen) >= _WHOLE


def _need_by_load(move: Move, policy: Policy, arn: str | None, share: Fraction) -> int:
    """Return how many targets make the load of each one that was proven; 0 where nothing can be compared."""
    serving, proven = shares(move.live or {}), move.evidence
    if move.capacity is not None:
        return _up(move.capacity * share)
    if not serving or (proven and proven.idle):
        return 0
    if proven is None:
        loads = [part / _units(move, one) for one, part in serving.items() if part >= _SPEAKS and _units(move, one)]
        return _up(share / (_MORE_THAN_PROVEN * max(loads))) if loads else 0
    requests, by_part = share * Fraction(_rate(move, proven)), _up(share / Fraction(proven.part))
    as_others = max(by_part, _up(Fraction(policy.headroom) * requests / Fraction(proven.best.rate)))
    own = proven.own.get(arn or "")
    if own is None:
        return as_others
    as_before = _up(requests / (_MORE_THAN_PROVEN * Fraction(own.rate)))
    # Quiet hours prove little: where its targets carried a sliver by day, they would "prove" the whole route at night.
    if share > _MORE_THAN_PROVEN * Fraction(proven.seen.get(arn or "", 0)):
        as_before = max(as_before, by_part)
    return min(as_before, as_others)


def _rate(move: Move, proven: Evidence) -> float:
    """Return the route's requests a second: those seen lately, and those that no target was there to take."""
    live = shares(move.live or {})
    taken = sum(share for arn, share in live.items() if _takes(move.groups.get(arn)))
    return proven.rate / float(taken) if taken else proven.busiest.rate


def _takes(group: Group | None) -> bool:
    return bool(group and (group.registered or group.units))


def _up(number: Fraction) -> int:
    # Rounded first: 1.2 x 100 x 0.05 is 6.000000000000001 in binary, and would ask for a seventh target.
    return math.ceil(round(number, 6))


def _all_zero(move: Move) -> Iterator[Refusal]:
    if not move.unknown and not shares(move.wanted):
        yield Refusal(move.route, "all weights are 0", "Leave one cluster a weight above 0")


def _not_yet(move: Move) -> Iterator[Refusal]:
    serving = {move.groups[arn].cluster for arn in shares(move.live or {}) if arn in move.groups}
    for cluster in move.unknown:
        if cluster in serving:
            yield Refusal(
                move.route,
                f"the target group of {cluster} serves, and an empty one would take its place",
                "Take back the edit that replaces it; for other settings of the group, add a new route beside this one",
            )
        else:
            yield Refusal(
                move.route,
                f"the target group of {cluster} does not exist yet, and has a weight above 0",
                "Write live: false in the update that makes the route, and live: true once its targets are healthy"
                if move.starts
                else "Give it weight 0 in the update that makes it, and raise it when its targets are healthy",
            )


def _blind(move: Move) -> Iterator[Refusal]:
    for arn in {**shares(move.live or {}), **shares(move.wanted)}:
        group = move.groups.get(arn)
        if group is None:
            yield Refusal(
                move.route,
                f"{arn} has a share and is no target group of this stack, so its health is not known",
                "Take it out of the rule in AWS, then run the same again",
            )
        elif group.unreadable:
            yield Refusal(
                move.route,
                f"the health of {group.cluster} could not be read: {group.unreadable}",
                "Mend that, and run the same again",
            )
        elif not group.checked and arn in shares(move.wanted):
            yield Refusal(
                move.route,
                f"the target group of {group.cluster} has its health checks switched off",
                "Switch them on: without them nothing tells a live target from a dead one",
            )


def _short(move: Move, policy: Policy, arn: str, share: Fraction) -> Refusal:
    group, units, wants = move.groups[arn], _units(move, arn), need(move, policy, arn, share)
    said = (
        f"{group.cluster} has {_targets(units)} and would need {wants} for {_percent(share)}"
        f" ({_by(move, policy, arn, share)})"
    )
    cures = list[str]()
    if units < wants:
        cures.append(f"reach {wants} first (an autoscaler at a small share stays at its minimum: raise the minimum)")
    for flaw, cure in flaws(move, arn).items():
        said += f"; {flaw}"
        cures.append(cure)
    percent = furthest(move, policy, arn)
    live = shares(move.live or {})  # where nothing serves, nothing would take the rest
    further = f"; up to {percent}% passes as it is" if live and percent > 100 * live.get(arn, 0) else ""
    if move.starts and live:
        # All requests of the giver's groups count: nothing tells which of them are this route's.
        back = "Where the rule that answers now has other requests too, write what this route needs as its capacity"
    else:
        back = "To go back in an emergency, cutover rollback asks nothing"
    cure = f"Let {group.cluster} {' and '.join(cures)}, then run the same again{further}. {back}"
    return Refusal(move.route, said, cure)


def _ground(move: Move, policy: Policy, arn: str) -> str:
    share, cluster = shares(move.wanted)[arn], move.groups[arn].cluster
    said = f"{move.route}: {cluster} may take {_percent(share)} with {_targets(_units(move, arn))}"
    if coverage(move, policy, arn, share) < 1:
        return f"{said}, since what gives it up is worse off"
    proven = move.evidence
    more = ""
    if move.capacity is None and proven and not proven.idle and shares(move.live or {}):
        most = replace(move, evidence=replace(proven, rate=proven.busiest.rate))
        more = (
            f". In the week's busiest five minutes ({_number(proven.busiest.rate)} requests/s, {_when(proven.busiest)})"
            f" it would need {need(most, policy, arn, share)}"
        )
    return f"{said}: {_by(move, policy, arn, share)}{more}{_probed(move, arn)}"


def _probed(move: Move, arn: str) -> str:
    """Say who has seen that a group which gets its first share answers the route's probes."""
    first = arn in move.probed and move.probed[arn].well and arn not in shares(move.live or {})
    return f"; {move.probed[arn].said}" if first else ""


def _by(move: Move, policy: Policy, arn: str, share: Fraction) -> str:
    """Say on which numbers a need rests."""
    serving, proven = shares(move.live or {}), move.evidence
    least = "" if _carries_the_route(move, arn) else f"at least {policy.min_healthy}"
    if move.capacity is not None:
        return ", ".join(filter(None, [f"capacity {move.capacity} for the whole route", least]))
    if not serving:
        return "; ".join(filter(None, [least, "nothing serves the route now"]))
    if proven is None:
        return "; ".join(filter(None, [f"compared with the load of each target now, since {move.unproven}", least]))
    if proven.idle:
        return f"{least or 'one'}; the route had less than 100 requests in every five minutes of the last week"
    units = _units(move, arn)
    rate = float(share) * _rate(move, proven)
    each = f"each of {units} would get {_number(rate / units)} requests/s" if units else f"{_number(rate)} requests/s"
    own = proven.own.get(arn)
    of = [f"one of {move.groups[arn].cluster} has carried {_number(own.rate)} ({_when(own)})"] if own else []
    if proven.best.group != arn:
        other = move.groups.get(proven.best.group)
        name = f"of {other.cluster} " if other else ""
        of.append(f"one {name}has carried {_number(proven.best.rate)} ({_when(proven.best)})")
    of.append(f"none has had more than {_percent(Fraction(proven.part))} of the route")
    return "; ".join(filter(None, [each, ", ".join(of), f"headroom {policy.headroom:g}", least]))


def _targets(units: int) -> str:
    return f"{units} healthy {'target' if units == 1 else 'targets'}"


def _number(rate: float) -> str:
    return f"{rate:.3g}"


def _when(carried: Carried) -> str:
    return f"{carried.at:%Y-%m-%d %H:%M} UTC"


def _units(move: Move, arn: str) -> int:
    group = move.groups.get(arn)
    return group.units if group else 0


def _lacks_a_zone(move: Move, arn: str) -> bool:
    serving = {zone for live in shares(move.live or {}) for zone in _zones(move, live)}
    return len(serving) > 1 and len(_zones(move, arn)) == 1 and not _carries_the_route(move, arn)


def _fails(move: Move, arn: str) -> bool:
    return bool(move.evidence and arn in move.evidence.failing)


def _zones(move: Move, arn: str) -> frozenset[str]:
    group = move.groups.get(arn)
    return group.zones if group else frozenset()


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.3g}%"
