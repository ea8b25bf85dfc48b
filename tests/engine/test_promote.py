"""`cutover promote` under load: real requests, metrics that the load balancer tells of them, and the real engine.

A minute of AWS is a second here, also for the command that runs in these tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cutover.aws.hold import hold_name
from cutover.commands.terminal import Code
from rehearsal.__main__ import PROGRAM
from rehearsal.play import stackfile
from rehearsal.play.destinations import destinations
from rehearsal.play.load import Load, Names
from rehearsal.world.workloads import WORKLOAD
from tests.cutover.tagged import OWNER
from tests.engine.under_load import NEW, OLD, lost, under_load

if TYPE_CHECKING:
    from collections.abc import Generator

    from rehearsal.engine.executable import Engine
    from tests.engine.under_load import UnderLoad

_SPEED = 60
_FASTER = f"""
from cutover.aws import minutes
from cutover.__main__ import main
from cutover.commands import rollout
wait = rollout.wait
rollout.wait = lambda seconds: wait(seconds / {_SPEED})
rollout.WATCH_SECONDS = 90  # a reading takes the seconds of this machine, and not those of the wait
minutes.PERIOD_SECONDS = 60 // {_SPEED}
main()
"""
_HANGS_SECONDS = 600  # far more than a busy machine takes: it ends a command that would never end
_LATENCY = 1000  # how fast answers come tells of the machine, which other work may share, and not of a cluster


@pytest.fixture(scope="module")
def standing(pulumi_engine: Engine) -> Generator[UnderLoad]:
    """Bring dev up with two healthy clusters, all traffic on the old one, and nobody who asks yet."""
    with under_load(pulumi_engine, asked=False, speed=_SPEED) as stack:
        yield stack


@pytest.fixture
def stack(standing: UnderLoad) -> UnderLoad:
    """Give each test all traffic on the old cluster, no hold, and pods that answer well."""
    standing.sandbox.store.delete(WORKLOAD, f"{NEW}|web")
    standing.sandbox.aws("ssm").delete_parameters(Names=[hold_name(OWNER)])
    if standing.live()["web"] != {OLD: 100, NEW: 0}:
        assert standing.sandbox.cutover("shift", f"{OLD}=100", "-s", "dev", "--yes").returncode == Code.DONE
    return standing


def test_a_cluster_with_5_percent_errors_at_10_is_rolled_back_and_the_report_says_by_which_numbers(
    stack: UnderLoad,
) -> None:
    _configure(stack, minRequests=300, failures=1)
    stack.sandbox.store.put(WORKLOAD, f"{NEW}|web", {"error_rate": 0.05})
    with _asked(stack):
        report, said, code = _end(_promote(stack, "--json"))
    assert code == Code.ROLLED_BACK, said
    assert stack.live() == {route: {OLD: 100, NEW: 0} for route in ("web", "grpc-api")}
    judgements = json.loads(report)["judgements"]
    assert {one["step"] for one in judgements} == {10}
    last = next(one for one in judgements if one["verdict"] == "failed")
    assert last["route"] == "web"
    assert last["failures"] > 0.01 * 300
    assert f"Halt advancement web {NEW} weight 10: {last['said']}" in said
    hold = stack.sandbox.aws("ssm").get_parameter(Name=hold_name(OWNER))["Parameter"]["Value"]
    assert last["said"] in json.loads(hold)["why"]


def test_without_traffic_it_holds_and_killed_and_started_again_it_goes_on_to_100_and_loses_nothing(
    stack: UnderLoad,
) -> None:
    _configure(stack, minRequests=5, failures=2)
    promotion = _promote(stack)
    assert promotion.stderr
    assert any(f"Hold web {NEW} weight 10: no requests < 5" in line for line in promotion.stderr)
    promotion.kill()
    _end(promotion)
    assert stack.live()["web"] == {OLD: 90, NEW: 10}
    with _asked(stack) as load:
        report, said, code = _end(_promote(stack))
    assert code == Code.DONE, said
    assert f"Advance web {NEW} weight 10\n" not in said
    assert f"Pass web {NEW} weight 10:" in said
    assert f"Promotion of {NEW} completed" in report
    assert stack.live() == {route: {OLD: 0, NEW: 100} for route in ("web", "grpc-api")}
    assert lost(load.answers) == []


def _configure(stack: UnderLoad, **metrics: int) -> None:
    rollout = {"steps": [10, 100], "hold": 180, "metrics": {"maxLatencyRatio": _LATENCY, **metrics}}
    stackfile.edit(stack.sandbox.project, "dev", lambda config: config.update({"eks-cutover:rollout": rollout}))


@contextmanager
def _asked(stack: UnderLoad) -> Generator[Load]:
    names = Names(stack.sandbox.store, stack.sandbox.aws("route53"))
    with Load(names, destinations(stack.config), rate=60.0) as load:
        yield load


def _promote(stack: UnderLoad, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _FASTER, "promote", NEW, "-s", "dev", "--yes", *more],
        cwd=stack.sandbox.project,
        env={**stack.sandbox.environment(), "PYTHONPATH": os.fspath(PROGRAM)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(promotion: subprocess.Popen[str]) -> tuple[Any, str, int]:
    report, said = promotion.communicate(timeout=_HANGS_SECONDS)
    return report, said, promotion.returncode
