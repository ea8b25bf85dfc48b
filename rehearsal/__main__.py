"""The rehearsal's command line: `migrate` walks a whole migration, `shell` opens a terminal in the emulated AWS.

Only asks and shows. What is done is in migration.py and sandbox.py.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rehearsal import engine, stackfile
from rehearsal.migration import rehearse
from rehearsal.sandbox import Sandbox

PROGRAM = Path(__file__).resolve().parents[1]
ZONES = ("example.com",)  # what both stack files name and a real account has before the first update

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
messages = Console(stderr=True)
results = Console()


@app.command()
def migrate(stack: Annotated[str, typer.Option(help="The stack file to rehearse.")] = "dev") -> None:
    """Walk a stack through a whole migration, and show what each step touched."""
    table = Table(title=f"Pulumi.{stack}.yaml, from the first cluster to the next")
    table.add_column("step", no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_column("the plan touched")
    table.add_column("load balancers, DNS", no_wrap=True)
    faults: list[str] = []
    with Sandbox(_engine(), PROGRAM, zones=ZONES) as sandbox:
        for outcome in rehearse(sandbox, stack):
            messages.print(f"{outcome.title}: {outcome.run.summary()}", highlight=False, markup=False)
            faults += outcome.faults
            same = "the same" if outcome.same_for_clients else "changed"
            table.add_row(outcome.title, f"{outcome.run.seconds:.1f}", outcome.run.summary(), same)
    results.print(table)
    for fault in faults:
        messages.print(fault, style="red", highlight=False, markup=False)
    raise typer.Exit(code=1 if faults else 0)


@app.command()
def shell() -> None:
    """Open a shell in which plain `pulumi` runs against the emulated AWS, until you leave it."""
    with Sandbox(_engine(), PROGRAM, zones=ZONES) as sandbox:
        for stack in ("dev", "prod"):
            sandbox.stack(stack)
        messages.print(
            f"The emulated AWS answers at {sandbox.endpoint} until you leave this shell.\n"
            f"The stack files here are copies; edit them in {sandbox.project}\n"
            "Try: pulumi up -s dev",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        region = stackfile.read(sandbox.project, "dev")["aws:region"]
        environment = {**sandbox.environment(), "AWS_REGION": region}  # for the aws CLI
        command = [os.environ.get("SHELL", "/bin/sh"), "-i"]
        raise typer.Exit(subprocess.run(command, cwd=sandbox.project, env=environment, check=False).returncode)


def _engine() -> engine.Engine:
    try:
        return engine.find()
    except engine.EngineNotFoundError as missing:
        messages.print(str(missing), style="red", highlight=False, markup=False)
        raise typer.Exit(code=2) from None


if __name__ == "__main__":
    app(prog_name="python -m rehearsal")
