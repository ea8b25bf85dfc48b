"""How good the gate's rule is: random routes, random moves, and a notion of harm that knows nothing of the rule.

Run from the root of the repository: `python -m benchmarks.gate --cases 100000`. Each case is a route with two or three
clusters, a week of traffic by day and night that their targets carried or failed, a moment of that week, and a move.
The harm is counted from what no gate can see: each target is worth a number of requests a second, and what is sent
beyond that is lost, as is everything that is sent to a group without healthy targets.

Shown are the moves that were allowed and lose more than before, and those that were refused and would have lost less;
for new targets that are worth what was proven (at least what the old ones carried), for such that are worth five sixths
of that, and for such that are worth any less, which the rule cannot know.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cutover.rules.evidence import SECONDS, Bucket, Evidence, Unproven, evidence
from cutover.rules.gate import coverage, judge, shares, takers
from cutover.rules.move import Group, Move, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POLICY = Policy()
NOW = datetime(2026, 11, 26, 20, tzinfo=UTC)
WORTH = {"what was proven": (1.0, 1.5), "five sixths of it": (5 / 6, 1.0), "less": (0.2, 5 / 6)}
"""What a target of the next cluster is worth, in parts of one of the old cluster, by name."""

_HISTORY = 40  # buckets of the week that are played, before the last hour
_SLACK = 1e-6
_FULLEST = 0.9  # of what they are worth is what well targets are run at: more is an incident, and not proven


@dataclass(frozen=True)
class Case:
    """A move, and what nobody can see: what each group's targets are worth, and what asks for the route now."""

    move: Move
    worth: Mapping[str, float]
    rate: float

    @property
    def allowed(self) -> bool:
        """Whether the gate lets it pass."""
        return not judge([self.move], POLICY)

    def lost(self, weights: Mapping[str, int]) -> float:
        """Return the requests a second that are lost at these weights."""
        return sum(
            max(0.0, float(share) * self.rate - self.move.groups[arn].units * self.worth[arn])
            for arn, share in shares(weights).items()
        )

    @property
    def harm(self) -> float:
        """How many requests a second more are lost after the move than before; below 0 where fewer are."""
        return self.lost(self.move.wanted) - self.lost(self.move.live or {})


def case(chance: random.Random, worth: tuple[float, float]) -> Case:
    """Return a random case in which a new target is worth as many old ones as lies between the two of ``worth``."""
    arns = [f"arn:{index}" for index in range(chance.choice([2, 2, 2, 3]))]
    old = chance.uniform(5, 50)
    part = {arn: chance.uniform(*worth) if place else 1.0 for place, arn in enumerate(arns)}
    of = {arn: old * part[arn] for arn in arns}
    size = chance.choice([1, 2, 3, 6, 10, 30])  # of the old cluster by day
    top = size * old * chance.uniform(0.2, _FULLEST) / 1.1
    scales = chance.random() < 0.5  # with its load
    groups: dict[str, dict[datetime, Bucket]] = {arn: {} for arn in arns}
    started = chance.uniform(0, 1)  # when in the week the migration began
    for place in range(_HISTORY + 12):
        back = place if place < 12 else chance.randrange(12, 2016)
        at = NOW - timedelta(seconds=SECONDS * (back + 1))
        rate = top * _day(at, chance)
        begun = 1 - back / 2016 >= started
        weights = _weights(chance, arns) if begun else {arns[0]: 100}
        for arn, share in shares(weights).items():
            full = max(1, math.ceil(size * rate / top)) if scales else size
            targets = full if arn == arns[0] or chance.random() < 0.7 else max(1, full // 2)
            asked = float(share) * rate * chance.uniform(0.98, 1.02)
            dead = chance.random() < 0.05
            lost = asked if dead else max(0.0, asked - targets * of[arn])
            groups[arn][at] = Bucket(
                requests=asked * SECONDS,
                per_target=asked * SECONDS / targets,
                failures=lost * SECONDS,
                healthy=0 if dead else targets,
                unhealthy=targets if dead else 0,
            )
    live, wanted = _weights(chance, arns), _weights(chance, arns)
    rate = sum(had.get(NOW - timedelta(seconds=SECONDS), Bucket()).requests for had in groups.values()) / SECONDS
    present = {arn: _now(chance, arn, max(1, math.ceil(size * rate / top)) if scales else size) for arn in arns}
    proven, why = _proven(groups)
    move = Move(route="web", live=live, wanted=wanted, groups=present, evidence=proven, unproven=why)
    own, best = (proven.own, proven.best.rate) if proven else ({}, 0.0)
    # What it has carried with a few failures, and a tenth more, is what it is worth: else it has proven too much.
    worth_of = {arn: max(1.1 * own[arn].rate if arn in own else 0.0, best * part[arn], of[arn]) for arn in arns}
    return Case(move, worth_of, rate)


def _day(at: datetime, chance: random.Random) -> float:
    """Return the part of the busiest hour's requests that come at a moment."""
    return (0.55 + 0.45 * math.cos((at.hour - 14) / 24 * 2 * math.pi)) * chance.uniform(0.9, 1.0)


def _weights(chance: random.Random, arns: Sequence[str]) -> dict[str, int]:
    some = chance.choice([0, 1, 10, 25, 50, 75, 90, 99, 100])
    rest = chance.choice([0, 0, 10]) if len(arns) > 2 else 0
    return {arns[0]: (100 - rest) * (100 - some), arns[1]: (100 - rest) * some, **dict.fromkeys(arns[2:], 100 * rest)}


def _now(chance: random.Random, arn: str, full: int) -> Group:
    """Return a group of which some, none or all targets are healthy."""
    units = chance.choice([full, full, full, math.ceil(1.2 * full), max(0, full - 1), full // 2, 1, 0])
    return Group(cluster=arn, units=units, registered=True)


def _proven(groups: Mapping[str, Mapping[datetime, Bucket]]) -> tuple[Evidence | None, str]:
    try:
        return evidence(groups, NOW), ""
    except Unproven as why:
        return None, str(why)


@dataclass
class Tally:
    """What came of many cases."""

    cases: int = 0
    allowed: int = 0
    harmful: int = 0
    worst: float = 0.0
    better: int = 0
    refused: Counter[str] | None = None


def run(cases: int, worth: tuple[float, float], seed: int = 1) -> tuple[Tally, list[Case]]:
    """Judge random cases; return what came of them, and the allowed ones that lose more than before."""
    chance, seen, harmful = random.Random(seed), Tally(refused=Counter()), list[Case]()
    for _ in range(cases):
        one = case(chance, worth)
        seen.cases += 1
        harm = one.harm
        if one.allowed:
            seen.allowed += 1
            if harm > _SLACK * (1 + one.rate):
                seen.harmful += 1
                seen.worst = max(seen.worst, harm / one.rate)
                harmful.append(one)
        elif harm < -_SLACK * (1 + one.rate):
            seen.better += 1
            assert seen.refused is not None
            seen.refused[_why(one)] += 1
    return seen, harmful


def _why(one: Case) -> str:
    """Return why a move was refused that would have lost less."""
    taken = [arn for arn in takers(one.move) if coverage(one.move, POLICY, arn, shares(one.move.wanted)[arn]) < 1]
    if any(not one.move.groups[arn].units for arn in taken):
        return "a group without a healthy target would take"
    if any(one.move.groups[arn].units < POLICY.min_healthy for arn in taken):
        return "too few targets, however well they are"
    return "a part of the way passes, or more than was proven is asked"


def main() -> None:
    """Show a table."""
    parser = argparse.ArgumentParser(description="How good the gate's rule is.")
    parser.add_argument("--cases", type=int, default=30_000, help="of each kind of target")
    cases = parser.parse_args().cases
    table = Table("a new target is worth", "cases", "allowed", "and lose more", "worst", "refused, would lose less")
    for name, worth in WORTH.items():
        seen, _ = run(cases, worth)
        reasons = "\n".join(f"{count} {why}" for why, count in (seen.refused or Counter()).most_common())
        table.add_row(
            name,
            str(seen.cases),
            str(seen.allowed),
            str(seen.harmful),
            f"{seen.worst:.1%}",
            f"{seen.better}\n{reasons}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
