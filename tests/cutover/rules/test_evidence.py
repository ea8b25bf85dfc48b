"""What five minutes of CloudWatch prove, and what they do not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cutover.rules.evidence import SECONDS, Bucket, Unproven, evidence
from tests.cutover.week import NEW, NOON, OLD, alone, migrating


@pytest.mark.parametrize(
    ("bucket", "well"),
    [
        (Bucket(1000, 100, failures=50, healthy=10), True),
        (Bucket(1000, 100, failures=51, healthy=10), False),
        (Bucket(1000, 100, healthy=8, unhealthy=2), True),
        (Bucket(1000, 100, healthy=7, unhealthy=2), False),
        (Bucket(0, 0, healthy=10), False),
    ],
)
def test_what_failed_or_stood_beside_unhealthy_targets_proves_nothing(bucket: Bucket, *, well: bool) -> None:
    assert bucket.well is well


def test_a_bucket_that_is_not_over_is_not_counted() -> None:
    week = alone().buckets(NOON)
    begun = NOON.replace(minute=0)
    assert begun + timedelta(seconds=SECONDS) > NOON
    with_more = {**week, OLD: {**week[OLD], begun: Bucket(10**9, 10**8, healthy=6)}}
    assert evidence(with_more, NOON) == evidence(week, NOON)


def test_a_cloudwatch_that_lags_is_not_taken_for_a_route_without_requests() -> None:
    late = {
        arn: {at: one for at, one in had.items() if at < NOON - timedelta(minutes=30)}
        for arn, had in alone().buckets(NOON).items()
    }
    assert evidence(late, NOON).rate == evidence(late, NOON).busiest.rate
    silent = {
        arn: {**had, NOON.replace(minute=0) - timedelta(minutes=5): Bucket(healthy=6)} for arn, had in late.items()
    }
    assert evidence(silent, NOON).rate == 0


def test_a_group_fails_only_where_another_is_well() -> None:
    week = migrating(6, to=50).buckets(NOON)
    ill = {at: Bucket(one.requests, one.per_target, one.requests, one.healthy) for at, one in week[NEW].items()}
    both = {OLD: {at: Bucket(one.requests, one.per_target, one.requests, one.healthy) for at, one in week[OLD].items()}}
    assert evidence({**week, NEW: ill}, NOON).failing == {NEW}
    with pytest.raises(Unproven):
        evidence({**both, NEW: ill}, NOON)


@pytest.mark.parametrize(
    ("requests", "failures", "fails"), [(12, 12, True), (30, 15, True), (30, 10, False), (9, 9, False)]
)
def test_of_few_requests_most_must_have_failed(requests: int, failures: int, *, fails: bool) -> None:
    week = alone().buckets(NOON)
    at = max(week[OLD])
    canary = {at: Bucket(requests, requests / 2, failures, healthy=2)}
    assert evidence({**week, NEW: canary}, NOON).failing == ({NEW} if fails else set())


def test_a_group_that_answers_beside_unhealthy_targets_proves_nothing_and_does_not_fail() -> None:
    week = migrating(6, to=50).buckets(NOON)
    half = {
        at: Bucket(one.requests, one.per_target, 0, one.healthy / 2, one.healthy / 2) for at, one in week[NEW].items()
    }
    found = evidence({**week, NEW: half}, NOON)
    assert NEW not in found.own
    assert found.failing == frozenset()


def test_what_cloudwatch_has_nothing_of_is_not_proven() -> None:
    with pytest.raises(Unproven, match="nothing of the route yet"):
        evidence({OLD: {}, NEW: {}}, NOON)
