"""What one run of the engine did: the steps that it took, how long, and how it ended.

Pure. Refuses to own how that is learned (cutover/engine/run.py), and whether a run may do it (judgement.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine sends in place of a value that nobody can know before the update."""


Weights = tuple[tuple[str, int], ...]
"""(target group ARN, weight) in the order of a rule's actions; the ARN of a group to be made is `UNKNOWN`."""


@dataclass(frozen=True)
class Step:
    """One resource that the engine planned to touch, or touched.

    ``paths`` are the properties that differ; an update without any is one whose provider did not say. ``causes`` are
    those that make it a replacement. ``protected`` is whether the state protects the resource, and ``lifted`` whether
    this run takes that away. ``emptied`` is whether it is a node group that has, or
    is to have, no node. ``keys`` are those of clusters that the form of a key does not tell in a name.
    """

    op: str
    type: str
    name: str
    paths: tuple[str, ...] = ()
    urn: str = ""
    causes: tuple[str, ...] = ()
    protected: bool = False
    lifted: bool = False
    emptied: bool = False
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Run:
    """A preview, update or destroy.

    ``kept`` are resources of which only `protect` changes, which the engine counts as untouched. ``failure`` is
    everything that the engine said when it ended in an error, and empty when it did not. ``forwards`` are the weights
    of all weighted rules by name, in the state and after the run, those that it leaves alone too. ``warnings`` are what
    the program itself warns of, ``keys`` those of each step. ``sealed`` are the names of weighted rules whose weights
    in the state nobody can read but the engine: in ``forwards`` they have none.
    """

    steps: tuple[Step, ...]
    kept: tuple[Step, ...]
    seconds: float
    failure: str = ""
    forwards: Mapping[str, tuple[Weights, Weights]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()
    sealed: frozenset[str] = frozenset()

    def summary(self) -> str:
        """Say in a line what was touched, by operation: the kinds where they are few, else how many."""
        said: list[str] = []
        for op in sorted({step.op for step in self.steps}):
            kinds = Counter(step.type.rsplit(":", 1)[-1] for step in self.steps if step.op == op)
            few = len(kinds) <= 3  # noqa: PLR2004 - what a line has room for
            said += [f"{op} {count} {kind}" for kind, count in kinds.items()] if few else [f"{op} {kinds.total()}"]
        return ", ".join(said) or "nothing"
