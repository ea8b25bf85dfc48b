"""A stack that stands on the real engine, and what a test does to it: preview an edit, or apply one."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutover.run import watch
from rehearsal import stackfile

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from pulumi.automation import Stack

    from cutover.run import Run
    from rehearsal.sandbox import Sandbox


@dataclass(frozen=True)
class Standing:
    """A stack of the rehearsal that stands as its stack file says, and whose file a test may edit for a while."""

    sandbox: Sandbox
    name: str
    stack: Stack

    @contextmanager
    def edited(self, change: Callable[[stackfile.Config], None]) -> Generator[None]:
        """Change the stack file for the length of a block."""
        path = self.sandbox.project / f"Pulumi.{self.name}.yaml"
        before = path.read_text()
        try:
            stackfile.edit(self.sandbox.project, self.name, change)
            yield
        finally:
            path.write_text(before)

    def preview(self, change: Callable[[stackfile.Config], None] = lambda _: None) -> Run:
        """Preview an edit of the stack file, and leave the file as it was."""
        with self.edited(change):
            return watch(self.stack.preview)

    def up(self, change: Callable[[stackfile.Config], None] = lambda _: None) -> Run:
        """Apply an edit of the stack file, and leave the file as it was."""
        with self.edited(change):
            return watch(self.stack.up)

    @property
    def config(self) -> stackfile.Config:
        """The configuration as it stands in the file."""
        return stackfile.read(self.sandbox.project, self.name)
