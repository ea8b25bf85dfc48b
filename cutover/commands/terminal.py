"""How the command line speaks: results on stdout, everything else on stderr, and what each exit code means.

Owns streams, exit codes, and the frame around JSON. Refuses to own what is said.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from cutover import calls, ending
from cutover.calls import OutsideError
from cutover.engine.project import Project
from cutover.engine.stack_file import BusyError, EngineError, ProjectError
from settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

SHAPE = 2
"""The version of every JSON document. It grows when a key changes its meaning or goes; new keys do not change it."""


class _Console(Console):
    """A console that nothing waits for: a closed pipe, a dead terminal or a full disk ends no command midway.

    Nor does a letter that the stream's encoding does not have: it is escaped.
    ``lost`` is why something could not be written, but for a reader that has gone on purpose. ``shown`` is whether a
    command has printed its JSON.
    """

    lost: OSError | None = None
    shown: bool = False

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, or be quiet from now on."""
        try:
            if isinstance(self.file, io.TextIOWrapper) and self.file.errors == "strict":
                self.file.reconfigure(errors="backslashreplace")
            super().print(*objects, **options)
        except OSError as error:
            self.lost = error
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Be quiet from now on; what is buffered still goes nowhere."""
        self.quiet = True
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


results = _Console(highlight=False, soft_wrap=True)
messages = _Console(stderr=True, highlight=False, soft_wrap=True)


class Code(IntEnum):
    """What an exit code tells a script."""

    DONE = 0
    REFUSED = 1  # what was asked for is not safe, or a judgement failed; nothing was moved
    USAGE = 2  # the command, the project or the stack file is wrong; nothing was done
    FAILED = 3  # AWS or the engine did not do what was asked of it; the text says how far it came
    BUSY = 4  # somebody else is at work: a lock, or a hold
    ROLLED_BACK = 5  # the weights went back, and stay there
    UNFINISHED = 6  # traffic is where it was to be; stack file, state or hold are not, and the text says what ends it
    UNREAD = 7  # nothing bad was found, and not everything could be read
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


_OF_SIGNALS: dict[int, Code] = {signal.SIGHUP: Code.HUNG_UP, signal.SIGTERM: Code.TERMINATED}


StackOption = Annotated[
    str | None, typer.Option("--stack", "-s", metavar="STACK", help="The stack, else the selected one.")
]
FolderOption = Annotated[
    Path,
    typer.Option("--cwd", "-C", metavar="FOLDER", exists=True, file_okay=False, help="Where the project is."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def say(text: str, style: str = "") -> None:
    """Tell the user something that is no result."""
    messages.print(text, style=style, markup=False)


class _StoppedError(typer.Exit):
    """The end of a command by an error, and what it said."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(code)
        self.text = text


def stop(code: Code, text: str) -> NoReturn:
    """End the command with an error: what is wrong, what would have happened, what to do now."""
    say(text, "red")
    raise _StoppedError(code, text)


def show_json(kind: str, document: Mapping[str, Any]) -> None:
    """Print a result as JSON: the document with its ``kind`` and the version of its shape."""
    results.shown = True
    results.print(json.dumps({"kind": kind, "shape": SHAPE, **document}, indent=2), markup=False)


def attended() -> bool:
    """Tell whether somebody is here who sees a question, and can answer it."""
    return messages.is_terminal and bool(sys.stdin) and sys.stdin.isatty()


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something moves. Where nobody can answer, the answer must stand in the command."""
    if yes:
        return
    if not attended():
        stop(Code.USAGE, f"{question} Nobody is here to answer: run it again with --yes")
    if not typer.confirm(question, err=True):
        stop(Code.REFUSED, "Nothing was changed.")


@contextmanager
def documented(kind: str, *, as_json: bool) -> Generator[None]:
    """Do as `told`, and print a document of the failure where a command that owes JSON ends without its own."""
    results.shown = False
    try:
        with told():
            yield
    except _StoppedError as end:
        if as_json and not results.shown:
            show_json(kind, {"exitCode": end.exit_code, "failure": end.text})
        raise


@contextmanager
def told() -> Generator[None]:
    """Turn the mistakes of a user and the failures of AWS or the engine in a block into messages and exit codes."""
    with ending.by_signals(), _told_what_takes_long():
        try:
            yield
        except BusyError as error:
            stop(Code.BUSY, str(error))
        except EngineError as error:
            stop(Code.FAILED, str(error))
        except (ProjectError, SettingsError) as error:
            stop(Code.USAGE, str(error))
        except OutsideError as error:
            stop(Code.FAILED, f"AWS could not be read: {error}. Mend that, then run the same again")
        except OSError as error:
            stop(Code.FAILED, f"{error}. Mend that, then run the same again")
        except (KeyboardInterrupt, typer.Abort):  # typer makes the latter of what interrupts a prompt
            stop(interrupted(), "Interrupted. Run the same again: it goes on from what is live")


@contextmanager
def _told_what_takes_long() -> Generator[None]:
    """Show what a block waits for: on a terminal in one line that goes with it, elsewhere in lines that stay."""
    if not messages.is_terminal or messages.is_dumb_terminal:
        calls.tell_what_takes_long(say)
        yield
        return
    line = _Line()
    with calls.showing_what_takes_long(line.show):
        try:
            yield
        finally:
            line.close()


class _Line:
    """A line at the foot of the terminal, with something that turns, for as long as it has a text."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown: Live | None = None
        self._closed = False

    def show(self, text: str) -> None:
        """Show a text in place of the one before, or nothing."""
        with self._lock:
            if self._shown and (not text or self._closed):
                self._shown.stop()
                self._shown = None
            elif self._shown:
                self._shown.update(_turning(text))
            elif text and not self._closed:
                # What stdout gets is a result, and no matter of this line.
                self._shown = Live(
                    _turning(text), console=messages, transient=True, redirect_stdout=False, redirect_stderr=False
                )
                self._shown.start()

    def close(self) -> None:
        """Show nothing any more."""
        self._closed = True
        self.show("")


def _turning(text: str) -> Spinner:
    return Spinner("dots", Text(text, no_wrap=True, overflow="ellipsis"))


def interrupted() -> Code:
    """Return the exit code of a command that a signal ends."""
    return _OF_SIGNALS.get(ending.signalled(), Code.INTERRUPTED)


def project(folder: Path, stack: str | None) -> Project:
    """Return the project that the options name."""
    try:
        start = folder.resolve()
    except OSError as error:
        raise ProjectError(f"{folder} is no folder any more ({error}). Go to the project, or name it with -C") from None
    return Project.find(start, stack)
