"""What a rehearsal takes for a loss."""

from __future__ import annotations

import pytest

from rehearsal.play.acts import Act
from rehearsal.play.answers import Answer, tally
from rehearsal.play.outcome import died_with, rate_faults, share_faults, unseen


@pytest.mark.parametrize(
    ("group", "sent", "seconds", "excused"),
    [
        ("web-v1-36-0a1b2c3", 99.5, 1.0, True),
        ("web-v1-36-0a1b2c3", 99.5, 0.1, False),
        ("web-v1-35-0a1b2c3", 99.5, 1.0, False),
        ("", 99.5, 1.0, False),
    ],
)
def test_a_killed_cluster_excuses_what_it_was_answering_then_and_nothing_else(
    group: str, sent: float, seconds: float, *, excused: bool
) -> None:
    failure = Answer(sent, "v1-36 at 50", "web", "grpc", "", group, 14, "", seconds)
    assert died_with(failure, "v1-36", 100.0) is excused
    assert not died_with(failure, "", 100.0)


@pytest.mark.parametrize(("dying", "missing"), [("", ["v1-36"]), ("v1-36", [])])
def test_a_cluster_with_a_weight_that_nobody_has_seen_is_a_fault_unless_it_is_dead(
    dying: str, missing: list[str]
) -> None:
    act = Act(title="v1-36 at 1", weights={"v1-35": 99, "v1-36": 1}, edit=lambda _: None, dying=dying)
    held = tally([Answer(1.0, act.title, "web", "http", "v1-35", "", 200, "", 0.1)] * 300)
    assert unseen(act, held) == missing
    said = share_faults(act, held, ())
    assert said == [f"{one} has a weight of 1 and gave no answer of 300" for one in missing]


@pytest.mark.parametrize(("asked", "faults"), [(200.0, 0), (185.0, 0), (120.0, 1)])
def test_clients_that_ask_less_often_than_they_were_to_are_a_fault(asked: float, faults: int) -> None:
    said = rate_faults(asked, 200.0)
    assert len(said) == faults
    assert all("120 requests/s, and 200 were to be asked" in one and "--rate 120" in one for one in said)
