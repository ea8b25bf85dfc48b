"""What seven days of CloudWatch prove of a route: what one target has carried well, and how much asks for it now.

Pure. Owns which five minutes count, and what is made of them. Refuses to own how they are read (buckets.py), and what
may be done on their strength (gate.py).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

SECONDS = 300
"""The length of a bucket, in seconds: CloudWatch keeps five minutes for weeks, a minute for fifteen days."""

WEEK = timedelta(days=7)
"""How far back there is evidence. What is older was carried by another version of the program."""

_LATELY = 3  # full buckets, of which the busiest is the rate of now: CloudWatch may still be counting the newest
_HOUR = timedelta(hours=1)
_ENOUGH = 100  # requests, without which a part of them is chance
_FAILING = 0.05  # of the requests of a bucket in which a group was not well
_MANY_FAILURES = 10  # in an hour, of a group that has less than `_ENOUGH` requests
_UNHEALTHY = 0.2  # of the targets of a bucket in which a group was not well


@dataclass(frozen=True)
class Bucket:
    """Five minutes of a target group.

    ``requests`` are those that a target was chosen for, ``per_target`` the average of its targets, ``failures`` the
    targets' 5xx and the connections that they refused, ``healthy`` and ``unhealthy`` how many targets there were.
    """

    requests: float = 0
    per_target: float = 0
    failures: float = 0
    healthy: float = 0
    unhealthy: float = 0

    @property
    def answered(self) -> bool:
        """Whether requests came, and nearly all of them were answered without failure."""
        return self.requests > 0 and self.failures <= _FAILING * self.requests

    @property
    def well(self) -> bool:
        """Whether what was carried in it was carried well, and proves something."""
        return self.answered and self.unhealthy <= _UNHEALTHY * (self.healthy + self.unhealthy)


@dataclass(frozen=True)
class Carried:
    """Requests a second in the five minutes from ``at`` on, and the target group that had them, by ARN."""

    rate: float
    at: datetime
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is proven of a route.

    ``rate`` is what asks for it now, in requests a second, ``busiest`` the same in the week's busiest bucket. ``own``
    is the most that one target of a group has carried, by ARN, ``best`` the same over all groups, and ``part`` the
    largest part of the route, above 0 and up to 1, that one target had. ``seen`` is the largest part that a whole group
    had. ``failing`` are groups that failed in all of the last hour, while another one did not. ``idle``: in no bucket
    were there enough requests to say any of it.
    """

    rate: float
    busiest: Carried
    own: Mapping[str, Carried]
    best: Carried
    part: float
    seen: Mapping[str, float]
    failing: frozenset[str] = frozenset()
    idle: bool = False


class Unproven(Exception):  # noqa: N818 - an answer that the gate can live with, and no error
    """The last seven days prove nothing of a route. The text says why, as a clause."""


def evidence(groups: Mapping[str, Mapping[datetime, Bucket]], now: datetime) -> Evidence:
    """Return what the buckets of a route's target groups prove, by ARN and the moment in which each begins.

    :raises Unproven: CloudWatch knows nothing of them, or they were never well
    """
    full = now - timedelta(seconds=SECONDS)
    known = {arn: {at: one for at, one in had.items() if at <= full} for arn, had in groups.items()}
    if not any(known.values()):
        raise Unproven("CloudWatch has nothing of the route yet")
    totals: defaultdict[datetime, float] = defaultdict(float)
    for had in known.values():
        for at, one in had.items():
            totals[at] += one.requests
    at = max(totals, key=lambda at: totals[at])
    busiest = Carried(totals[at] / SECONDS, at)
    lately = now - timedelta(seconds=SECONDS * (_LATELY + 1))
    # Host counts come with or without requests: where nothing came lately, CloudWatch lags, and the worst is assumed.
    rate = max((requests for at, requests in totals.items() if at > lately), default=totals[at]) / SECONDS
    own = {arn: most for arn, had in known.items() if (most := _most(arn, had))}
    parts, seen = _parts(known, totals)
    idle = totals[at] < _ENOUGH
    if not idle and not parts:
        raise Unproven("every group failed too often in all of the last seven days")
    best = max(own.values(), key=lambda one: one.rate, default=Carried(0.0, at))
    return Evidence(
        rate=rate, busiest=busiest, own=own, best=best, part=parts, seen=seen, failing=_failing(known, now), idle=idle
    )


def _most(arn: str, had: Mapping[datetime, Bucket]) -> Carried | None:
    well = {at: one.per_target for at, one in had.items() if one.well and one.per_target > 0}
    at = max(well, key=lambda at: well[at], default=None)
    return None if at is None else Carried(well[at] / SECONDS, at, arn)


def _failing(groups: Mapping[str, Mapping[datetime, Bucket]], now: datetime) -> frozenset[str]:
    """Return the groups that fail while another does not; where all of them fail, it is what they share."""
    hour = {arn: [one for at, one in had.items() if at > now - _HOUR and one.requests] for arn, had in groups.items()}
    well = {arn for arn, had in hour.items() if any(one.answered for one in had)}
    ill = frozenset(arn for arn in hour.keys() - well if _is_no_chance(hour[arn]))
    return ill if well else frozenset()


def _is_no_chance(had: Collection[Bucket]) -> bool:
    """Tell whether so many failed that it cannot be chance: of few requests it must be most."""
    requests, failures = sum(one.requests for one in had), sum(one.failures for one in had)
    return requests >= _ENOUGH or (failures >= _MANY_FAILURES and failures >= requests / 2)


def _parts(
    groups: Mapping[str, Mapping[datetime, Bucket]], totals: Mapping[datetime, float]
) -> tuple[float, dict[str, float]]:
    """Return the largest part of the route that one target had, and that each group had, by ARN."""
    part, seen = 0.0, dict.fromkeys(groups, 0.0)
    for window in _windows(totals):
        total = sum(totals[at] for at in window)
        for arn, had in groups.items():
            well = [one for at in window if (one := had.get(at)) and one.well]
            part = max(part, sum(one.per_target for one in well) / total)
            seen[arn] = max(seen[arn], sum(one.requests for one in well) / total)
    return min(part, 1.0), seen


def _windows(totals: Mapping[datetime, float]) -> Iterator[list[datetime]]:
    """Yield buckets that follow each other, as many together as have enough requests to tell a part of them."""
    window: list[datetime] = []
    requests = 0.0
    for at in sorted(totals):
        window.append(at)
        requests += totals[at]
        if requests >= _ENOUGH:
            yield window
            window, requests = [], 0.0
