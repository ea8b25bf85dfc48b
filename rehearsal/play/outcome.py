"""How an act went: what its plan did, what clients saw, and what of both is a fault.

Pure: it is given what was seen. Refuses to own what an act promises (acts.py) and how shares are compared (answers.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutover.rules.run import Run
from rehearsal.play.answers import Answer, split_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rehearsal.play.acts import Act
    from rehearsal.play.answers import Tally
    from rehearsal.play.destinations import Destination

NO_KILL = ("", math.inf)
_NEARLY = 0.9


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an act went. ``faults`` is empty when everything held that the act promises.

    ``same_for_clients`` tells whether load balancers and DNS records are still those of the first act, ``began`` the
    epoch second in which it began. ``seen`` is what clients saw after the move, when the split is ``weights``, and
    ``moving`` while it went on.
    """

    title: str
    run: Run
    faults: tuple[str, ...]
    same_for_clients: bool
    weights: Mapping[str, int]
    began: float
    moving: Tally
    seen: Tally

    @property
    def failures(self) -> int:
        """Requests that failed in the act, those of a killed cluster too."""
        return len(self.moving.failures) + len(self.seen.failures)


def died_with(failure: Answer, cluster: str, second: float) -> bool:
    """Tell whether a cluster that was killed at an epoch second was answering a request that failed."""
    return bool(cluster) and cluster in failure.cluster + failure.group and failure.time + failure.seconds >= second


def plan_faults(act: Act, run: Run) -> list[str]:
    """Return what a plan touched that the act does not let it touch, or what the gate did not say."""
    if act.refused:
        return [] if act.refused in run.failure else [f"the gate did not say: {act.refused}. It said: {run.failure}"]
    return [run.failure] if run.failure else act.faults(run)


def losses(act: Act, moving: Tally, held: Tally, kill: tuple[str, float] = NO_KILL) -> list[str]:
    """Return what was lost. A killed cluster excuses what went to its own groups, while it has a weight.

    ``kill`` names the cluster that is killed after the act, and when (epoch): what it was answering then is its.
    """
    excusable, lost = list(moving.failures), list(held.failures)
    if act.weights.get(act.dying):
        excusable, lost = [*excusable, *lost], []
    lost += [failure for failure in excusable if not act.dying or act.dying not in failure.cluster + failure.group]
    lost = [failure for failure in lost if not died_with(failure, *kill)]
    return [f"{len(lost)} requests were lost in {act.title}, the first {lost[0].told}"] if lost else []


def share_faults(act: Act, held: Tally, to: Iterable[Destination]) -> list[str]:
    """Return the routes that answered nobody, and those whose split is not that of the weights."""
    if act.weights.get(act.dying):
        return []
    found = [f"{one.route}: nobody was answered" for one in to if one.route not in held.shares]
    found += [
        f"{one} has a weight of {act.weights[one]} and gave no answer of {held.requests}" for one in unseen(act, held)
    ]
    for route, observed in held.shares.items():
        found += [f"{route}: {fault}" for fault in split_faults(observed, act.weights)]
    return found


def unseen(act: Act, held: Tally) -> list[str]:
    """Return the clusters with a weight that have answered nothing in any route, but for one that is dead."""
    answered = {cluster for shares in held.shares.values() for cluster in shares}
    return [one for one, weight in act.weights.items() if weight and one not in answered and one != act.dying]


def rate_faults(asked: float, wanted: float) -> list[str]:
    """Say where clients have asked less often than they were to, both in requests per second."""
    if asked >= _NEARLY * wanted:
        return []
    return [
        f"clients have asked {asked:.0f} requests/s, and {wanted:g} were to be asked: fewer than that have seen "
        f"whether anything is lost. Run it where nothing else runs, or with --rate {max(1, int(asked))}"
    ]
