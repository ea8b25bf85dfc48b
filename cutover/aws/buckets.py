"""What CloudWatch has of a route's target groups in seven days, in buckets of five minutes.

Owns the metrics and how they are asked for. Refuses to own what they prove (evidence.py). The minutes that a promotion
looks at are in minutes.py.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cutover.aws.live import dimensions
from cutover.aws.minutes import answers, query
from cutover.calls import at_once
from cutover.rules.evidence import SECONDS, WEEK, Bucket

if TYPE_CHECKING:
    from collections.abc import Mapping

_METRICS = {
    "RequestCount": "Sum",
    "RequestCountPerTarget": "Sum",  # which is an average already, and has no other statistic
    "HTTPCode_Target_5XX_Count": "Sum",
    "TargetConnectionErrorCount": "Sum",
    "HealthyHostCount": "Average",
    "UnHealthyHostCount": "Average",
}
# GetMetricData answers with at most 100,800 points at once: of groups beyond that is asked at the same time, not after.
_GROUPS_PER_CALL = 100_800 // (len(_METRICS) * int(WEEK.total_seconds()) // SECONDS)
_AT_ONCE = 5


def read(cloudwatch: Any, groups: Mapping[str, str], now: datetime) -> dict[str, dict[datetime, Bucket]]:
    """Return the full buckets of target groups until ``now``, by ARN and beginning; ``groups`` has their balancers.

    ``cloudwatch`` is a client of boto3, which threads may share.
    Buckets of which CloudWatch has nothing are left out.

    :raises LiveError: CloudWatch could not be read
    """
    end = datetime.fromtimestamp(now.timestamp() // SECONDS * SECONDS, UTC)
    arns = list(groups)
    parts = [arns[first : first + _GROUPS_PER_CALL] for first in range(0, len(arns), _GROUPS_PER_CALL)]

    def ask(part: list[str]) -> dict[str, dict[datetime, Bucket]]:
        asked = [(arn, metric) for arn in part for metric in _METRICS]
        queries = [
            query(f"q{place}", metric, _METRICS[metric], dimensions(groups[arn], arn), seconds=SECONDS)
            for place, (arn, metric) in enumerate(asked)
        ]
        points = answers(cloudwatch, queries, end - WEEK, end)
        found = {arn: defaultdict[datetime, dict[str, float]](dict[str, float]) for arn in part}
        for place, (arn, metric) in enumerate(asked):
            for at, value in points.get(f"q{place}", {}).items():
                found[arn][at.astimezone(UTC)][metric] = value
        return {arn: {at: _bucket(values) for at, values in had.items()} for arn, had in found.items()}

    return {arn: had for answered in at_once(ask, parts, _AT_ONCE) for arn, had in answered.items()}


def _bucket(values: Mapping[str, float]) -> Bucket:
    return Bucket(
        requests=values.get("RequestCount", 0),
        per_target=values.get("RequestCountPerTarget", 0),
        failures=values.get("HTTPCode_Target_5XX_Count", 0) + values.get("TargetConnectionErrorCount", 0),
        healthy=values.get("HealthyHostCount", 0),
        unhealthy=values.get("UnHealthyHostCount", 0),
    )
