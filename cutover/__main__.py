"""`cutover`: see what is live, prove that a step is safe, move traffic and go back, take a cluster away.

Only puts the commands together. Each lives in a file of its own in commands/.
"""

from __future__ import annotations

import sys

import typer

from cutover.commands import guard, promote, release, retire, rollback, shift, status
from cutover.terminal import Code, results, say

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Move traffic between EKS clusters behind one load balancer.",
    pretty_exceptions_enable=False,
)
app.command()(status.status)
app.command()(shift.shift)
app.command()(promote.promote)
app.command()(rollback.rollback)
app.command()(release.release)
app.command()(retire.retire)
app.command()(guard.guard)


def main() -> None:
    """Run the command line. A result that could not be written is a failure, also where all else went well."""
    try:
        app(prog_name="cutover")
    except SystemExit as ending:
        if results.lost and not ending.code:
            say(f"What the command found could not be written: {results.lost}", "red")
            sys.exit(Code.FAILED)
        raise


if __name__ == "__main__":
    main()
