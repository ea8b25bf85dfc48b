"""The rehearsal's command line: `migrate` walks a whole migration, `shell` opens a terminal in the emulated AWS.

Only asks and shows. What is done is in migration.py and sandbox.py.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from rehearsal import engine, stackfile
from rehearsal.migration import Outcome, Rehearsal
from rehearsal.report import document, render, split, touched
from rehearsal.sandbox import Sandbox

PROGRAM = Path(__file__).resolve().parents[1]
ZONES = ("example.com",)  # what both stack files name and a real account has before the first update

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
messages = Console(stderr=True)
results = Console()


@app.command()
def migrate(
    stack: Annotated[str, typer.Option(help="The stack file to rehearse.")] = "dev",
    rate: Annotated[float, typer.Option(help="Requests per second, over all routes.")] = 200.0,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, help="Where the HTML report goes, else .rehearsal/report-STACK.html."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document instead of the table.")] = False,
) -> None:
    """Walk a stack through a whole migration under traffic, and show what each step touched and what clients saw.

    Exits with 1 where an invariant broke.
    """
    report = _writable(report or Path(".rehearsal") / f"report-{stack}.html")
    outcomes: list[Outcome] = []
    with Sandbox(_engine(), PROGRAM, zones=ZONES, world=True) as sandbox:
        rehearsal = Rehearsal(sandbox, stack, rate=rate)
        for outcome in rehearsal.play():
            outcomes.append(outcome)
            said = f"{outcome.title}: {touched(outcome)}; {', '.join(split(outcome)) or 'no traffic yet'}"
            messages.print(said, highlight=False, markup=False)
    report.write_text(render(stack, outcomes, rehearsal.answers), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(document(stack, rate, outcomes), indent=2))
    else:
        title = f"Pulumi.{stack}.yaml, from the first cluster to the next, at {rate:g} requests a second"
        results.print(_table(title, outcomes))
    faults = [fault for outcome in outcomes for fault in outcome.faults]
    for fault in faults:
        messages.print(fault, style="red", highlight=False, markup=False)
    messages.print(f"The report: {report}", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(code=1 if faults else 0)


def _writable(path: Path) -> Path:
    """Find out before the rehearsal, not minutes later, that its report has no place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written ({error.strerror}). Name another file.") from None
    return path


def _table(title: str, outcomes: list[Outcome]) -> Table:
    same = all(outcome.same_for_clients for outcome in outcomes)
    caption = f"Load balancers and DNS names {'stayed the same objects' if same else 'did not stay the same objects'}."
    table = Table(title=title, caption=caption, box=box.SIMPLE, show_edge=False, padding=0, show_lines=True)
    table.add_column("step", min_width=18, max_width=32)
    table.add_column("engine", justify="right", no_wrap=True)
    table.add_column("the plan touched", min_width=20)
    table.add_column("requests", justify="right", no_wrap=True)
    table.add_column("split", no_wrap=True)
    table.add_column("failed", justify="right", no_wrap=True)
    for outcome in outcomes:
        table.add_row(
            outcome.title,
            f"{outcome.run.seconds:.1f} s",
            touched(outcome),
            str(outcome.moving.requests + outcome.seen.requests),
            "\n".join(split(outcome)) or "none yet",
            str(outcome.failures),
        )
    return table


@app.command()
def shell() -> None:
    """Open a shell in which plain `pulumi` runs against the emulated AWS, until you leave it."""
    with Sandbox(_engine(), PROGRAM, zones=ZONES, world=True) as sandbox:
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
