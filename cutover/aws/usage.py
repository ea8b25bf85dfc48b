"""Who still uses a cluster: requests to it in CloudWatch, Karpenter's nodes in EC2, and what runs inside it.

Owns which of a cluster's objects would be missed. Refuses to judge (retire.py), and to know which rules and groups
there are (live.py).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cutover.aws.described import described
from cutover.aws.live import dimensions
from cutover.aws.session import LiveError
from cutover.calls import client, failing_as
from cutover.inside.lists import Inside, InsideError
from cutover.rules.retire import Case, Requests, Word, soak
from settings.bindings import AUTO_MODE, CONTROLLERS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import timedelta

    import boto3

    from cutover.rules.account import Account
    from cutover.rules.found import Found

# Seconds of a data point, the finest first: CloudWatch keeps them for 15, 63 and 455 days.
_PERIODS = (60, 300, 3600)
_POINTS = 1440  # what GetMetricStatistics answers at most
_ALIVE = ("pending", "running", "stopping", "stopped")


class Usage:
    """Reads of one account."""

    def __init__(self, account: boto3.Session) -> None:
        self._cloudwatch: Any = client(account, "cloudwatch")
        self._elb: Any = client(account, "elbv2")
        self._ec2: Any = client(account, "ec2")
        self._eks: Any = client(account, "eks")

    def cluster(self, eks_name: str) -> dict[str, Any] | None:
        """Return what EKS says of a cluster, or None where there is none, or none any more.

        :raises LiveError: AWS could not be read
        """
        with failing_as(LiveError):
            return described(self._eks, eks_name)

    def requests(self, found: Found, cluster: str, until: datetime, over: timedelta) -> list[Requests]:
        """Return what a cluster's groups and their load balancers were asked in the time ``over`` before ``until``.

        :raises LiveError: AWS could not be read
        """
        routes = {arn: group.route for arn, group in found.groups.items() if group.cluster == cluster}
        if not routes or not over:
            return []
        with failing_as(LiveError):
            groups: defaultdict[str, list[str]] = defaultdict(list)
            for group in self._elb.describe_target_groups(TargetGroupArns=list(routes))["TargetGroups"]:
                for balancer in group["LoadBalancerArns"]:
                    groups[balancer].append(group["TargetGroupArn"])
            return [
                Requests(
                    load_balancer=balancer.split("/")[-2],
                    total=self._count(balancer, None, until, over),
                    of_cluster={routes[arn]: self._count(balancer, arn, until, over) for arn in arns},
                )
                for balancer, arns in groups.items()
            ]

    def karpenter_nodes(self, eks_name: str) -> list[str]:
        """Return the instances that Karpenter started for a cluster, which outlive its control plane.

        :raises LiveError: AWS could not be read
        """
        filters = [
            {"Name": "tag-key", "Values": ["karpenter.sh/nodepool"]},
            {"Name": f"tag:kubernetes.io/cluster/{eks_name}", "Values": ["owned"]},
            {"Name": "instance-state-name", "Values": list(_ALIVE)},
        ]
        with failing_as(LiveError):
            pages = self._ec2.get_paginator("describe_instances").paginate(Filters=filters)
            return [
                instance["InstanceId"]
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation["Instances"]
            ]

    def _count(self, balancer: str, group: str | None, until: datetime, over: timedelta) -> int:
        seconds = over.total_seconds()
        answer = self._cloudwatch.get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName="RequestCount",
            Dimensions=dimensions(balancer, group),
            StartTime=until - over,
            EndTime=until,
            Period=next(period for period in _PERIODS if seconds <= period * _POINTS),
            Statistics=["Sum"],
        )
        return int(sum(point["Sum"] for point in answer["Datapoints"]))


def case(
    account: boto3.Session,
    seen: Account,
    cluster: str,
    eks_name: str,
    *,
    stack: str,
    zero_since: datetime | None,
    stays: bool = False,
) -> Case:
    """Return all that speaks for or against taking a cluster away, whether the stack file still has it or not.

    ``stack`` is how `-s` names the stack, ``zero_since`` what `history.zero_since` says. Of a cluster that ``stays``,
    since others made it, nobody is asked what runs in it.

    :raises LiveError: AWS could not be read
    """
    usage, now = Usage(account), datetime.now(UTC)
    left: dict[Word, Sequence[str]] = {}
    unreachable, eks = "", None if stays else usage.cluster(eks_name)
    if eks is not None and eks["status"] != "DELETING":
        try:
            left |= inside(Inside(account, eks_name), seen.found.groups)
        except InsideError as error:
            unreachable = str(error)
    # What EC2 tells is true too where the cluster does not answer, or has forgotten them.
    if not stays:
        left[Word.KARPENTER] = left.get(Word.KARPENTER) or usage.karpenter_nodes(eks_name)
    return Case(
        cluster=cluster,
        stack=stack,
        account=seen,
        now=now,
        zero_since=zero_since,
        requests=usage.requests(seen.found, cluster, now, soak(seen.settings)),
        left=left,
        unreachable=unreachable,
    )


def inside(cluster: Inside, groups: Collection[str]) -> dict[Word, list[str]]:
    """Return the names of what runs in a cluster and would be missed, or would outlive it.

    ``groups`` are the stack's target groups, by ARN: what is bound to others is somebody else's to miss.

    :raises InsideError: the cluster could not be asked
    """
    with failing_as(InsideError):
        return _inside(cluster, groups)


def _inside(cluster: Inside, groups: Collection[str]) -> dict[Word, list[str]]:
    jobs = [job for job in cluster.list("/apis/batch/v1/jobs") if job.get("status", {}).get("active")]
    crons = [cron for cron in cluster.list("/apis/batch/v1/cronjobs") if not cron["spec"].get("suspend")]
    services = cluster.list("/api/v1/services")
    volumes = cluster.list("/api/v1/persistentvolumes")
    bindings = [*cluster.list(CONTROLLERS.path), *cluster.list(AUTO_MODE.path)]
    return {
        Word.KARPENTER: _names(cluster.list("/apis/karpenter.sh/v1/nodeclaims")),
        Word.LOAD_BALANCERS: _names([one for one in services if one["spec"].get("type") == "LoadBalancer"]),
        Word.VOLUMES: _names([one for one in volumes if one.get("status", {}).get("phase") == "Bound"]),
        Word.JOBS: _names([*jobs, *crons]),
        Word.BINDINGS: _names([one for one in bindings if one["spec"].get("targetGroupARN") not in groups]),
    }


def _names(objects: list[dict[str, Any]]) -> list[str]:
    found = [(one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects]
    return [f"{namespace}/{name}" if namespace else name for namespace, name in found]
