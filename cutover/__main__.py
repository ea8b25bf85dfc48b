"""`cutover`: see what is live, prove that a step is safe, move traffic and go back, take a cluster away.

Only puts the commands together. Each lives in a file of its own in commands/.
"""

from __future__ import annotations

import typer

from cutover.commands import guard, promote, release, retire, rollback, shift, status

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
    """Run the command line."""
    app(prog_name="cutover")


if __name__ == "__main__":
    main()
