"""What the emulated CloudWatch answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.rehearsal.emulated import running

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 1, 1, tzinfo=UTC)


def p99(folder: Path, name: str, points: list[dict[str, Any]]) -> list[float]:
    with running(folder) as cloud:
        cloudwatch = cloud.client("cloudwatch")
        data = [{"MetricName": name, "Timestamp": AT, **point} for point in points]
        cloudwatch.put_metric_data(Namespace="percentiles", MetricData=data)
        metric = {"Metric": {"Namespace": "percentiles", "MetricName": name}, "Period": 60, "Stat": "p99"}
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "p", "MetricStat": metric}], StartTime=AT, EndTime=AT + timedelta(minutes=1)
        )
    return answer["MetricDataResults"][0]["Values"]


def test_a_p99_leaves_out_the_slowest_hundredth(tmp_path: Path) -> None:
    assert p99(tmp_path, "points", [{"Value": value} for value in range(1, 201)]) == [198.0]


def test_a_p99_of_a_statistic_set_is_its_maximum(tmp_path: Path) -> None:
    whole = {"SampleCount": 50, "Sum": 10.0, "Minimum": 0.1, "Maximum": 0.7}
    assert p99(tmp_path, "set", [{"StatisticValues": whole}]) == [0.7]


def test_a_question_about_a_week_is_answered_by_metric_period_and_dimensions_in_any_order(tmp_path: Path) -> None:
    dimensions = [{"Name": "TargetGroup", "Value": "t"}, {"Name": "LoadBalancer", "Value": "b"}]
    with running(tmp_path) as cloud:
        cloudwatch = cloud.client("cloudwatch")
        data = [
            {
                "MetricName": name,
                "Timestamp": AT + timedelta(minutes=minute),
                "Value": 1,
                "Dimensions": dimensions[:many],
            }
            for name in ("sent", "failed")
            for many in (1, 2)
            for minute in (0, 4, 5, 10_000)
        ]
        cloudwatch.put_metric_data(Namespace="week", MetricData=data)
        metric = {"Namespace": "week", "MetricName": "sent", "Dimensions": dimensions[::-1]}
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=[{"Id": "q", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}],
            StartTime=AT,
            EndTime=AT + timedelta(days=7),
        )
    (result,) = answer["MetricDataResults"]
    assert dict(zip(result["Timestamps"], result["Values"], strict=True)) == {
        AT: 2.0,
        AT + timedelta(minutes=5): 1.0,
        AT + timedelta(minutes=10_000): 1.0,
    }
