"""What CloudWatch tells of a window of whole minutes: requests, failures and response times per target group.

Owns the metrics, how they become failures, and which minutes can be trusted. Refuses to judge (promote.py).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cutover.aws.live import dimensions
from cutover.aws.session import LiveError
from cutover.calls import client, failing_as
from cutover.rules.traffic import Reading, Traffic, mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import boto3

PERIOD_SECONDS = 60
"""A minute of ELB's metrics, in seconds: ELB has no finer ones."""

_ANSWERS = tuple(f"HTTPCode_Target_{hundreds}XX_Count" for hundreds in range(2, 6))
_OF_GROUP = {
    **dict.fromkeys(("RequestCount", *_ANSWERS, "TargetConnectionErrorCount"), "Sum"),
    "TargetResponseTime": "p99",
}
_OF_BALANCER = {"RequestCount": "Sum", "HTTPCode_ELB_5XX_Count": "Sum"}
_PER_CALL = 500  # queries that GetMetricData takes
_TRIES = 3
_BETWEEN_TRIES_SECONDS = 2.0


def window(since: datetime, now: datetime) -> tuple[datetime, datetime] | None:
    """Return the whole minutes from ``since`` on that CloudWatch has by now, or None where there is none yet.

    The newest whole minute is left out: CloudWatch is still collecting it.
    """
    end = _floor(now) - _period()
    start = _floor(since)
    if start < since:
        start += _period()
    return (start, end) if start < end else None


def before(now: datetime, length: timedelta) -> tuple[datetime, datetime]:
    """Return the newest whole minutes that CloudWatch has, as many as ``length`` takes, and one at least."""
    end = _floor(now) - _period()
    return min(_floor(end - length), end - _period()), end


def read(account: boto3.Session, groups: Mapping[str, str], start: datetime, end: datetime) -> Reading:
    """Read what target groups had from ``start`` until before ``end``; ``groups`` are load balancers' ARNs by theirs.

    :raises LiveError: CloudWatch could not be read, or stays at partial data
    """
    balancers = sorted(set(groups.values()))
    asked = [
        *[
            (balancer, metric, stat, dimensions(balancer))
            for balancer in balancers
            for metric, stat in _OF_BALANCER.items()
        ],
        *[
            (group, metric, stat, dimensions(balancer, group))
            for group, balancer in groups.items()
            for metric, stat in _OF_GROUP.items()
        ],
    ]
    queries = [query(f"q{place}", *one[1:]) for place, one in enumerate(asked)]
    points = answers(client(account, "cloudwatch"), queries, start, end)
    found: dict[str, dict[str, dict[datetime, float]]] = {arn: {} for arn in [*balancers, *groups]}
    for place, (arn, metric, _, _) in enumerate(asked):
        found[arn][metric] = points.get(f"q{place}", {})
    own = {balancer: _of_balancer(found[balancer]) for balancer in balancers}
    return Reading({group: _of_group(found[group], own[of]) for group, of in groups.items()}, own)


def _of_balancer(points: Mapping[str, Mapping[datetime, float]]) -> Traffic:
    return Traffic(_total(points["RequestCount"]), _total(points["HTTPCode_ELB_5XX_Count"]))


def _of_group(points: Mapping[str, Mapping[datetime, float]], balancer: Traffic) -> Traffic:
    """Return a group's traffic. A request that no target answered is a failure as far as the load balancer had to.

    Without that bound a request that is still under way, a stream, and a client that left would be failures.
    """
    requests = points["RequestCount"]
    unanswered = max(0, _total(requests) - sum(_total(points[answers]) for answers in _ANSWERS))
    refused = _total(points["TargetConnectionErrorCount"])
    failures = _total(points["HTTPCode_Target_5XX_Count"]) + max(refused, min(unanswered, balancer.failures))
    latency = mean([(seconds, int(requests.get(at, 0))) for at, seconds in points["TargetResponseTime"].items()])
    return Traffic(_total(requests), failures, latency)


def answers(
    cloudwatch: Any, queries: Sequence[dict[str, Any]], start: datetime, end: datetime
) -> dict[str, dict[datetime, float]]:
    """Return the values of queries from ``start`` until before ``end``, by their names; ask with a client of boto3.

    :raises LiveError: CloudWatch could not be read, or stays at partial data
    """
    found: dict[str, dict[datetime, float]] = {}
    with failing_as(LiveError):
        for first in range(0, len(queries), _PER_CALL):
            waiting = list(queries[first : first + _PER_CALL])
            for attempt in range(_TRIES):
                if attempt:
                    time.sleep(_BETWEEN_TRIES_SECONDS)
                done = dict(_answers(cloudwatch, waiting, start, end))
                found |= done
                waiting = [query for query in waiting if query["Id"] not in done]
                if not waiting:
                    break
            else:
                raise LiveError("CloudWatch gives partial data again and again")
    return found


def _answers(
    cloudwatch: Any, queries: Sequence[dict[str, Any]], start: datetime, end: datetime
) -> Iterator[tuple[str, dict[datetime, float]]]:
    """Yield the data of the queries that were answered in full."""
    points: dict[str, dict[datetime, float]] = {query["Id"]: {} for query in queries}
    state: dict[str, str] = {}
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            # On every page but the last one the data of a query may be partial, and the rest follows.
            state[result["Id"]] = result.get("StatusCode", "Complete")
            points[result["Id"]] |= dict(zip(result["Timestamps"], result["Values"], strict=True))
    return ((name, values) for name, values in points.items() if state.get(name, "Complete") == "Complete")


def query(
    name: str, metric: str, statistic: str, of: Sequence[dict[str, str]], *, seconds: int = PERIOD_SECONDS
) -> dict[str, Any]:
    """Return the question for a metric of ELB, by a name of one's own, in periods of ``seconds``."""
    named = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": list(of)}
    return {"Id": name, "MetricStat": {"Metric": named, "Period": seconds, "Stat": statistic}}


def _total(points: Mapping[datetime, float]) -> int:
    return round(sum(points.values()))


def _period() -> timedelta:
    return timedelta(seconds=PERIOD_SECONDS)


def _floor(moment: datetime) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // PERIOD_SECONDS * PERIOD_SECONDS, UTC)
