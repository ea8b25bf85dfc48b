"""How fast `cutover rollback` is: ten routes, against ten and against one `aws elbv2 modify-rule`, on one emulated AWS.

Run by hand, from the root of the repository, with the aws CLI on PATH (`pip install awscli` in an environment of its
own): `python -m benchmarks.rollback`. Each contender runs several times, and the medians are shown in seconds: the
whole process; from its start to the last ModifyRule that AWS accepted; and from its first API call to that.

The rollback looks up rules, health and the hold, leaves a hold, moves, and reads back. The aws CLI is told the ARN and
the actions, and does nothing but write. No Pulumi is on PATH, so the rollback ends where only AWS is safe: what it does
for the state afterwards is the engine's time. The emulated AWS answers within the limits of ELB's API; `--round-trip`
adds to each answer what a network would.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from cutover.aws.hold import hold_name
from cutover.commands.terminal import Code
from rehearsal.cloud.api import Api
from tests.cutover.tagged import OWNER, STACK, Tagged, tagged
from tests.rehearsal.emulated import REGION, running, served

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = Path(__file__).resolve().parent.parent
OLD, NEW = "v1-35", "v1-36"
BEFORE = {OLD: 50, NEW: 50}


@dataclass(frozen=True)
class Contender:
    """Commands that run one after the other, end with a code, and move a number of rules in all."""

    commands: Sequence[Sequence[str]]
    moves: int
    code: Code = Code.DONE


@dataclass(frozen=True)
class Times:
    """Seconds of one run."""

    process: float
    moved: float
    calls: float


class Clock:
    """A WSGI application in front of another: it notes when requests come and when ModifyRule is accepted."""

    def __init__(self, inner: WSGIApplication, round_trip: float) -> None:
        self._inner = inner
        self._round_trip = round_trip
        self.first: float | None = None
        self.last = 0.0
        self.accepted = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        self.first = self.first or time.monotonic()
        time.sleep(self._round_trip)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            if b"Action=ModifyRule" in body and status.startswith("200"):
                self.last = time.monotonic()
                self.accepted += 1
            return start_response(status, headers, *error)

        return self._inner(environ, start)


def _project(folder: Path, routes: Sequence[str]) -> Path:
    """Write a stack file like that of dev, with these routes."""
    folder.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    document = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    one = document["config"]["eks-cutover:routes"]["web"]
    document["config"]["eks-cutover:weights"] = BEFORE
    document["config"]["eks-cutover:routes"] = {
        route: {**one, "priority": place, "paths": [f"/{route}"]} for place, route in enumerate(routes, 1)
    }
    (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump(document))
    return folder


def _modify(aws: str, stack: Tagged, route: str) -> list[str]:
    groups = [{"TargetGroupArn": stack.groups[route, key], "Weight": weight} for key, weight in ((OLD, 100), (NEW, 0))]
    actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    return [aws, "elbv2", "modify-rule", "--rule-arn", stack.rules[route], "--actions", json.dumps(actions)]


def measure(stack: Tagged, contender: Contender, round_trip: float = 0.0) -> Times:
    """Run a contender once, on ten rules that stand at 50 to 50.

    Raises SystemExit where it ends otherwise than it should, or AWS accepted another number of moves.
    """
    for route in stack.rules:
        stack.set_weights(route, BEFORE)
    stack.cloud.client("ssm").delete_parameters(Names=[hold_name(OWNER)])
    # A front of its own for every run: its buckets are full, as if nobody else had asked for a while.
    clock = Clock(Api(stack.cloud.moto, stack.cloud.store), round_trip)
    with served(clock) as endpoint:
        environment = {
            "PATH": os.devnull,
            "HOME": os.devnull,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "somebody",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }
        begin = time.monotonic()
        for command in contender.commands:
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != contender.code:
                sys.exit(f"{' '.join(command[:3])} failed: {done.stderr or done.stdout}")
        end = time.monotonic()
    if clock.accepted != contender.moves or clock.first is None:
        sys.exit(f"{contender.moves} rules were to be moved, and AWS accepted {clock.accepted}")
    return Times(end - begin, clock.last - begin, clock.last - clock.first)


@contextmanager
def standing() -> Generator[tuple[Tagged, Contender]]:
    """Yield a stack with ten routes whose clusters are healthy, and the rollback of it."""
    routes = [f"route-{place}" for place in range(10)]
    with tempfile.TemporaryDirectory() as name, running(Path(name)) as cloud, tagged(cloud, routes, BEFORE) as stack:
        for cluster in BEFORE:
            stack.heal(cluster, 4)
        project = _project(Path(name) / "project", routes)
        command = [sys.executable, "-m", "cutover", "rollback", "-s", STACK, "-C", str(project), "--yes"]
        yield stack, Contender([command], len(routes), Code.UNFINISHED)


def main() -> None:
    """Measure, and show a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--round-trip", type=float, default=0.0, metavar="SECONDS")
    asked = parser.parse_args()
    aws = shutil.which("aws")
    if aws is None:
        sys.exit(
            "There is no aws on PATH to compare with. Install the aws CLI in an environment of its own and put that on "
            "PATH: python -m venv FOLDER && FOLDER/bin/pip install awscli"
        )
    with standing() as (stack, rollback):
        ten = [_modify(aws, stack, route) for route in stack.rules]
        contenders = {
            "cutover rollback, 10 routes": rollback,
            "aws elbv2 modify-rule, 10 times": Contender(ten, len(ten)),
            "aws elbv2 modify-rule, once": Contender(ten[:1], 1),
        }
        runs = {
            name: [measure(stack, contender, asked.round_trip) for _ in range(asked.runs)]
            for name, contender in contenders.items()
        }
    _show({name: _median(times) for name, times in runs.items()})


def _median(runs: Sequence[Times]) -> Times:
    return Times(*(statistics.median(getattr(run, field.name) for run in runs) for field in fields(Times)))


def _show(measured: dict[str, Times]) -> None:
    table = Table(box=box.SIMPLE)
    for head in ("", "process", "start to last accepted", "first call to last accepted"):
        table.add_column(head, justify="left" if not head else "right")
    base = next(iter(measured.values()))
    for name, times in measured.items():
        pairs = ((times.process, base.process), (times.moved, base.moved), (times.calls, base.calls))
        table.add_row(name, *(f"{seconds:.2f} s  x{seconds / first:.2f}" for seconds, first in pairs))
    Console().print(table)


if __name__ == "__main__":
    main()
