"""What one run of the engine did, from the events that it sent: the steps it took, how long, and how it ended.

Refuses to own whether a run may do that (judgement.py, and the rehearsal's migration).
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulumi.automation import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi.automation import EngineEvent

LISTENER_RULE = "aws:lb/listenerRule:ListenerRule"
"""The type of weighted rules and preview rules."""


@dataclass(frozen=True)
class Step:
    """One resource that the engine planned to touch, or touched. ``paths`` are the properties that differ."""

    op: str
    type: str
    name: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """A preview, update or destroy.

    ``kept`` are resources of which only `protect` changes, which the engine counts as untouched.
    ``failure`` is everything that the engine said when it ended in an error, and empty when it did not.
    """

    steps: tuple[Step, ...]
    kept: tuple[Step, ...]
    seconds: float
    failure: str = ""

    def summary(self) -> str:
        """Say in a line what was touched, by operation: the kinds where they are few, else how many."""
        said: list[str] = []
        for op in sorted({step.op for step in self.steps}):
            kinds = Counter(step.type.rsplit(":", 1)[-1] for step in self.steps if step.op == op)
            few = len(kinds) <= 3  # noqa: PLR2004 - what a line has room for
            said += [f"{op} {count} {kind}" for kind, count in kinds.items()] if few else [f"{op} {kinds.total()}"]
        return ", ".join(said) or "nothing"


def watch(operation: Callable[..., Any], **options: Any) -> Run:
    """Run ``stack.preview``, ``stack.up`` or another operation of the Automation API, and tell what it did."""
    steps: list[Step] = []
    kept: list[Step] = []
    said: list[str] = []

    def on_event(event: EngineEvent) -> None:
        if event.resource_pre_event:
            metadata = event.resource_pre_event.metadata
            kind, name = metadata.urn.split("::")[2].rsplit("$", 1)[-1], metadata.urn.split("::", 3)[3]
            paths = tuple(sorted(metadata.detailed_diff or metadata.diffs or ()))
            step = Step(metadata.op.value, kind, name, paths)
            if step.op != "same" and kind != "pulumi:pulumi:Stack":
                steps.append(step)
            elif metadata.old and metadata.new and bool(metadata.old.protect) != bool(metadata.new.protect):
                kept.append(step)
        elif event.diagnostic_event and event.diagnostic_event.severity in {"error", "info#err"}:
            said.append(event.diagnostic_event.message)

    begin = time.monotonic()
    failure = ""
    try:
        operation(on_event=on_event, **options)
    except errors.CommandError as error:
        failure = "".join(said) or str(error)
    return Run(tuple(steps), tuple(kept), time.monotonic() - begin, failure)
