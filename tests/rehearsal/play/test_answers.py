"""How the answers of a rehearsal are counted, and when a split is not the one that was wanted."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from rehearsal.play.answers import Answer, by_step, split_faults, tally, telling


def answer(  # noqa: PLR0917 - the fields of an answer
    cluster: str = "v1-35",
    status: int | None = 200,
    kind: str = "http",
    step: str = "at 1",
    route: str = "web",
    seconds: float = 0.1,
) -> Answer:
    return Answer(0.0, step, route, kind, cluster, "group", status, "", seconds)


@pytest.mark.parametrize(
    ("status", "kind", "failed"),
    [
        (200, "http", False),
        (301, "http", False),
        (404, "http", True),
        (503, "http", True),
        (0, "grpc", False),
        (14, "grpc", True),
        (0, "stream", False),
        (None, "http", True),
        (None, "grpc", True),
    ],
)
def test_what_a_client_calls_a_failure(status: int | None, kind: str, *, failed: bool) -> None:
    assert answer(status=status, kind=kind).failed is failed


def test_answers_are_counted_by_step_route_and_cluster() -> None:
    steps = by_step(
        [
            answer("v1-35", step="one"),
            answer("v1-36", step="one"),
            answer("v1-35", step="one", route="grpc-api", kind="grpc", status=0),
            answer("v1-35", step="two"),
            answer("", status=503, step="two"),
        ]
    )
    assert list(steps) == ["one", "two"]
    assert steps["one"].shares == {"web": {"v1-35": 1, "v1-36": 1}, "grpc-api": {"v1-35": 1}}
    assert steps["two"].statuses == {("http", 200): 1, ("http", 503): 1}
    assert [failure.status for failure in steps["two"].failures] == [503]


def test_messages_of_a_stream_are_no_share_of_the_requests() -> None:
    counted = tally([answer(), answer("v1-36", kind="stream", status=0), answer("", kind="stream", status=14)])
    assert (counted.requests, counted.shares) == (1, {"web": {"v1-35": 1}})
    assert len(counted.failures) == 1


def test_times_are_a_median_and_a_tail_per_cluster() -> None:
    counted = tally([answer(seconds=number / 100) for number in range(1, 100)] + [answer("v1-36", seconds=2.0)])
    assert counted.seconds["v1-35"] == (pytest.approx(0.5), pytest.approx(0.99))
    assert counted.seconds["v1-36"] == (2.0, 2.0)


@pytest.mark.parametrize("share", [1, 10, 50, 99])
def test_a_split_by_the_weights_is_none_to_complain_of(share: int) -> None:
    chance = random.Random(share)
    weights = {"v1-35": 100 - share, "v1-36": share}
    for _ in range(50):
        drawn = Counter(chance.choices(list(weights), list(weights.values()), k=2000))
        assert split_faults(drawn, weights) == []


@pytest.mark.parametrize(("observed", "share"), [(300, 10), (40, 10), (80, 1), (1200, 50), (800, 50)])
def test_a_split_that_the_weights_do_not_explain_is_named(observed: int, share: int) -> None:
    faults = split_faults({"v1-35": 2000 - observed, "v1-36": observed}, {"v1-35": 100 - share, "v1-36": share})
    assert len(faults) == 2
    assert f"v1-36 gave {observed} of 2000 answers" in faults[1]
    assert f"its weight of {share} in 100" in faults[1]


def test_a_cluster_of_weight_0_gives_not_one_answer() -> None:
    weights = {"v1-35": 100, "v1-36": 0}
    assert split_faults({"v1-35": 10_000}, weights) == []
    assert len(split_faults({"v1-35": 9_999, "v1-36": 1}, weights)) == 2


def test_an_answer_of_a_cluster_without_a_weight_is_a_fault() -> None:
    assert split_faults({"v1-36": 100, "v1-34": 1}, {"v1-36": 100})


def test_few_answers_of_a_small_share_are_no_proof_of_anything() -> None:
    assert split_faults({"v1-35": 100}, {"v1-35": 99, "v1-36": 1}) == []
    assert split_faults({"v1-35": 94, "v1-36": 6}, {"v1-35": 99, "v1-36": 1}) == []
    assert split_faults({}, {"v1-35": 99, "v1-36": 1}) == []


@pytest.mark.parametrize(
    ("weights", "answers"), [({"a": 99, "b": 1}, 1499), ({"a": 50, "b": 50}, 22), ({"a": 9, "b": 0}, 1)]
)
def test_so_many_answers_tell_that_a_cluster_gives_none(weights: dict[str, int], answers: int) -> None:
    assert telling(weights) == answers
    silent = {"a": answers, "b": 0} if weights["b"] else {"a": answers}
    assert bool(split_faults(silent, weights)) is bool(weights["b"])
    assert not weights["b"] or not split_faults({"a": answers - 1}, weights)
