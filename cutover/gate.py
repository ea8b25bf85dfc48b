"""The gate: whether a change of weights is safe now. Pure: it is given what is live and what is wanted.

Owns the rule and the words of a refusal. Refuses to own where the numbers come from (live.py) and what a refusal stops
(hooks.py).

The rule, per route: the ``coverage`` of a group is its units over its need, ``worst`` of some weights is the least
coverage of the groups that they give a share, and new weights are allowed if and only if ``worst(wanted) >= min(1,
worst(live))``. So whatever improves matters passes, there is no notion of "back", and repeating what is live changes
nothing. Routes are judged together: if one is refused, none moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

REFUSES = "the gate refuses"
"""How a refusal begins, by which a command tells it from a failure."""

# A group whose pods stand in one zone, where two serve now, is worth half at most: losing that zone would lose it all.
_ONE_ZONE = Fraction(1, 2)


@dataclass(frozen=True)
class Policy:
    """How much is enough: at least ``min_healthy`` units, and ``headroom`` times what the share would need."""

    min_healthy: int = 2
    headroom: float = 1.2

    @property
    def bare(self) -> Policy:
        """What is just enough: a raise must bring headroom along, and nothing has it while it carries everything."""
        return replace(self, headroom=1.0)


@dataclass(frozen=True, kw_only=True)
class Group:
    """A target group as it is now.

    ``units`` are its distinct healthy (id, port); unused, initial and draining targets are none. ``zones`` are those in
    which its healthy pods stand, and empty for nodes, which have no zone in DescribeTargetHealth. ``unreadable`` says
    why its health could not be read.
    """

    cluster: str
    units: int = 0
    zones: frozenset[str] = frozenset()
    checked: bool = True
    unreadable: str = ""


@dataclass(frozen=True, kw_only=True)
class Move:
    """A route's weights by target group ARN, as they are and as they should become.

    ``live`` is None where no weighted rule exists yet, and ``first`` tells that no rule on the whole load balancer
    serves yet. ``unknown`` are clusters that have a weight above 0 and a group that does not exist yet. ``peak`` is the
    most healthy targets that the main group had in the last seven days, ``capacity`` what the stack file declares.
    """

    route: str
    live: Mapping[str, int] | None
    wanted: Mapping[str, int]
    groups: Mapping[str, Group]
    unknown: Sequence[str] = ()
    first: bool = False
    peak: int | None = None
    capacity: int | None = None


@dataclass(frozen=True)
class Hold:
    """What a rollback left behind: no weights but these, by route and cluster, until it is released."""

    weights: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, "Mapping[str, int]"])
    who: str = ""
    why: str = ""
    when: str = ""

    def __str__(self) -> str:
        return f"a rollback of {self.when} by {self.who} ({self.why})"


@dataclass(frozen=True)
class Refusal:
    """Why a route may not move: what is wrong, with the numbers, and what to do."""

    route: str
    reason: str
    cure: str

    def __str__(self) -> str:
        return f"{self.route}: {self.reason}. {self.cure}."


def judge(moves: Iterable[Move], policy: Policy, hold: Hold | None = None) -> list[Refusal]:
    """Return every reason why the moves may not be made; none: all of them may."""
    return [refusal for move in moves for refusal in _judge(move, policy, hold)]


def shares(weights: Mapping[str, int]) -> dict[str, Fraction]:
    """Return the part of the requests, above 0 and up to 1, that each weight above 0 gets."""
    total = sum(weights.values())
    return {name: Fraction(weight, total) for name, weight in weights.items() if weight > 0}


def baseline(move: Move) -> float:
    """Return B, the units that the whole route needs: declared, or seen in seven days, or seen now."""
    if move.capacity is not None:
        return move.capacity
    if move.peak is not None:
        return move.peak
    live = shares(move.live or {})
    # On equal shares the fuller group speaks for the route, whatever the order of the clusters.
    return float(max(((share, _units(move, arn) / share) for arn, share in live.items()), default=(0, 0))[1])


def need(move: Move, policy: Policy, share: float | Fraction) -> int:
    """Return the units that a group must have to take ``share`` (above 0, up to 1) of the route."""
    # Rounded first: 1.2 x 100 x 0.05 is 6.000000000000001 in binary, and would ask for a seventh unit.
    return max(policy.min_healthy, math.ceil(round(policy.headroom * baseline(move) * share, 6)))


def coverage(move: Move, policy: Policy, arn: str, share: float | Fraction) -> Fraction:
    """Return units over need of a group at ``share``; at most one half where its pods stand in too few zones."""
    full = Fraction(_units(move, arn), need(move, policy, share))
    return min(full, _ONE_ZONE) if _lacks_a_zone(move, arn) else full


def worst(move: Move, policy: Policy, weights: Mapping[str, int]) -> Fraction:
    """Return the least coverage of the groups to which ``weights`` give a share; 1 where there are none."""
    return min((coverage(move, policy, arn, share) for arn, share in shares(weights).items()), default=Fraction(1))


def held(hold: Hold | None, route: str, weights: Mapping[str, int]) -> list[Refusal]:
    """Return why a hold, if there is one, forbids a route these weights, by cluster."""
    if hold is None or shares(weights) == shares(hold.weights.get(route, {})):
        return []
    return [Refusal(route, f"{hold} holds the weights", "Release the hold once the reason is gone: cutover release")]


def _judge(move: Move, policy: Policy, hold: Hold | None) -> list[Refusal]:
    if move.live is not None and not move.unknown and shares(move.live) == shares(move.wanted):
        return []
    clusters = {arn: group.cluster for arn, group in move.groups.items()}
    wanted = {clusters.get(arn, arn): weight for arn, weight in move.wanted.items()} | dict.fromkeys(move.unknown, 1)
    if always := [*held(hold, move.route, wanted), *_all_zero(move)]:
        return always
    if move.live is None and move.first:
        return []
    if unsure := [*_not_yet(move), *_blind(move)]:
        return unsure
    # Where nothing gets a share now, every request is answered with an error: whatever is wanted is better.
    dark = move.live is not None and not shares(move.live)
    least = Fraction(0) if dark else min(Fraction(1), worst(move, policy, move.live or {}))
    return [
        _short(move, policy, arn, share)
        for arn, share in shares(move.wanted).items()
        if coverage(move, policy, arn, share) < least
    ]


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
                "Give it weight 0 in the update that makes it, and raise it when its targets are healthy",
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
    group, wants = move.groups[arn], need(move, policy, share)
    units = _units(move, arn)
    numbers = (
        f"{group.cluster} has {units} healthy {'target' if units == 1 else 'targets'} and would need {wants} for "
        f"{_percent(share)} (baseline {baseline(move):g}, headroom {policy.headroom:g}, at least {policy.min_healthy})"
    )
    said, cures = numbers, list[str]()
    if units < wants:
        cures.append(f"reach {wants} first (an autoscaler at a small share stays at its minimum: raise the minimum)")
    if _lacks_a_zone(move, arn):
        said += f"; all stand in {', '.join(group.zones)}, while two zones serve now"
        cures.append("run pods in a second zone")
    return Refusal(move.route, said, f"Let {group.cluster} {' and '.join(cures)}, then run the same again")


def _units(move: Move, arn: str) -> int:
    group = move.groups.get(arn)
    return group.units if group else 0


def _lacks_a_zone(move: Move, arn: str) -> bool:
    serving = {zone for live in shares(move.live or {}) for zone in _zones(move, live)}
    return len(serving) > 1 and len(_zones(move, arn)) == 1


def _zones(move: Move, arn: str) -> frozenset[str]:
    group = move.groups.get(arn)
    return group.zones if group else frozenset()


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.3g}%"
