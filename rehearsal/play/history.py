"""Requests that CloudWatch remembers of hours which no rehearsal plays.

Refuses to own the form of metrics (world/metrics.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rehearsal.play.brownfield import tags_of
from rehearsal.world.metrics import NAMESPACE, POINTS_PER_CALL, past
from settings.owner import CLUSTER_TAG, ROUTE_TAG

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.engine.sandbox import Sandbox


def tell_the_past(sandbox: Sandbox, cluster: str, pods: int, rates: Callable[[str], list[float]]) -> None:
    """Tell CloudWatch of requests that a cluster had: ``rates`` a second by route, per five minutes, newest first."""
    now, data, elb = datetime.now(UTC), list[dict[str, Any]](), sandbox.aws("elbv2")
    groups = elb.describe_target_groups()["TargetGroups"]
    tags = tags_of(elb, [group["TargetGroupArn"] for group in groups])
    for group in groups:
        marks = tags[group["TargetGroupArn"]]
        had = rates(marks[ROUTE_TAG]) if marks.get(CLUSTER_TAG) == cluster else []
        for balancer in group["LoadBalancerArns"] if any(had) else ():
            data += past(balancer, group["TargetGroupArn"], pods, had, now)
    for first in range(0, len(data), POINTS_PER_CALL):
        sandbox.aws("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data[first : first + POINTS_PER_CALL])
