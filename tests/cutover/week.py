"""Seven days of a route as CloudWatch would have them, and the moves that are judged on their strength."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cutover.rules.evidence import SECONDS, Bucket, Unproven, evidence
from cutover.rules.gate import shares
from cutover.rules.move import Group, Move

OLD, NEW, THIRD = "arn:old", "arn:new", "arn:third"
CLUSTERS = {OLD: "v1-35", NEW: "v1-36", THIRD: "v1-37"}
NOON = datetime(2026, 11, 25, 12, 2, tzinfo=UTC)
MIDNIGHT = NOON + timedelta(hours=12)
Weights = Mapping[str, int]


@dataclass(frozen=True)
class Phase:
    """Hours of the week, counted back from now, in which the weights and the healthy targets were these."""

    until: float
    weights: Weights
    units: Mapping[str, int]


@dataclass(frozen=True)
class Week:
    """A week of a route: ``day`` requests a second by day, ``night`` by night, and its ``phases``, the newest first.

    ``night_units`` are the targets of those groups that follow their load, by night. ``failing`` are groups whose
    targets answer with 5xx. What is older than the last phase is like it.
    """

    phases: tuple[Phase, ...]
    day: float = 100.0
    night: float = 10.0
    night_units: Mapping[str, int] = field(default_factory=dict[str, int])
    failing: frozenset[str] = frozenset()

    def buckets(self, now: datetime) -> dict[str, dict[datetime, Bucket]]:
        """Return every bucket of the last hours, and one of each hour before."""
        found: dict[str, dict[datetime, Bucket]] = {arn: {} for phase in self.phases for arn in phase.units}
        newest = datetime.fromtimestamp(now.timestamp() // SECONDS * SECONDS, UTC) - timedelta(seconds=SECONDS)
        for place in [*range(24), *range(24, 2016, 12)]:
            at = newest - timedelta(seconds=SECONDS * place)
            hours = (now - at) / timedelta(hours=1)
            phase = next((one for one in self.phases if hours <= one.until), self.phases[-1])
            by_day = 8 <= at.hour < 20
            rate = self.day if by_day else self.night
            for arn, units in phase.units.items():
                targets = units if by_day else self.night_units.get(arn, units)
                requests = float(shares(phase.weights).get(arn, 0)) * rate * SECONDS
                if targets:
                    found[arn][at] = Bucket(
                        requests,
                        requests / targets,
                        requests if arn in self.failing else 0,
                        healthy=targets,
                    )
        return found

    def move(
        self,
        live: Weights,
        wanted: Weights,
        units: Mapping[str, int],
        now: datetime = NOON,
        *,
        capacity: int | None = None,
    ) -> Move:
        """Return a move, judged ``now``, with so many healthy targets."""
        try:
            proven, why = evidence(self.buckets(now), now), ""
        except Unproven as error:
            proven, why = None, str(error)
        return Move(
            route="web",
            live=live,
            wanted=wanted,
            groups={arn: Group(cluster=CLUSTERS[arn], units=of, registered=True) for arn, of in units.items()},
            evidence=proven,
            unproven=why,
            capacity=capacity,
        )


def alone(old: int = 6, **more: float) -> Week:
    """Return a week in which the old cluster has served alone, and the new one has stood beside it for an hour."""
    return Week(
        (Phase(1, {OLD: 100, NEW: 0}, {OLD: old, NEW: 2}), Phase(168, {OLD: 100}, {OLD: old})),
        **more,  # pyright: ignore[reportArgumentType]
    )


def migrating(new: int, *, to: int, hours: float = 2, old: int = 6, **more: float) -> Week:
    """Return a week in which the new cluster has had ``to`` percent for some hours, and before that nothing."""
    return Week(
        (
            Phase(hours, {OLD: 100 - to, NEW: to}, {OLD: old, NEW: new}),
            Phase(168, {OLD: 100}, {OLD: old}),
        ),
        **more,  # pyright: ignore[reportArgumentType]
    )
