"""What a rehearsal takes for a loss."""

from __future__ import annotations

import pytest

from rehearsal.play.answers import Answer
from rehearsal.play.outcome import died_with


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
