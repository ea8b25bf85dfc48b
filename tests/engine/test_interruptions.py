"""A shift that is cut short: clients notice nothing, and the next `up` ends it with no hand in the state."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config as ClientConfig

from rehearsal.cloud.api import FAULT
from tests.engine.under_load import NEW, OLD, PATIENCE_SECONDS, lost, under_load, until, weights

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from rehearsal.engine.executable import Engine
    from tests.engine.under_load import UnderLoad

_CUT = "between two rules"


@pytest.fixture(scope="module")
def both(pulumi_engine: Engine) -> Generator[UnderLoad]:
    """Give all tests a stack under load with two healthy clusters; each test moves it to weights of its own."""
    with under_load(pulumi_engine) as stack:
        yield stack


@pytest.mark.parametrize(
    ("status", "code", "wanted"), [(400, "Throttling", (90, 10)), (500, "InternalFailure", (80, 20))]
)
def test_an_error_of_aws_midway_loses_no_request_and_the_next_update_ends_the_shift(
    both: UnderLoad, status: int, code: str, wanted: tuple[int, int]
) -> None:
    _break_the_second_rule(both, status, code)
    with both.noting(code) as answers, both.edited(weights(*wanted)):
        assert both.up(weights(*wanted)).failure
        assert both.sandbox.store.get(FAULT, _CUT) is None
        _is_half_moved(both, wanted)
        _converges(both, wanted)
    assert lost(answers) == []


def test_a_plugin_that_crashes_midway_loses_no_request_and_the_next_update_ends_the_shift(both: UnderLoad) -> None:
    wanted = (70, 30)
    with both.noting("crash") as answers, both.edited(weights(*wanted)):
        said = _up_cut_short(both, "rehearsal.plugins.aws")
        assert said.returncode > 0, said.stdout
        _is_half_moved(both, wanted)
        _converges(both, wanted)
    assert lost(answers) == []


def test_an_engine_that_is_killed_between_two_rules_loses_no_request_and_cancel_and_up_end_the_shift(
    both: UnderLoad,
) -> None:
    wanted = (60, 40)
    with both.noting("kill") as answers, both.edited(weights(*wanted)):
        said = _up_cut_short(both)
        assert said.returncode == -signal.SIGKILL, said.stdout
        _is_half_moved(both, wanted)
        assert "pulumi cancel" in both.sandbox.pulumi("up", "--yes", "-s", both.name).stdout
        assert both.sandbox.pulumi("cancel", "--yes", "-s", both.name).returncode == 0
        _converges(both, wanted)
    assert lost(answers) == []


def test_a_cloud_map_client_tells_the_clusters_apart_by_their_version_while_both_serve(both: UnderLoad) -> None:
    with both.noting("discovery") as answers:
        assert not both.up(weights(50, 50)).failure
        until("all pods are in Cloud Map", lambda: _found(both, env="dev") == _pods(both, OLD) | _pods(both, NEW))
        assert _found(both, ver=OLD) == _pods(both, OLD)
        assert _found(both, ver=NEW) == _pods(both, NEW)
    assert {answer.cluster for answer in answers} == {OLD, NEW}
    assert lost(answers) == []


def _break_the_second_rule(stack: UnderLoad, status: int, code: str, times: int = 1) -> None:
    fault = {"service": "elbv2", "action": "ModifyRule", "status": status, "code": code, "message": "played"}
    stack.sandbox.store.put(FAULT, _CUT, {**fault, "after": 1, "remaining": times})


def _up_cut_short(stack: UnderLoad, doomed: str = "") -> subprocess.CompletedProcess[str]:
    """Run `pulumi up`, kill it once AWS has taken the first rule, and return its end.

    ``doomed`` is in the command lines of those of its processes that are killed, which are all if it is not given. The
    second rule cannot be taken meanwhile, however fast the engine is, since AWS answers with an error.
    """
    _break_the_second_rule(stack, 500, "InternalFailure", times=100)
    with subprocess.Popen(
        [stack.sandbox.folder / "bin" / "pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "-s", "dev"],
        cwd=stack.sandbox.project,
        env=stack.sandbox.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as engine:
        try:
            until("the first rule has moved", lambda: _first_rule_has_moved(stack), every=0.005)
            engine.send_signal(signal.SIGSTOP)  # so that it does not end before it is killed
            condemned = [pid for pid, command in _tree(engine.pid).items() if doomed in command]
            assert condemned
            _kill(condemned)
            engine.send_signal(signal.SIGCONT)
            said, _ = engine.communicate(timeout=PATIENCE_SECONDS)
        finally:
            _kill(_tree(engine.pid))
            stack.sandbox.store.delete(FAULT, _CUT)
    return subprocess.CompletedProcess(engine.args, engine.returncode, said)


def _first_rule_has_moved(stack: UnderLoad) -> bool:
    fault = stack.sandbox.store.get(FAULT, _CUT)
    return fault is not None and fault["after"] == 0


def _is_half_moved(stack: UnderLoad, wanted: tuple[int, int]) -> None:
    live = [tuple(weights.values()) for weights in stack.live().values()]
    assert live.count(wanted) == 1
    assert len(live) == 2


def _converges(stack: UnderLoad, wanted: tuple[int, int]) -> None:
    """See an `up` with the stack file as it stands bring about what it says, and leave nothing to do."""
    assert not stack.up().failure
    assert {tuple(weights.values()) for weights in stack.live().values()} == {wanted}
    following = stack.preview()
    assert (following.failure, following.steps) == ("", ())


def _tree(pid: int) -> dict[int, str]:
    """Return a process that runs and all that it started, the command lines by process id."""
    listed = subprocess.run(["ps", "-Awwo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    found: dict[int, str] = {}
    wave = {pid}
    while wave:
        found |= {int(row[0]): row[-1].strip() for row in rows if int(row[0]) in wave}
        wave = {int(row[0]) for row in rows if int(row[1]) in wave}
    return found


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _found(stack: UnderLoad, **wanted: str) -> set[str]:
    """Return the addresses that a client of Cloud Map is given."""
    names = boto3.client(
        "servicediscovery",
        region_name="ap-northeast-1",
        endpoint_url=stack.sandbox.endpoint,
        aws_access_key_id="client",
        aws_secret_access_key="client",
        config=ClientConfig(inject_host_prefix=False),  # no name resolves here
    )
    answer = names.discover_instances(NamespaceName="a.example.com", ServiceName="grpc-api", QueryParameters=wanted)
    return {instance["Attributes"]["AWS_INSTANCE_IPV4"] for instance in answer["Instances"]}


def _pods(stack: UnderLoad, cluster: str) -> set[str]:
    """Return the addresses of the pods behind the service, as the cluster's API tells them."""
    service = stack.sandbox.store.get("service", f"dev-{cluster}|api|grpc-api")
    assert service
    assert service["endpoints"]
    return {endpoint["address"] for endpoint in service["endpoints"]}
