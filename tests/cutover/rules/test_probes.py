"""Which record of a route's probes speaks for a cluster, and which moves need one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cutover.rules.evidence import Carried, Evidence
from cutover.rules.facts import Answer
from cutover.rules.gate import grounds, judge
from cutover.rules.move import UNPROBED, Group, Move, Policy, Probed
from cutover.rules.probes import CHECK, Record, asks, seen, standing
from cutover.rules.verdict import Row, Unread, Verdict
from settings.probes import Probe
from tests.settings.editing import settings_of

OLD, NEW = "arn:old", "arn:new"
AT = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)
WELL = Probed(well=True, said="its probes were answered as expected, as sre@ops saw at 2026-11-28T14:00Z")
EVIDENCE = Evidence(
    rate=100,
    busiest=Carried(120, AT),
    own={OLD: Carried(12, AT, OLD)},
    best=Carried(12, AT, OLD),
    part=0.1,
    seen={OLD: 1.0, NEW: 0.0},
)
PROBE = Probe.model_validate({"path": "/"})
URL = "https://app.example.com/"


def _record(**changes: Any) -> Record:
    known = {"who": "sre@ops", "when": "2026-11-28T14:00Z", "asks": "these", "failed": "", "version": "0.2.0"}
    return Record(**{**known, **changes})


@pytest.mark.parametrize(
    ("record", "minutes", "well", "said"),
    [
        (None, 0, False, "nobody has asked its probes"),
        (_record(), 0, True, "its probes were answered as expected, as sre@ops saw at 2026-11-28T14:00Z"),
        (_record(), 60, True, "its probes were answered as expected"),
        (_record(), 61, False, "last asked by sre@ops at 2026-11-28T14:00Z, which counts for an hour"),
        (_record(), -61, False, "which counts for an hour"),
        (_record(failed="GET / is answered with 404"), 1, False, "and failed: GET / is answered with 404"),
        (_record(asks="others"), 1, False, "and are others since"),
        (Unread("AccessDenied"), 1, False, "what its probes saw last could not be read (AccessDenied)"),
    ],
)
def test_a_record_speaks_for_an_hour_if_the_same_probes_were_all_answered(
    record: Record | Unread | None, minutes: int, *, well: bool, said: str
) -> None:
    found = standing(record, "these", AT + timedelta(minutes=minutes))
    assert found.well is well
    assert said in found.said


def test_other_probes_are_told_apart_and_so_are_other_names_of_the_load_balancer() -> None:
    def told(*probes: dict[str, str], **changes: Any) -> str:
        return asks(settings_of("dev", {"routes.web.probes": list(probes), **changes}), "web")

    one = told({"path": "/"})
    assert one == told({"path": "/", "expect": "200", "host": "app.example.com"}) == told({"path": "/"})
    assert (
        len({one, told({"path": "/a"}), told({"path": "/", "expect": "302"}), told({"path": "/"}, {"path": "/a"})}) == 4
    )


def test_who_could_not_ask_has_seen_nothing_unless_another_probe_failed() -> None:
    well, away = Answer("web", URL, 200, probe=PROBE), Answer("web", URL, Unread("no route"), probe=PROBE)
    bad = Answer("web", URL, 404, probe=PROBE)
    assert seen([well]) == {"web": ""}
    assert seen([well, away]) == {}
    assert seen([bad, away]) == {"web": f"GET {URL} is answered with 404 in place of 200"}
    assert seen([Answer("web", URL, 404)]) == {}


def test_a_check_of_probes_has_a_row_for_each_route_that_has_some() -> None:
    class _Facts:
        peer = None
        answers = (
            Answer("web", URL, 200, probe=PROBE),
            Answer("web", f"{URL}b", 404, probe=PROBE),
            Answer("api", URL, Unread("timed out", "Go there"), probe=PROBE),
            Answer("shop", URL, 200, probe=PROBE),
            Answer("till", URL, 200),
        )

    rows: list[Row] = list(CHECK.rows(_Facts()))  # pyright: ignore[reportArgumentType]
    assert [(row.check, row.verdict) for row in rows] == [
        ("probes of web", Verdict.BAD),
        ("probes of api", Verdict.UNKNOWN),
        ("probes of shop", Verdict.OK),
    ]
    assert rows[0].evidence == f"GET {URL}b is answered with 404 in place of 200"
    assert (rows[1].evidence, rows[1].cure) == (f"GET {URL}: timed out", "Go there")


def _move(live: tuple[int, int] | None, wanted: tuple[int, int], probed: Probed = UNPROBED, old: int = 10) -> Move:
    return Move(
        route="web",
        live=None if live is None else {OLD: live[0], NEW: live[1]},
        wanted={OLD: wanted[0], NEW: wanted[1]},
        groups={
            OLD: Group(cluster="v1-35", units=old, registered=True),
            NEW: Group(cluster="v1-36", units=10, registered=True),
        },
        evidence=EVIDENCE,
        probed={OLD: UNPROBED, NEW: probed},
    )


def _said(move: Move) -> str:
    return " ".join(map(str, judge([move], Policy(), stack="acme/prod")))


def test_a_first_share_is_refused_until_somebody_has_seen_that_the_application_answers() -> None:
    assert _said(_move((100, 0), (99, 1))) == (
        "web: v1-36 has no share yet, and nobody has asked its probes. Once what stands behind it answers, ask from "
        "where the load balancer is reached: cutover status v1-36 -s acme/prod, then run the same again. To go back in "
        "an emergency, cutover rollback asks nothing."
    )
    assert _said(_move((100, 0), (99, 1), WELL)) == ""
    (ground,) = grounds(_move((100, 0), (99, 1), WELL), Policy())
    assert ground.endswith("as sre@ops saw at 2026-11-28T14:00Z")


@pytest.mark.parametrize(
    ("live", "wanted", "why"),
    [
        ((99, 1), (50, 50), "it serves already"),
        ((99, 1), (100, 0), "nobody takes who has no share"),
        ((0, 100), (100, 0), "the old cluster has carried the route in the last seven days"),
        (None, (100, 0), "the first update of an empty account"),
    ],
)
def test_nobody_is_asked_for_what_is_no_first_share(
    live: tuple[int, int] | None, wanted: tuple[int, int], why: str
) -> None:
    move = replace(_move(live, wanted), first=live is None)
    assert _said(move) == "", why


def test_a_cluster_that_had_a_sliver_once_is_asked_again_and_so_is_a_route_that_becomes_live() -> None:
    sliver = replace(EVIDENCE, seen={OLD: 1.0, NEW: 0.1}, own={**EVIDENCE.own, NEW: Carried(12, AT, NEW)})
    assert "nobody has asked its probes" in _said(replace(_move((100, 0), (99, 1)), evidence=sliver))
    starts = replace(_move(None, (100, 0)), starts=True, evidence=None, probed={OLD: UNPROBED, NEW: UNPROBED})
    assert "v1-35 has no share yet, and nobody has asked its probes" in _said(starts)


def test_where_all_that_gives_is_dead_an_application_that_may_not_answer_costs_nothing() -> None:
    assert _said(_move((100, 0), (0, 100), old=0)) == ""
