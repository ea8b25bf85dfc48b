"""The command line as a whole: which commands there are, and how the process ends once the last word is said."""

from __future__ import annotations

import os
import sys
import threading
from typing import Annotated, NoReturn

import typer

from cutover.commands import adopt, disown, guard, manifests, promote, release, retire, rollback, shift, status
from cutover.commands.terminal import Code, results, say
from settings.version import VERSION


def _show_version(value: bool) -> None:
    if value:
        results.print(f"cutover {VERSION}", markup=False)
        raise typer.Exit


app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    *,
    show: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version, and end.")
    ] = False,
) -> None:
    """Move traffic between EKS clusters behind one load balancer."""


app.command()(status.status)
app.command()(shift.shift)
app.command()(promote.promote)
app.command()(rollback.rollback)
app.command()(release.release)
app.command()(retire.retire)
app.command()(guard.guard)
app.command()(manifests.manifests)
app.command()(adopt.adopt)
app.command()(disown.disown)


def run() -> None:
    """Run the command line, and end once its last word is said, whatever is still asked: a call may hang for minutes.

    A result that could not be written is a failure, also where all else went well.
    """
    before = set(threading.enumerate())
    try:
        app(prog_name="cutover")
    except SystemExit as end:
        if results.lost and not end.code:
            say(f"What the command found could not be written: {results.lost}", "red")
            end.code = Code.FAILED
        if any(not one.daemon for one in set(threading.enumerate()) - before):
            _end_now(end)
        raise


def _end_now(end: SystemExit) -> NoReturn:
    """End without waiting for threads that the interpreter would wait for."""
    code = end.code if isinstance(end.code, int) else Code.DONE if end.code is None else Code.REFUSED
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or Code.FAILED
    os._exit(code)
