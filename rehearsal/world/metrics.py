"""What an ALB tells CloudWatch: requests, answers and response times per target group, healthy targets.

Owns the names, the dimension sets and the gaps: what did not happen has no data point. Left out are the sets by
Availability Zone. Refuses to own when it is told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rehearsal.cloud.targets import Target

NAMESPACE = "AWS/ApplicationELB"
POINTS_PER_CALL = 500
"""How many data points PutMetricData takes at once."""

_FIVE_MINUTES = 300  # seconds


@dataclass
class _Counts:
    requests: int = 0
    refused: int = 0
    answers: Counter[int] = field(default_factory=Counter[int])
    seconds: list[float] = field(default_factory=list[float])


class Meter:
    """Counts what load balancers do, by (load balancer ARN, target group ARN)."""

    def __init__(self) -> None:
        self._groups: defaultdict[tuple[str, str], _Counts] = defaultdict(_Counts)
        self._own: Counter[str] = Counter()

    def sent(self, balancer: str, group: str) -> None:
        """Count a request for which a target was chosen."""
        self._groups[balancer, group].requests += 1

    def answered(self, balancer: str, group: str, status: int, seconds: float) -> None:
        """Count an answer of a target, as an HTTP status: a gRPC failure is a 200."""
        counts = self._groups[balancer, group]
        counts.answers[status // 100] += 1
        counts.seconds.append(seconds)

    def refused(self, balancer: str, group: str) -> None:
        """Count a connection that a target did not take."""
        self._groups[balancer, group].refused += 1

    def failed(self, balancer: str) -> None:
        """Count a 502, 503 or 504 of the load balancer itself, which AWS blames on no target group."""
        self._own[balancer] += 1

    def take(self, at: datetime, targets: Mapping[str, int]) -> list[dict[str, Any]]:
        """Return the data points of the period that ends now and begins at ``at``, and count from zero again.

        ``targets`` are how many each group has, by ARN.
        """
        groups, own = self._groups, self._own
        self._groups, self._own = defaultdict(_Counts), Counter()
        data: list[dict[str, Any]] = []
        for balancer in sorted({balancer for balancer, _ in groups} | set(own)):
            here = [(group, counts) for (of, group), counts in sorted(groups.items()) if of == balancer]
            for group, counts in here:
                data += _traffic(dimensions(balancer, group), counts, at)
                each = counts.requests / max(1, targets.get(group, 0))
                data.append(_count("RequestCountPerTarget", each, dimensions(balancer, group), at))
            data += _traffic(dimensions(balancer), _sum(counts for _, counts in here), at)
            if own[balancer]:
                data.append(_count("HTTPCode_ELB_5XX_Count", own[balancer], dimensions(balancer), at))
        return data


def host_counts(balancer: str, group: str, targets: Iterable[Target], at: datetime) -> list[dict[str, Any]]:
    """Return the data points of how many targets of a group are healthy and how many are not; others are neither."""
    states = Counter(target.state for target in targets)
    names = {"HealthyHostCount": "healthy", "UnHealthyHostCount": "unhealthy"}
    return [_count(name, states[state], dimensions(balancer, group), at) for name, state in names.items()]


def past(balancer: str, group: str, targets: int, rates: Iterable[float], until: datetime) -> list[dict[str, Any]]:
    """Return the data points of a group whose targets have carried a rate in every five minutes ``until`` a moment.

    ``rates`` are requests a second, the newest first. Nobody has to wait a week for a week: the gate judges by it.
    """
    here, data = dimensions(balancer, group), list[dict[str, Any]]()
    newest = int(until.timestamp()) // _FIVE_MINUTES - 1
    for back, rate in enumerate(rates):
        at, requests = datetime.fromtimestamp((newest - back) * _FIVE_MINUTES, UTC), rate * _FIVE_MINUTES
        data += [
            _count(name, number, here, at)
            for name, number in (
                ("RequestCount", requests),
                ("RequestCountPerTarget", requests / targets),
                ("HTTPCode_Target_2XX_Count", requests),
                ("HealthyHostCount", targets),
                ("UnHealthyHostCount", 0),
            )
        ]
    return data


def dimensions(balancer: str, group: str | None = None) -> list[dict[str, str]]:
    """Return the dimensions of a load balancer, or of a target group on it: the ends of their ARNs."""
    of_group = [{"Name": "TargetGroup", "Value": group.rsplit(":", 1)[-1]}] if group else []
    return [*of_group, {"Name": "LoadBalancer", "Value": balancer.split(":loadbalancer/", 1)[-1]}]


def _traffic(where: list[dict[str, str]], counts: _Counts, at: datetime) -> list[dict[str, Any]]:
    data = [_count("RequestCount", counts.requests, where, at)] if counts.requests else []
    data += [_count("TargetConnectionErrorCount", counts.refused, where, at)] if counts.refused else []
    for hundreds, number in sorted(counts.answers.items()):
        data.append(_count(f"HTTPCode_Target_{hundreds}XX_Count", number, where, at))
    if counts.seconds:
        statistics = {
            "SampleCount": len(counts.seconds),
            "Sum": sum(counts.seconds),
            "Minimum": min(counts.seconds),
            "Maximum": max(counts.seconds),
        }
        data.append(
            {
                "MetricName": "TargetResponseTime",
                "Dimensions": where,
                "Timestamp": at,
                "StatisticValues": statistics,
                "Unit": "Seconds",
            }
        )
    return data


def _count(name: str, number: float, where: list[dict[str, str]], at: datetime) -> dict[str, Any]:
    return {"MetricName": name, "Dimensions": where, "Timestamp": at, "Value": number, "Unit": "Count"}


def _sum(several: Iterable[_Counts]) -> _Counts:
    total = _Counts()
    for counts in several:
        total.requests += counts.requests
        total.refused += counts.refused
        total.answers += counts.answers
        total.seconds += counts.seconds
    return total
