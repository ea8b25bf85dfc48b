"""What target groups had in a window of whole minutes: requests, failures and response times. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True)
class Traffic:
    """What a target group had in a window, or a load balancer, whose failures are those that it answered itself.

    ``latency`` is the p99 of its response times in seconds, as a mean of the minutes by their requests; None without.
    """

    requests: int = 0
    failures: int = 0
    latency: float | None = None


@dataclass(frozen=True)
class Reading:
    """Traffic by the ARNs of target groups and of load balancers."""

    groups: Mapping[str, Traffic]
    balancers: Mapping[str, Traffic]


def together(several: Iterable[Traffic]) -> Traffic:
    """Return the traffic of several groups as one: sums, and the mean of the p99 by requests."""
    all_of_them = list(several)
    return Traffic(
        sum(traffic.requests for traffic in all_of_them),
        sum(traffic.failures for traffic in all_of_them),
        mean([(one.latency, one.requests) for one in all_of_them if one.latency is not None]),
    )


def mean(weighed: Sequence[tuple[float, int]]) -> float | None:
    """Return the mean of (value, how often); None of nothing."""
    total = sum(weight for _, weight in weighed)
    return sum(value * weight for value, weight in weighed) / total if total else None
