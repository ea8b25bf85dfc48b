"""The rehearsal's command line: `migrate` walks a whole migration, `shell` opens a terminal in the emulated AWS.

Only asks and shows. What is done is in migration.py and sandbox.py.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table

import settings
from rehearsal.engine import executable
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play import stackfile
from rehearsal.play.acts import live
from rehearsal.play.beforehand import make_zones, prepare
from rehearsal.play.elsewhere import lead_curl, listeners, standing
from rehearsal.play.migration import Rehearsal
from rehearsal.play.outcome import Outcome
from rehearsal.play.report import document, render, split, touched
from settings import files
from settings.network import NewNetwork
from settings.sealing import of_logins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settings import Settings

PROGRAM = Path(__file__).resolve().parents[1]
ZONES = ("example.com",)  # what both stack files that ship name and a real account has before the first update
_PROJECT = "eks-cutover"

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
messages = Console(stderr=True)
results = Console()


StackOption = Annotated[str, typer.Option(help="The stack whose file is rehearsed.")]
FileOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A stack file from anywhere, in place of the stack's own.")
]
_SCENES = {"existing": "Pulumi.next-cluster.yaml", "manifests": "Pulumi.gitops.yaml"}
SceneOption = Annotated[
    Literal["existing", "manifests"] | None,
    typer.Option(help="A start from what exists: an example's stack file, and what it names made beforehand."),
]


@app.command()
def migrate(
    stack: StackOption = "dev",
    file: FileOption = None,
    *,
    scene: SceneOption = None,
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

    Exits with 1 where an invariant broke, and with 2 where there is nothing to rehearse.
    """
    stack, file = _stack_file(stack, file, scene)
    rehearsed = _sandbox(stack, file)
    report = _writable(report or Path(".rehearsal") / f"report-{stack}.html")
    outcomes: list[Outcome] = []
    with rehearsed as sandbox:
        rehearsal = Rehearsal(sandbox, stack, rate=rate)
        for said in rehearsal.otherwise:
            messages.print(said, highlight=False, markup=False)
        for outcome in rehearsal.play():
            outcomes.append(outcome)
            said = f"{outcome.title}: {touched(outcome)}; {', '.join(split(outcome)) or 'no traffic yet'}"
            messages.print(said, highlight=False, markup=False)
    report.write_text(render(stack, outcomes, rehearsal.answers, _made(rehearsed)), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(document(stack, rate, outcomes), indent=2))
    else:
        title = f"{file.name}, from the first cluster to the next, at {rate:g} requests a second"
        results.print(_table(title, outcomes))
    faults = [fault for outcome in outcomes for fault in outcome.faults]
    for fault in faults:
        messages.print(fault, style="red", highlight=False, markup=False)
    messages.print(f"The report: {report}", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(code=1 if faults else 0)


def _made(rehearsed: Sandbox) -> str:
    """Say when a rehearsal was, of which program and by which engine."""
    git = ("git", "-C", str(PROGRAM))
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout
        edits = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # a copy without its history
        commit, edits = "of no commit", ""
    program = f"program {commit.strip()}{' with edits' if edits else ''}"
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {program}, Pulumi engine {rehearsed.engine.version}"


def _stack_file(stack: str, file: Path | None, scene: str | None) -> tuple[str, Path]:
    """Return the name of the stack that is rehearsed, and its file."""
    if scene and file:
        _end(f"SCENE={scene} has a stack file of its own, and FILE names {file}. Nothing was played. Leave one out.")
    file = PROGRAM / "examples" / _SCENES[scene] if scene else file
    if file is None:
        return stack, files.stack_file(PROGRAM, stack)
    named = file.stem.removeprefix("Pulumi.")
    return re.sub(r"[^A-Za-z0-9_-]", "-", named), file


def _checked(stack: str, file: Path) -> Settings:
    """Read and check a stack file, or end the command: what is wrong with it would stop the first act."""
    try:
        config = files.of_project(files.document(file).get("config"), _PROJECT)
        # The secrets of logins are out of reach here, and a file that was just copied has none: any will do.
        return settings.read(files.handed(config), _PROJECT, stack, list(of_logins(config, _PROJECT)))
    except OSError as error:
        others = ", ".join(sorted(path.name for path in PROGRAM.glob("Pulumi.*.yaml")))
        _end(f"{file} cannot be read ({error.strerror}). There are {others} here, and FILE names any other.")
    except (ValueError, settings.SettingsError) as error:
        _end(f"{file} cannot be rehearsed: {error}")


def _sandbox(stack: str, file: Path, hosted_zones: Sequence[str] = ()) -> Sandbox:
    """Return a sandbox in the place that a stack file names, where its world goes on."""
    settings = _checked(stack, file)
    zones = settings.network.zones if isinstance(settings.network, NewNetwork) else ()
    return Sandbox(
        _engine(),
        PROGRAM,
        zones=hosted_zones,
        world=True,
        region=settings.aws.region,
        availability_zones=zones,
        stack_file=(stack, file),
    )


def _end(why: str) -> NoReturn:
    messages.print(why, style="red", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(code=2)


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
def shell(stack: StackOption = "dev", file: FileOption = None, scene: SceneOption = None) -> None:
    """Open a shell in which plain `pulumi` runs against the emulated AWS, until you leave it.

    What the stack file names as made elsewhere is made before, and its routes are at live: false.
    """
    stack, file = _stack_file(stack, file, scene)
    with _sandbox(stack, file, ZONES) as sandbox, ExitStack() as stood:
        config = stackfile.read(sandbox.project, stack)
        make_zones(sandbox, config)
        for one in [*({"dev", "prod"} - {stack}), stack]:  # the last one is selected
            sandbox.stack(one)
        curl: dict[str, str] = {}
        if listeners(config):
            config, _ = prepare(sandbox, stack)
            stackfile.edit(sandbox.project, stack, live(on=False))
            stood.enter_context(standing(sandbox, config))
            curl = lead_curl(sandbox, config)
        messages.print(
            f"The emulated AWS answers at {sandbox.endpoint} until you leave this shell.\n"
            f"The stack files here are copies; edit them in {sandbox.project}\n"
            f"The stack {stack} is selected. Try: pulumi up",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        # For the aws CLI, of which the first major version reads the second variable.
        environment = {
            **sandbox.environment(),
            **curl,
            **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), sandbox.region),
        }
        command = [os.environ.get("SHELL", "/bin/sh"), "-i"]
        raise typer.Exit(subprocess.run(command, cwd=sandbox.project, env=environment, check=False).returncode)


def _engine() -> executable.Engine:
    try:
        return executable.find()
    except executable.EngineNotFoundError as missing:
        _end(str(missing))


if __name__ == "__main__":
    app(prog_name="python -m rehearsal")
