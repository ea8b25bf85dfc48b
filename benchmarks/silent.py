"""What a cluster whose Kubernetes API is silent costs a shift, a guard and a rollback, on the real engine.

Run by hand, from the root of the repository: `python -m benchmarks.silent`. The stack "dev" stands over an emulated
AWS, with public endpoints. Each command runs while the API of the cluster that serves answers, and while it drops
packets; then the emulated Kubernetes provider and EKS component wait as long as the real ones do. Medians are shown in
seconds, the whole process. The exit code is 1 where silence costs more than `ALLOWED_SECONDS`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.cloud.kubernetes.cluster import set_reachable
from rehearsal.engine import executable
from rehearsal.engine.sandbox import Sandbox
from tests.engine.standing import Standing

if TYPE_CHECKING:
    from rehearsal.play.stackfile import Config

ALLOWED_SECONDS = 10.0
"""The most that silence may cost a command."""

STACK, OLD, NEW = "dev", "v1-35", "v1-36"
COMMANDS = {
    "guard": ("guard",),
    "shift": ("shift", f"{NEW}=50", "--yes"),
    "rollback": ("rollback", "--to", OLD, "--yes"),
}


def public(config: Config) -> None:
    """Let all be on the old cluster, and everybody reach the clusters, for which the EKS component waits longest."""
    config["eks-cutover:weights"] = {OLD: 100, NEW: 0}
    for cluster in config["eks-cutover:clusters"].values():
        cluster["endpoint"] = {"publicCidrs": ["192.0.2.0/24"]}


def measure(standing: Standing, *, silent: bool) -> dict[str, float]:
    """Return the seconds of each command, once. Raises SystemExit where one ends otherwise than it should."""
    set_reachable(standing.sandbox.store, f"{STACK}-{OLD}", reachable=not silent, silent=silent)
    try:
        return {name: _seconds(standing, *arguments) for name, arguments in COMMANDS.items()}
    finally:
        set_reachable(standing.sandbox.store, f"{STACK}-{OLD}", reachable=True)
        _seconds(standing, "release", "--yes")


def _seconds(standing: Standing, *arguments: str) -> float:
    begin = time.monotonic()
    done = standing.sandbox.cutover(*arguments, "-s", STACK)
    if done.returncode != 0:
        sys.exit(f"cutover {' '.join(arguments)} failed: {done.stderr or done.stdout}")
    return time.monotonic() - begin


def main() -> None:
    """Measure, and show a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = range(parser.parse_args().runs)
    with Sandbox(executable.find(), PROGRAM, zones=ZONES) as sandbox:
        standing = Standing(sandbox, STACK, sandbox.stack(STACK))
        with standing.edited(public):
            if failure := watch(standing.stack.up).failure:
                sys.exit(failure)
            standing.heal(8)
            # In turns, so that whatever else the machine does meets both alike.
            turns = [(measure(standing, silent=False), measure(standing, silent=True)) for _ in runs]
    table = Table(box=box.SIMPLE)
    for head in ("", "its API answers", "its API is silent", "silence costs"):
        table.add_column(head, justify="left" if not head else "right")
    costs: list[float] = []
    for name in COMMANDS:
        one, other = (statistics.median(run[name] for run in measured) for measured in zip(*turns, strict=True))
        costs.append(other - one)
        table.add_row(f"cutover {name}", f"{one:.1f} s", f"{other:.1f} s", f"{other - one:+.1f} s")
    Console().print(table)
    if max(costs) > ALLOWED_SECONDS:
        sys.exit(f"silence may cost {ALLOWED_SECONDS:.0f} s")


if __name__ == "__main__":
    main()
