"""What somebody has confirmed is what is done: between a judgement and the act the file and AWS may change.

Owns what counts as a change, and how a command ends that finds one. A rollback is never stopped by any: it asks again
(commands/rollback.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutover.commands.terminal import Code, stop
from cutover.rules.shift import live_weights, said

if TYPE_CHECKING:
    from cutover.engine.project import Project
    from cutover.rules.found import Found


@dataclass(frozen=True)
class Confirmed:
    """What a judgement was made on: the content of the stack file, and what AWS had."""

    file: bytes
    found: Found

    def check(self, here: Project, found: Found) -> None:
        """End the command where either is another now."""
        changed = [f"{here.file_name} has been edited"] if here.content() != self.file else []
        if changed := [*changed, *changes(self.found, found)]:
            listed = "\n".join(f"  {one}" for one in changed)
            stop(
                Code.BUSY,
                f"What was judged and shown is so no longer:\n{listed}\nNothing was changed by this command. Look with "
                f"cutover status -s {here.named}, then run the same again",
            )


def changes(then: Found, now: Found) -> list[str]:
    """Return what has changed in AWS, a line for each rule and for the hold."""
    before, after = live_weights(then), live_weights(now)
    changed = [
        f"{route}: AWS had {_said(before.get(route))}, and has {_said(after.get(route))}"
        for route in sorted(before.keys() | after.keys())
        if before.get(route) != after.get(route)
    ]
    if then.hold != now.hold:
        changed.append(f"{now.hold} holds the weights" if now.hold else f"the hold of {then.hold} is lifted")
    return changed


def _said(weights: dict[str, int] | None) -> str:
    return "no rule" if weights is None else said(weights) or "none that it forwards to"
