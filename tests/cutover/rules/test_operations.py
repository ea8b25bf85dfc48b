"""What people ordinarily do, and what the gate says: the table of docs/gate.md, row by row."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cutover.rules.evidence import Unproven
from cutover.rules.gate import judge
from cutover.rules.move import Policy
from tests.conftest import ROOT
from tests.cutover.week import MIDNIGHT, NEW, NOON, OLD, THIRD, Phase, Week, alone, migrating

if TYPE_CHECKING:
    from cutover.rules.move import Move

POLICY = Policy()


def _to(new: int) -> dict[str, int]:
    return {OLD: 100 - new, NEW: new}


def _unproven(move: Move) -> Move:
    return replace(move, evidence=None, unproven=str(Unproven("CloudWatch could not be read")))


def _replicas(old: int, new: int) -> dict[str, int]:
    return {OLD: old, NEW: new}


AT_50 = migrating(6, to=50)
BY_LOAD = replace(migrating(6, to=50), night_units={OLD: 2, NEW: 2})  # an autoscaler
ONE = alone(1, day=5, night=1)
IDLE = migrating(2, to=50, old=2, day=0.05, night=0.01)
THREE = Week((Phase(168, {OLD: 98, NEW: 1, THIRD: 1}, {OLD: 6, NEW: 2, THIRD: 2}),))

OPERATIONS: dict[str, tuple[Move, bool]] = {
    # the way there
    "0 to 1 %, onto 2 targets": (alone().move(_to(0), _to(1), _replicas(6, 2)), True),
    "0 to 1 %, onto 1 target": (alone().move(_to(0), _to(1), _replicas(6, 1)), False),
    "0 to 1 %, onto none": (alone().move(_to(0), _to(1), _replicas(6, 0)), False),
    "1 to 10 %, onto 2 targets": (migrating(2, to=1).move(_to(1), _to(10), _replicas(6, 2)), True),
    "10 to 50 %, onto 2 targets": (migrating(2, to=10).move(_to(10), _to(50), _replicas(6, 2)), False),
    "10 to 50 %, onto 4 targets": (migrating(4, to=10).move(_to(10), _to(50), _replicas(6, 4)), True),
    "50 to 100 % by day, onto as many as the old cluster has": (AT_50.move(_to(50), _to(100), _replicas(6, 6)), False),
    "50 to 100 % by day, onto a fifth and one more": (
        migrating(8, to=50).move(_to(50), _to(100), _replicas(6, 8)),
        True,
    ),
    "50 to 100 % after two days at 50 %, onto a fifth and one more": (
        migrating(8, to=50, hours=48).move(_to(50), _to(100), _replicas(6, 8)),
        True,
    ),
    "50 to 55 %, onto what has carried 50": (migrating(3, to=50).move(_to(50), _to(55), _replicas(6, 3)), True),
    "99 to 100 %": (migrating(8, to=99).move(_to(99), _to(100), _replicas(6, 8)), True),
    # the way back
    **{
        f"{new} % back to 0, the old cluster as large as it was": (
            migrating(8, to=new).move(_to(new), _to(0), _replicas(6, 8)),
            True,
        )
        for new in (1, 10, 50, 99, 100)
    },
    "50 % back to 0 after two days": (
        migrating(6, to=50, hours=48).move(_to(50), _to(0), _replicas(6, 6)),
        True,
    ),
    "50 % back to 0 at night, both at night's size": (
        BY_LOAD.move(_to(50), _to(0), _replicas(2, 2), MIDNIGHT),
        True,
    ),
    "50 % back to 0 by day, a third of the old targets gone": (AT_50.move(_to(50), _to(0), _replicas(4, 6)), False),
    "50 % back to 0 at night, a third of the old targets gone": (
        AT_50.move(_to(50), _to(0), _replicas(4, 6), MIDNIGHT),
        True,
    ),
    "100 % back to 0, the old cluster scaled down and the new one well": (
        migrating(8, to=100).move(_to(100), _to(0), _replicas(2, 8)),
        False,
    ),
    # night
    "1 to 100 % at night, onto 2 targets": (
        migrating(2, to=1).move(_to(1), _to(100), _replicas(6, 2), MIDNIGHT),
        False,
    ),
    "1 to 100 % at night without one request, onto 2 targets": (
        replace(migrating(2, to=1, hours=24), night=0).move(_to(1), _to(100), _replicas(6, 2), MIDNIGHT),
        False,
    ),
    "1 to 100 % at night, onto as many as the old cluster has": (
        migrating(6, to=1).move(_to(1), _to(100), _replicas(6, 6), MIDNIGHT),
        True,
    ),
    "50 to 100 % at night, both at night's size": (BY_LOAD.move(_to(50), _to(100), _replicas(2, 2), MIDNIGHT), True),
    # growth
    "50 % back to 0, with 5 % more requests than ever": (
        replace(
            AT_50.move(_to(50), _to(0), _replicas(6, 6)),
            evidence=replace(AT_50.move({}, {}, {}).evidence, rate=105.0),  # pyright: ignore[reportArgumentType]
        ),
        True,
    ),
    "50 % back to 0, with 30 % more requests than ever": (
        replace(
            AT_50.move(_to(50), _to(0), _replicas(6, 6)),
            evidence=replace(AT_50.move({}, {}, {}).evidence, rate=130.0),  # pyright: ignore[reportArgumentType]
        ),
        False,
    ),
    # failures
    "1 %, dead, to 100 %": (migrating(2, to=1).move(_to(1), _to(100), _replicas(6, 0)), False),
    "1 %, dead, back to 0": (migrating(2, to=1).move(_to(1), _to(0), _replicas(6, 0)), True),
    "1 %, healthy and answering with 5xx, to 100 %": (
        replace(migrating(8, to=1, hours=24), failing=frozenset({NEW})).move(_to(1), _to(100), _replicas(6, 8)),
        False,
    ),
    "50 %, healthy and answering with 5xx, back to 0, a third of the old targets gone": (
        replace(AT_50, failing=frozenset({NEW})).move(_to(50), _to(0), _replicas(4, 6)),
        False,
    ),
    "50 %, healthy and answering with 5xx, back to 30, a third of the old targets gone": (
        replace(AT_50, failing=frozenset({NEW})).move(_to(50), _to(30), _replicas(4, 6)),
        True,
    ),
    "50 %, dead, back to 0, half of the old targets gone": (AT_50.move(_to(50), _to(0), _replicas(3, 0)), True),
    "100 %, dead, back to 0 onto one target": (migrating(6, to=100).move(_to(100), _to(0), _replicas(1, 0)), True),
    "50 %, both dead, to 100 %": (AT_50.move(_to(50), _to(100), _replicas(0, 0)), False),
    "one old target of six left with all requests: half of them to one new target": (
        alone().move(_to(0), _to(50), _replicas(1, 1)),
        True,
    ),
    "one old target of six left with all requests: most of them to one new target": (
        alone().move(_to(0), _to(60), _replicas(1, 1)),
        False,
    ),
    "every target failed all week, and the new ones are to take over": (
        replace(AT_50, failing=frozenset({OLD, NEW})).move(_to(50), _to(100), _replicas(6, 6)),
        False,
    ),
    # one replica
    "0 to 1 %, one replica each": (ONE.move(_to(0), _to(1), _replicas(1, 1)), False),
    "10 % back to 0, one replica of the old cluster": (
        migrating(2, to=10, old=1, day=5, night=1).move(_to(10), _to(0), _replicas(1, 2)),
        True,
    ),
    "100 % back to 0, one replica of the old cluster": (
        migrating(2, to=100, old=1, day=5, night=1).move(_to(100), _to(0), _replicas(1, 2)),
        True,
    ),
    # hardly any requests
    "50 to 100 % without enough requests to tell": (IDLE.move(_to(50), _to(100), _replicas(2, 2)), True),
    "50 % back to 0 without enough requests to tell": (IDLE.move(_to(50), _to(0), _replicas(2, 2)), True),
    "50 to 100 % without enough requests to tell, onto 1 target": (
        IDLE.move(_to(50), _to(100), _replicas(2, 1)),
        False,
    ),
    # three clusters
    "a third cluster is dead at 1 %, and a well one gives half to one target": (
        THREE.move({OLD: 98, NEW: 1, THIRD: 1}, {OLD: 50, NEW: 50}, {OLD: 6, NEW: 1, THIRD: 0}),
        False,
    ),
    "a third cluster is dead at 1 %, and its share goes to the old one": (
        THREE.move({OLD: 98, NEW: 1, THIRD: 1}, {OLD: 99, NEW: 1, THIRD: 0}, {OLD: 6, NEW: 2, THIRD: 0}),
        True,
    ),
    # declared capacity
    "0 to 50 %, capacity 10, onto 5 targets": (alone().move(_to(0), _to(50), _replicas(6, 5), capacity=10), True),
    "0 to 50 %, capacity 10, onto 4 targets": (alone().move(_to(0), _to(50), _replicas(6, 4), capacity=10), False),
    # CloudWatch could not be read
    "0 to 100 % without CloudWatch, onto as many": (_unproven(alone().move(_to(0), _to(100), _replicas(6, 6))), True),
    "0 to 100 % without CloudWatch, onto less": (_unproven(alone().move(_to(0), _to(100), _replicas(6, 5))), False),
    "1 % back to 0 without CloudWatch": (_unproven(alone().move(_to(1), _to(0), _replicas(6, 2))), True),
    "50 % back to 0 without CloudWatch": (_unproven(AT_50.move(_to(50), _to(0), _replicas(6, 6))), False),
    # no move
    "the same again, whatever is dead": (AT_50.move(_to(50), _to(50), _replicas(0, 0)), True),
    "the same shares in other numbers": (AT_50.move(_to(50), {OLD: 1, NEW: 1}, _replicas(0, 0)), True),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_people_ordinarily_do_has_the_verdict_of_the_documentation(name: str) -> None:
    move, passes = OPERATIONS[name]
    refusals = judge([move], POLICY)
    assert (not refusals) is passes, refusals


def test_the_documentation_has_every_operation_with_its_verdict() -> None:
    text = (ROOT / "docs" / "gate.md").read_text()
    documented = dict(re.findall(r"^\| (.+?) \| \*?\*?(passes|refused)\*?\*? \|", text, re.MULTILINE))
    assert documented == {name: "passes" if passes else "refused" for name, (_, passes) in OPERATIONS.items()}


def test_by_day_and_by_night_are_what_they_are_called() -> None:
    assert (NOON.hour, MIDNIGHT.hour) == (12, 0)
