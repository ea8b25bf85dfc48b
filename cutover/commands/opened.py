"""The stack that a command is given: its project, its settings, AWS as its provider reaches it, and how it tells.

Nothing is read before it is asked for. Owns what more than one command asks before anything moves, and how a command
ends where the answer is no. Refuses to own questions, plans and words of a single command.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cutover.aws.live import Live
from cutover.aws.session import session
from cutover.commands.terminal import Code, documented, project, show_json, stop
from cutover.rules.missing import missing
from cutover.rules.shift import ShiftError, not_forwarding

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    import boto3

    from cutover.engine.project import Project
    from cutover.rules.found import Found
    from cutover.rules.move import Hold
    from settings import Settings


@dataclass
class Opened:
    """A stack in the hands of the command ``kind``."""

    kind: str
    project: Project

    @property
    def named(self) -> str:
        """How `-s` names the stack."""
        return self.project.named

    @property
    def file_name(self) -> str:
        """The stack file, as it is called from the project's folder."""
        return self.project.file_name

    @cached_property
    def settings(self) -> Settings:
        """The stack file, as it was when it was first asked for."""
        return self.project.settings()

    @cached_property
    def account(self) -> boto3.Session:
        """AWS with the stack's credentials.

        :raises LiveError: there are none, or not of its account
        """
        return session(self.settings.aws)

    @cached_property
    def live(self) -> Live:
        """What is true in AWS of the stack."""
        return Live(self.account, self.project.owner)

    def renew(self) -> None:
        """Forget the credentials: a command may take longer than those of a role last."""
        for kept in ("account", "live"):
            self.__dict__.pop(kept, None)

    def reread(self) -> Settings:
        """Return the stack file as it is now, and go by it from here on.

        :raises ProjectError: the engine cannot read it
        :raises SettingsError: it says something wrong
        """
        self.settings = self.project.settings()
        return self.settings

    def show(self, document: Mapping[str, Any]) -> None:
        """Print the command's one JSON document."""
        show_json(self.kind, document)

    def check_settled(self) -> None:
        """End a command that would build upon what another has left in the stack file that was killed."""
        if unconfirmed := self.project.unconfirmed():
            stop(
                Code.REFUSED,
                f"{unconfirmed}\nNothing was changed by this command: settle that, then run the same again",
            )

    def check_free(self, hold: Hold | None) -> None:
        """End the command where a hold stands, or somebody is at work on the state."""
        if hold is not None:
            stop(
                Code.BUSY,
                f"{hold} holds the weights. Nothing was changed. Once the reason is gone: cutover release -s "
                f"{self.named}",
            )
        if lock := self.project.locked():
            stop(
                Code.BUSY,
                f"the stack is locked by {lock}. Nothing was changed. {lock.cure(self.named)}; then look with cutover "
                f"status -s {self.named}, and run the same again",
            )

    def check_forwarding(self, found: Found) -> None:
        """Refuse where a weighted rule forwards to nothing: it is neither missing nor at weight 0."""
        if text := not_forwarding(found, self.named):
            stop(Code.REFUSED, text)

    def check_whole(self, found: Found) -> None:
        """End the command where AWS lacks what the stack file has: the other routes would move, and not that one."""
        if lacking := missing(self.settings, found, self.named):
            listed = "\n".join(f"  {one}." for one in lacking)
            stop(
                Code.REFUSED,
                f"AWS lacks what {self.file_name} has. Nothing was changed, since it would fail halfway:\n"
                f"{listed}\nThen run the same again. To see more: cutover status -s {self.named}",
            )


@contextmanager
def opened(kind: str, folder: Path, stack: str | None, *, as_json: bool) -> Generator[Opened]:
    """Open the stack that the options name, and turn whatever goes wrong in the block into words and an exit code."""
    with documented(kind, as_json=as_json):
        try:
            yield Opened(kind, project(folder, stack))
        except ShiftError as error:
            stop(Code.USAGE, str(error))
