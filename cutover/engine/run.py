"""What one run of the engine did, from the events that it sent: the steps it took, how long, and how it ended.

Refuses to own whether a run may do that (judgement.py, and the rehearsal's migration).
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulumi.automation.errors import CommandError

from cutover.calls import told
from cutover.rules.run import Run, Step, Weights
from settings.imports import LISTENER_RULE, TARGET_GROUP
from settings.nodes import NODE_GROUP
from settings.owner import CLUSTER_TAG
from settings.values import KEY_FORM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulumi.automation import EngineEvent
    from pulumi.automation.events import StepEventMetadata


_STACK = "::::pulumi:pulumi:Stack"  # under which the engine shows what a program says of no resource

# What the engine says of each component that was being made when it stopped for another reason.
_ECHO = "grpc: the client connection is closing"

# Whether a run lives that holds a lock is known to lock.py, and not to the engine.
_CANCEL = re.compile(r"\. Either wait for the other process\(es\) to end or delete the lock file with `pulumi cancel`")


def watch(operation: Callable[..., Any], keys: Iterable[str] = (), **options: Any) -> Run:
    """Run ``stack.preview``, ``stack.up`` or another operation of the Automation API, and tell what it did.

    ``keys`` are those of clusters that are known; those that its target groups tell are known besides.
    """
    notes = _Notes(keys)
    begin = time.monotonic()
    failure = ""
    try:
        operation(on_event=notes.take, **options)
    except Exception as error:  # the SDK lets through whatever reading the CLI's answer raises
        failure = (isinstance(error, CommandError) and plain(notes.said)) or said_why(error, operation.__name__)
    if notes.lost and not failure:  # then what is noted is not all that the run did
        failure = said_why(notes.lost, operation.__name__)
    seconds, warned = time.monotonic() - begin, tuple(dict.fromkeys(notes.warned))
    free = frozenset(key for key in notes.keys if not KEY_FORM.fullmatch(key))
    steps, kept = (tuple(replace(step, keys=free) for step in some) for some in (notes.steps, notes.kept))
    return Run(steps, kept, seconds, failure, notes.forwards, warned, free, frozenset(notes.sealed))


def said_why(error: Exception, asked: str) -> str:
    """Say why the CLI did not do what it was ``asked``: in its own words without the SDK's frame, else in a line."""
    if isinstance(error, CommandError):
        return plain([str(error).partition("stderr:")[2].strip().removeprefix("error: ") or str(error)])
    return f"pulumi {asked}: {told(error)}"


def plain(messages: Iterable[str]) -> str:
    """Return messages of the engine, each once however many resources have it, without advice to end who has a lock."""
    once: dict[frozenset[str], str] = {}
    for message in messages:
        once.setdefault(frozenset(message.split("\n")), message)  # each rule that the gate stops begins with its route
    return _CANCEL.sub("", "".join(once.values()))


class _Notes:
    """What the events of a run have said so far."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = set(keys)
        self.steps: list[Step] = []
        self.kept: list[Step] = []
        self.said: list[str] = []
        self.warned: list[str] = []
        self.lost: Exception | None = None  # what an event that could not be read has raised; the SDK only warns of it
        self.forwards: dict[str, tuple[Weights, Weights]] = {}
        self.sealed: set[str] = set()

    def take(self, event: EngineEvent) -> None:
        if event.resource_pre_event:
            try:
                self._step(event.resource_pre_event.metadata)
            except Exception as error:
                self.lost = error
        elif (said := event.diagnostic_event) and said.severity in {"error", "info#err"} and _ECHO not in said.message:
            self.said.append(said.message)
        elif said and said.severity == "warning" and (said.urn or _STACK).split("::")[2:3] == _STACK.split("::")[2:3]:
            self.warned.append(said.message.strip())

    def _step(self, metadata: StepEventMetadata) -> None:
        old, new = metadata.old, metadata.new
        was, becomes = bool(old and old.protect), bool(new and new.protect)
        kind, name = metadata.urn.split("::")[2].rsplit("$", 1)[-1], metadata.urn.split("::", 3)[3]
        step = Step(
            metadata.op.value,
            kind,
            name,
            paths=tuple(sorted(metadata.detailed_diff or metadata.diffs or ())),
            urn=metadata.urn,
            causes=tuple(sorted(metadata.keys or ())),
            protected=was,
            lifted=was and new is not None and not becomes,
            emptied=kind == NODE_GROUP and _size(new or old) == 0,
        )
        if step.op != "same" and kind != "pulumi:pulumi:Stack":
            self.steps.append(step)
        elif old and new and was != becomes:
            self.kept.append(step)
        for state in (old, new) if kind == TARGET_GROUP else ():
            self.keys |= {(state.inputs or {}).get("tags", {}).get(CLUSTER_TAG)} - {None} if state else set()
        if kind == LISTENER_RULE and name.endswith("-weighted"):
            self.sealed |= {name} if old and _are_sealed(old) else set()
            _, after = self.forwards.get(name, ((), ()))
            self.forwards[name] = (_weights(old), after if step.op == "delete-replaced" else _weights(new))


def _size(state: Any) -> Any:
    return (state.inputs or {}).get("scalingConfig", {}).get("desiredSize") if state else None


def _are_sealed(state: Any) -> bool:
    """Tell whether the actions of a rule are a secret, all of them.

    The engine makes them one where it reads them back, for the secret of a login: a refresh does (ADR 26).
    """
    return isinstance((state.inputs or {}).get("actions"), dict)


def _weights(state: Any) -> Weights:
    actions = (state.inputs or {}).get("actions", []) if state and not _are_sealed(state) else []
    groups = [group for action in actions for group in action.get("forward", {}).get("targetGroups", [])]
    return tuple((str(group["arn"]), int(group["weight"])) for group in groups)
