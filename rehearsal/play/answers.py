"""What clients saw: every answer of a rehearsal, counted by step, and whether the split is the one that was wanted.

Pure. Refuses to own how answers are got (load.py) and which step is which.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from statistics import NormalDist, quantiles
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SIGMAS = 5
_IMPROBABLE = NormalDist().cdf(-_SIGMAS)
_LEAST_FOR_QUANTILES = 2


class Answer(NamedTuple):
    """One answer, or the lack of one.

    ``time`` is the epoch second in which the request went out, ``kind`` "http", "grpc", "answer" (of the load balancer
    itself) or "stream" (a message of one, or its end where that is a failure). ``cluster`` is the key of the cluster
    that answered, empty where the load balancer or nobody did; ``group`` the target group that the load balancer had
    chosen, where it said so. ``status`` is the HTTP status or the gRPC code, None where there was no answer; ``error``
    then says why, or why another answer was expected.
    """

    time: float
    step: str
    route: str
    kind: str
    cluster: str
    group: str
    status: int | None
    error: str
    seconds: float

    @property
    def told(self) -> str:
        """The answer in words, for whoever reads why a rehearsal failed."""
        who = self.cluster or self.group or "nobody"
        return f"answered by {who} with {self.error or self.status} ({self.kind}, route {self.route})"

    @property
    def failed(self) -> bool:
        """Whether a client would call it a failure."""
        if self.status is None:
            return True
        if self.kind == "answer":
            return bool(self.error)
        return self.status != 0 if self.kind != "http" else not 200 <= self.status < 400  # noqa: PLR2004


@dataclass(frozen=True)
class Tally:
    """The answers of one step. ``shares`` counts requests, without streams, by route and cluster that answered.

    ``seconds`` are the median and the 99th percentile of the time that a cluster took for a request.
    """

    requests: int
    shares: Mapping[str, Mapping[str, int]]
    statuses: Mapping[tuple[str, int | None], int]
    failures: tuple[Answer, ...]
    seconds: Mapping[str, tuple[float, float]]


def by_step(answers: Iterable[Answer]) -> dict[str, Tally]:
    """Return a tally per step, in the order of the first answers."""
    steps: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        steps[answer.step].append(answer)
    return {step: tally(some) for step, some in steps.items()}


def tally(answers: Iterable[Answer]) -> Tally:
    """Count answers."""
    shares: defaultdict[str, Counter[str]] = defaultdict(Counter)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    statuses: Counter[tuple[str, int | None]] = Counter()
    failures: list[Answer] = []
    requests = 0
    for answer in answers:
        statuses[answer.kind, answer.status] += 1
        if answer.failed:
            failures.append(answer)
        if answer.kind == "stream":
            continue
        requests += 1
        if answer.cluster:
            shares[answer.route][answer.cluster] += 1
            seconds[answer.cluster].append(answer.seconds)
    return Tally(
        requests, shares, statuses, tuple(failures), {cluster: _middle_and_tail(of) for cluster, of in seconds.items()}
    )


def split_faults(observed: Mapping[str, int], weights: Mapping[str, int]) -> list[str]:
    """Say which clusters got a share that their weight does not explain: beyond 5 sigma of the binomial distribution.

    ``observed`` counts answers by cluster. The exact tail is compared with that of the normal distribution at 5 sigma,
    because for a weight of 1 % the two are far apart. A cluster of weight 0 gets nothing.
    """
    total, whole = sum(observed.values()), sum(weights.values())
    faults: list[str] = []
    for cluster in sorted(observed.keys() | weights.keys()):
        found, share = observed.get(cluster, 0), weights.get(cluster, 0) / whole
        if _tail(found, total, share) < _IMPROBABLE:
            faults.append(
                f"{cluster} gave {found} of {total} answers, which its weight of {weights.get(cluster, 0)} in {whole} "
                f"does not explain: {total * share:.0f} were to be expected"
            )
    return faults


def telling(weights: Mapping[str, int]) -> int:
    """Return of how many answers none from the cluster with the least weight would be as improbable as 5 sigma."""
    share = min(weight for weight in weights.values() if weight) / sum(weights.values())
    return 1 if share == 1 else math.ceil(math.log(_IMPROBABLE) / math.log1p(-share))


def _tail(found: int, total: int, share: float) -> float:
    """Return how probable it is to be as far from the mean as ``found`` is, on that side."""
    if share in {0, 1}:
        return 1.0 if found == total * share else 0.0
    further = range(found, total + 1) if found > total * share else range(found + 1)
    constant = math.lgamma(total + 1)
    return math.fsum(
        math.exp(
            constant
            - math.lgamma(number + 1)
            - math.lgamma(total - number + 1)
            + number * math.log(share)
            + (total - number) * math.log1p(-share)
        )
        for number in further
    )


def _middle_and_tail(seconds: list[float]) -> tuple[float, float]:
    if len(seconds) < _LEAST_FOR_QUANTILES:
        return seconds[0], seconds[0]
    cuts = quantiles(seconds, n=100)
    return cuts[49], cuts[98]
