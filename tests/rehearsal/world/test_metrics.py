"""What an emulated ALB tells CloudWatch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cutover.aws import buckets
from cutover.rules.evidence import evidence
from rehearsal.cloud.targets import Target
from rehearsal.world.metrics import NAMESPACE, Meter, host_counts, past
from tests.rehearsal.stage import BALANCER, NEW, OLD

if TYPE_CHECKING:
    from tests.rehearsal.conftest import Account

AT = datetime(2026, 1, 1, tzinfo=UTC)
ON_BALANCER = {"LoadBalancer": "app/public/0123456789abcdef"}
ON_OLD = {**ON_BALANCER, "TargetGroup": "targetgroup/web-v1-35/0123456789abcdef"}
ON_NEW = {**ON_BALANCER, "TargetGroup": "targetgroup/web-v1-36/0123456789abcdef"}


def where(point: dict[str, Any]) -> dict[str, str]:
    return {dimension["Name"]: dimension["Value"] for dimension in point["Dimensions"]}


def values(data: list[dict[str, Any]], name: str) -> list[tuple[dict[str, str], int]]:
    return [(where(point), point["Value"]) for point in data if point["MetricName"] == name]


@pytest.fixture
def meter() -> Meter:
    """Return a meter that has seen two answers of the old group, one failure of the new, and an empty group."""
    meter = Meter()
    for group, status, seconds in ((OLD, 200, 0.1), (OLD, 404, 0.3), (NEW, 500, 0.2)):
        meter.sent(BALANCER, group)
        meter.answered(BALANCER, group, status, seconds)
    meter.failed(BALANCER)
    return meter


def test_requests_are_told_per_group_and_for_the_load_balancer(meter: Meter) -> None:
    data = meter.take(AT, {OLD: 2})
    assert values(data, "RequestCount") == [(ON_OLD, 2), (ON_NEW, 1), (ON_BALANCER, 3)]
    assert values(data, "RequestCountPerTarget") == [(ON_OLD, 1.0), (ON_NEW, 1.0)]
    assert {point["Timestamp"] for point in data} == {AT}


def test_answers_are_told_by_hundreds_and_none_that_did_not_come(meter: Meter) -> None:
    data = meter.take(AT, {OLD: 2})
    assert values(data, "HTTPCode_Target_2XX_Count") == [(ON_OLD, 1), (ON_BALANCER, 1)]
    assert values(data, "HTTPCode_Target_4XX_Count") == [(ON_OLD, 1), (ON_BALANCER, 1)]
    assert values(data, "HTTPCode_Target_5XX_Count") == [(ON_NEW, 1), (ON_BALANCER, 1)]
    assert values(data, "HTTPCode_Target_3XX_Count") == []


def test_errors_of_the_load_balancer_are_blamed_on_no_group(meter: Meter) -> None:
    assert values(meter.take(AT, {OLD: 2}), "HTTPCode_ELB_5XX_Count") == [(ON_BALANCER, 1)]


def test_response_times_are_a_statistic(meter: Meter) -> None:
    times = [point for point in meter.take(AT, {OLD: 2}) if point["MetricName"] == "TargetResponseTime"]
    assert [where(point) for point in times] == [ON_OLD, ON_NEW, ON_BALANCER]
    assert times[0]["Unit"] == "Seconds"
    assert times[0]["StatisticValues"] == {"SampleCount": 2, "Sum": pytest.approx(0.4), "Minimum": 0.1, "Maximum": 0.3}


def test_a_period_without_requests_has_no_data(meter: Meter) -> None:
    meter.take(AT, {OLD: 2})
    assert meter.take(AT, {OLD: 2}) == []


def test_a_request_without_an_answer_is_a_request_all_the_same() -> None:
    meter = Meter()
    meter.sent(BALANCER, OLD)
    meter.failed(BALANCER)
    assert [point["MetricName"] for point in meter.take(AT, {OLD: 2})] == [
        "RequestCount",
        "RequestCountPerTarget",
        "RequestCount",
        "HTTPCode_ELB_5XX_Count",
    ]


def test_healthy_and_unhealthy_targets_are_counted_and_zero_is_told() -> None:
    states = ("healthy", "healthy", "initial", "draining")
    targets = [Target(OLD, f"127.0.0.{number}", 80, state=state) for number, state in enumerate(states)]
    data = host_counts(BALANCER, OLD, targets, AT)
    assert values(data, "HealthyHostCount") == [(ON_OLD, 2)]
    assert values(data, "UnHealthyHostCount") == [(ON_OLD, 0)]


def test_a_connection_that_no_target_took_is_told_of_its_group(meter: Meter) -> None:
    meter.refused(BALANCER, NEW)
    assert values(meter.take(AT, {}), "TargetConnectionErrorCount") == [(ON_NEW, 1), (ON_BALANCER, 1)]


def test_a_past_that_was_made_proves_to_the_gate_what_it_says(account: Account) -> None:
    cloudwatch, now = account.client("cloudwatch"), datetime.now(UTC)
    points = past(BALANCER, OLD, 4, [10, 10, 10, 30], now)
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=points)
    proven = evidence(buckets.read(cloudwatch, {OLD: BALANCER, NEW: BALANCER}, now), now)
    assert (proven.rate, proven.busiest.rate, proven.best.rate) == (10, 30, 7.5)
    assert (proven.part, proven.seen) == (0.25, {OLD: 1.0, NEW: 0.0})


def test_the_emulated_cloudwatch_gives_it_back(account: Account, meter: Meter) -> None:
    cloudwatch = account.client("cloudwatch")
    now = datetime.now(UTC) - timedelta(seconds=1)
    cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=meter.take(now, {OLD: 2}))
    dimensions = [{"Name": name, "Value": ON_OLD[name]} for name in ("TargetGroup", "LoadBalancer")]

    def read(name: str, statistic: str) -> list[float]:
        metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}}],
            StartTime=now - timedelta(minutes=1),
            EndTime=now + timedelta(minutes=5),
        )
        return answer["MetricDataResults"][0]["Values"]

    assert read("RequestCount", "Sum") == [2]
    assert read("TargetResponseTime", "Average") == [pytest.approx(0.2)]
    assert read("HTTPCode_Target_5XX_Count", "Sum") == []
