"""Plans of the real engine, as their events came, cut down to what `cutover.engine.run` reads of them.

Owns how a plan is kept and played back. Refuses to own how the plans were made (record.py) and what they are worth
(test_judgement.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi.automation import CommandResult, EngineEvent
from pulumi.automation.errors import create_command_error

from cutover.engine.run import watch
from settings.imports import LISTENER_RULE

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutover.rules.run import Run
    from rehearsal.engine.sandbox import Sandbox

_FOLDER = Path(__file__).parent


def play(name: str) -> Run:
    """Return the run that a plan was."""
    lines = (_FOLDER / f"{name}.jsonl").read_text().splitlines()
    events = [EngineEvent.from_json(json.loads(line)) for line in lines]

    def operation(on_event: Callable[[EngineEvent], None]) -> None:
        for event in events:
            on_event(event)
        if any(event.diagnostic_event for event in events):
            raise create_command_error(CommandResult("", "", 255))

    return watch(operation)


def keep(name: str, operation: Callable[..., Any], sandbox: Sandbox) -> Run:
    """Run an operation of the Automation API, and keep its events as a plan; ids of the sandbox are cut out."""
    kept: list[dict[str, Any]] = []

    def tapped(on_event: Callable[[EngineEvent], None]) -> None:
        def both(event: EngineEvent) -> None:
            on_event(event)
            if cut := _cut(event):
                kept.append(cut)

        operation(on_event=both)

    run = watch(tapped)
    # The engine warns in the colour of an error, too.
    events = [event for event in kept if run.failure or "diagnosticEvent" not in event]
    text = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)
    (_FOLDER / f"{name}.jsonl").write_text(text.replace(str(sandbox.folder), "/rehearsal"))
    return run


def _cut(event: EngineEvent) -> dict[str, Any] | None:
    said = event.diagnostic_event
    if said:
        told = {"severity": said.severity, "message": said.message}
        return {"diagnosticEvent": told} if said.severity in {"error", "info#err"} else None
    if event.resource_pre_event is None:
        return None
    metadata = event.resource_pre_event.metadata
    kind, name = metadata.urn.split("::")[2].rsplit("$", 1)[-1], metadata.urn.split("::", 3)[3]
    weighted = kind == LISTENER_RULE and name.endswith("-weighted")
    old, new = _state(metadata.old, weighted=weighted), _state(metadata.new, weighted=weighted)
    if metadata.op.value == "same" and not weighted and old.get("protect") == new.get("protect"):
        return None
    step = {
        "op": metadata.op.value,
        "urn": metadata.urn,
        "keys": metadata.keys,
        "diffs": metadata.diffs,
        "detailedDiff": {
            path: {"diffKind": diff.diff_kind.value} for path, diff in (metadata.detailed_diff or {}).items()
        },
        "old": old,
        "new": new,
    }
    return {"resourcePreEvent": {"metadata": {key: value for key, value in step.items() if value}}}


def _state(state: Any, *, weighted: bool) -> dict[str, Any]:
    if state is None:
        return {}
    read: dict[str, Any] = {"protect": bool(state.protect)}
    if weighted:
        actions = [action for action in (state.inputs or {}).get("actions", []) if "forward" in action]
        groups = [[{"arn": g["arn"], "weight": g["weight"]} for g in a["forward"]["targetGroups"]] for a in actions]
        read["inputs"] = {"actions": [{"forward": {"targetGroups": group}} for group in groups]}
    return read
