"""What moto's CloudWatch lacks: percentiles, and an answer in time to a question about a week.

A percentile of data points is the smallest of them that as many are below; of a statistic set, which keeps no points,
its maximum: the same for a p99 of fewer than a hundred. Refuses to own what is told to CloudWatch (metrics.py).
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import CloudWatchBackend, Statistics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from moto.cloudwatch.models import MetricDatumBase

_PERCENTILE = re.compile(r"p(?P<percent>[0-9]{1,2}(\.[0-9]+)?)")
_others = Statistics.get_statistics_for_type
_of_any_kind = CloudWatchBackend.get_metric_data


def install() -> None:
    """Let moto's CloudWatch answer with percentiles too, and in time."""
    Statistics.get_statistics_for_type = _statistic
    CloudWatchBackend.get_metric_data = _data


def _statistic(self: Statistics, stat: str) -> Any:
    match = _PERCENTILE.fullmatch(stat)
    if match is None:
        return _others(self, stat)
    values = sorted([*self.metric_single_values_list, *(float(one.max) for one in self.metric_aggregated_list)])
    return values[max(0, math.ceil(len(values) * float(match["percent"]) / 100) - 1)]


def _data(
    self: CloudWatchBackend,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[dict[str, Any]]:
    """Answer GetMetricData; moto itself looks at every data point for every period of every query."""
    if start_time >= end_time or not all("MetricStat" in one for one in queries):
        return _of_any_kind(self, queries, start_time, end_time, scan_by)
    begin, end = start_time.replace(microsecond=0), end_time.replace(microsecond=0)
    points: defaultdict[Any, list[MetricDatumBase]] = defaultdict(list)
    for point in self.get_all_metrics():
        if begin <= point.timestamp < end:
            dimensions = ((one.name, one.value) for one in point.dimensions)
            points[_metric(point.namespace, point.name, dimensions)].append(point)
    return [_answer(query, points, begin, newest_first=scan_by == "TimestampDescending") for query in queries]


def _metric(namespace: str, name: str, dimensions: Iterable[tuple[str | None, str | None]]) -> Any:
    return namespace, name, frozenset(dimensions)


def _answer(
    query: dict[str, Any],
    points: defaultdict[Any, list[MetricDatumBase]],
    begin: datetime,
    *,
    newest_first: bool,
) -> dict[str, Any]:
    asked, stat = query["MetricStat"]["Metric"], query["MetricStat"]["Stat"]
    period = timedelta(seconds=int(query["MetricStat"]["Period"]))
    dimensions = ((one["Name"], one["Value"]) for one in asked.get("Dimensions", ()))
    periods: defaultdict[int, list[MetricDatumBase]] = defaultdict(list)
    for point in points.get(_metric(asked["Namespace"], asked["MetricName"], dimensions), ()):
        periods[(point.timestamp - begin) // period].append(point)
    answered: dict[datetime, Any] = {}
    for place in sorted(periods, reverse=newest_first):
        counted = Statistics([stat], begin + place * period)
        counted.metric_data = periods[place]
        answered[begin + place * period] = counted.get_statistics_for_type(stat)
    return {
        "id": query["Id"],
        "label": query.get("Label") or f"{asked['MetricName']} {stat}",
        "values": list(answered.values()),
        "timestamps": list(answered),
        "status_code": "Complete",
    }
