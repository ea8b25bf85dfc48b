"""The judgement of a promotion: which step is next, whether the new cluster may go on, and what loses requests.

Pure. Refuses to own the numbers (minutes.py), and what is done about a verdict (commands/promote.py).

A cluster passes when it fails no larger share of its requests than the old ones do, ``maxErrorRatio`` aside, and its
p99 is at most ``maxLatencyRatio`` times theirs. What cannot be told is inconclusive, and never a success.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from cutover.rules.shift import ShiftError, shared_out

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence

    from cutover.rules.found import Found
    from cutover.rules.move import Group
    from cutover.rules.traffic import Traffic
    from settings.operation import RolloutMetrics

_SURE = 3  # standard deviations; of counts that come at random, the square root


class Verdict(StrEnum):
    """What a judgement says."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Judgement:
    """A route's verdict and the numbers behind it. ``old`` is None where there is nothing to compare with."""

    route: str
    verdict: Verdict
    said: str
    new: Traffic
    old: Traffic | None


def judge(route: str, new: Traffic, old: Traffic | None, metrics: RolloutMetrics) -> Judgement:
    """Judge a route's new target group by its old ones, over the same window.

    Without ``old`` failures are compared with none at all, and response times are not compared.
    """
    verdict, said = _by_failures(new, old, metrics)
    if verdict is Verdict.PASSED and old is not None and old.latency is not None:
        verdict, times = _by_latency(new.latency, old.latency, metrics.max_latency_ratio)
        said = f"{said}, {times}" if verdict is Verdict.PASSED else times
    return Judgement(route, verdict, said, new, old)


def _by_failures(new: Traffic, old: Traffic | None, metrics: RolloutMetrics) -> tuple[Verdict, str]:
    allowed = metrics.max_error_ratio + (_failing(old) if old else 0.0)
    rate = 1 - _failing(new)
    # Once there are too many failures even for the fewest requests that count, more requests cannot mend it.
    if new.failures / max(new.requests, metrics.min_requests) > allowed:
        return Verdict.FAILED, f"success rate {rate:.2%} < {1 - allowed:.2%}, {new.requests} requests"
    if new.requests < metrics.min_requests:
        return Verdict.INCONCLUSIVE, f"{new.requests or 'no'} requests < {metrics.min_requests}"
    if old is not None and not old.requests:
        return Verdict.INCONCLUSIVE, "no requests to the old clusters, with which to compare"
    return Verdict.PASSED, f"success rate {rate:.2%} >= {1 - allowed:.2%}, {new.requests} requests"


def _by_latency(new: float | None, old: float, ratio: float) -> tuple[Verdict, str]:
    if new is None:
        return Verdict.INCONCLUSIVE, "no response times"
    verdict, sign = (Verdict.FAILED, ">") if new > old * ratio else (Verdict.PASSED, "<=")
    return verdict, f"p99 {_ms(new)} {sign} {ratio:g} x {_ms(old)}"


def disturbed(was: Traffic, now: Traffic) -> str:
    """Say how a load balancer itself fails more requests than it did before the step, or nothing where it does not.

    Which cluster is to blame cannot be told. A count varies by chance, up to three times the root of what is expected.
    """
    expected = _failing(was) * now.requests
    if now.failures <= expected + _SURE * math.sqrt(expected):
        return ""
    return f"the load balancer itself failed {now.failures} requests, {expected:.0f} expected"


def losses(
    found: Found, health: Mapping[str, Group], routes: Iterable[str], new: str, most: MutableMapping[str, int]
) -> list[str]:
    """Say where requests are being lost, or are about to be: a share without a healthy target, or with few of many.

    ``health`` is by target group ARN; one that is not known is no loss. ``most`` are by route the most healthy targets
    that the new cluster has had, and is brought up to date.
    """
    lost: list[str] = []
    for route in (route for route in routes if route in found.rules):
        weights = found.rules[route].weights
        for arn, weight in weights.items():
            seen = health.get(arn)
            if seen is None or seen.unreadable or not seen.checked:
                continue
            percent = f"{100 * weight / (sum(weights.values()) or 1):g} %"
            if weight and not seen.units:
                lost.append(f"{route}: no target of {seen.cluster} is healthy, and it has {percent}")
            if seen.cluster == new:
                most[route] = max(most.get(route, 0), seen.units)
                if weight and 0 < 2 * seen.units < most[route]:
                    left = f"{seen.units} of {most[route]} targets of {new} are left healthy"
                    lost.append(f"{route}: {left}, and it has {percent}")
    return lost


def worse_back(found: Found, health: Mapping[str, Group], routes: Iterable[str], new: str, old: str) -> list[str]:
    """Return the routes that would go back to a cluster without a healthy target from one that has some."""

    def units(route: str, cluster: str) -> int | None:
        seen = health.get(found.group_of(route, cluster) or "")
        return None if seen is None or seen.unreadable or not seen.checked else seen.units

    return [route for route in routes if units(route, old) == 0 and units(route, new)]


def overall(judgements: Iterable[Judgement]) -> Verdict:
    """Return the verdict on all routes: the worst."""
    found = {judgement.verdict for judgement in judgements}
    if Verdict.FAILED in found:
        return Verdict.FAILED
    return Verdict.PASSED if found == {Verdict.PASSED} else Verdict.INCONCLUSIVE


def share(weights: Mapping[str, int], cluster: str) -> Fraction:
    """Return the percent of a route that a cluster has."""
    return Fraction(100 * weights.get(cluster, 0), sum(weights.values()) or 1)


def entry(steps: Sequence[int], shares: Collection[Fraction]) -> tuple[int, bool]:
    """Return the step at which a promotion begins, or goes on, and whether all routes are there already.

    It is the first one that no route is beyond: a step that not all routes took is taken again, and none goes back.
    """
    step = next(step for step in steps if step >= max(shares))
    return step, all(one == step for one in shares)


def weights_at(present: Mapping[str, int], cluster: str, step: int) -> dict[str, int]:
    """Return the weights, of 100, that give a cluster ``step`` percent; the others keep their proportions.

    :raises ShiftError: no other cluster has a weight
    """
    others = {name: weight for name, weight in present.items() if name != cluster and weight}
    if not others and step < 100:  # noqa: PLR2004 - percent
        raise ShiftError(f"no cluster but {cluster} has a weight. Nothing was changed. Look with cutover status")
    rest = shared_out(100 - step, others)
    return {name: step if name == cluster else rest.get(name, 0) for name in present}


def _failing(traffic: Traffic) -> float:
    return traffic.failures / traffic.requests if traffic.requests else 0.0


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
