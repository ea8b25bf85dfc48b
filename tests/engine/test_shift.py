"""`cutover shift` against the real engine: what it moves, what it leaves as it was, and who is told what."""

from __future__ import annotations

import json
import shlex
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cutover.commands.terminal import Code
from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.cloud.api import FAULT
from rehearsal.engine.sandbox import Sandbox
from rehearsal.plugins.kubernetes.helm import REPOSITORY
from tests.engine.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from rehearsal.engine.executable import Engine

_SHIFT = ("shift", "-s", "dev", "--yes")


@pytest.fixture(scope="module")
def shipped(pulumi_engine: Engine) -> Generator[Standing]:
    """Bring the dev stack up as it ships, 99 to 1, with enough healthy targets in both clusters for all of it."""
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES) as sandbox:
        standing = Standing(sandbox, "dev", sandbox.stack("dev"))
        assert not watch(standing.stack.up).failure
        standing.heal(8)
        yield standing


def test_of_two_shifts_at_once_one_moves_everything_and_the_other_is_told(shipped: Standing) -> None:
    before = _file(shipped).read_text()
    wanted = {100: {"v1-35": 0, "v1-36": 100}, 0: {"v1-35": 100, "v1-36": 0}}
    with _without_charts(shipped):
        running = [_begin(shipped, "shift", f"v1-36={weight}", "-s", "dev", "--yes") for weight in wanted]
        ends = {weight: (one.communicate()[1], one.returncode) for weight, one in zip(wanted, running, strict=True)}
    assert sorted(code for _, code in ends.values()) == [Code.DONE, Code.BUSY], ends
    (moved,) = (weight for weight, (_, code) in ends.items() if code == Code.DONE)
    (told,) = (said for said, code in ends.values() if code == Code.BUSY)
    assert "another cutover is at work" in told
    assert shipped.live() == dict.fromkeys(("web", "grpc-api"), wanted[moved])
    weights = f"v1-35: {100 - moved}, v1-36: {moved}"
    assert _file(shipped).read_text() == before.replace("v1-35: 99, v1-36: 1", weights)
    following = shipped.preview()
    # What serves is protected, and what no longer does is not.
    assert (following.failure, following.steps, following.kept) == ("", (), ())


def test_a_shift_that_aws_stops_midway_says_which_routes_moved_and_the_same_again_goes_on(shipped: Standing) -> None:
    fault = {"service": "elbv2", "action": "ModifyRule", "status": 400, "code": "ValidationError", "message": "played"}
    shipped.sandbox.store.put(FAULT, "midway", {**fault, "after": 1, "remaining": 100})
    try:
        said = shipped.sandbox.cutover(*_SHIFT, "v1-36=30")
    finally:
        shipped.sandbox.store.delete(FAULT, "midway")
    assert said.returncode == Code.FAILED, said.stderr
    assert "code:" not in said.stderr
    assert said.stderr.count("moved to v1-35 70, v1-36 30") == 1
    assert "To go on: cutover shift v1-35=70 v1-36=30" in said.stderr
    assert "cutover rollback" in said.stderr
    with _without_charts(shipped, silent=True):
        assert shipped.sandbox.cutover(*_SHIFT, "v1-36=30").returncode == Code.DONE
    assert shipped.live() == {key: {"v1-35": 70, "v1-36": 30} for key in ("web", "grpc-api")}


def test_a_plan_that_holds_more_is_refused_and_the_file_stays_byte_for_byte(shipped: Standing) -> None:
    path, live = _file(shipped), shipped.live()
    edited = path.read_text().replace("healthCheck: {path: /healthz}", "healthCheck: {path: /ready}")
    before = path.read_text()
    path.write_text(edited)
    try:
        said = shipped.sandbox.cutover(*_SHIFT, "v1-36=40")
        assert said.returncode == Code.REFUSED, said.stderr
        assert "Nothing was changed" in said.stderr
        assert path.read_text() == edited
    finally:
        path.write_text(before)
    assert shipped.live() == live


def test_write_only_edits_the_file_for_a_pull_request_and_moves_nothing(shipped: Standing) -> None:
    path, live = _file(shipped), shipped.live()
    before = path.read_text()
    try:
        said = shipped.sandbox.cutover("shift", "v1-36=40", "--route", "web", "-s", "dev", "--write-only", "--json")
        assert said.returncode == Code.DONE, said.stderr
        assert json.loads(said.stdout)["applied"] is False
        assert shipped.config["eks-cutover:routes"]["web"]["weights"] == {"v1-35": 60, "v1-36": 40}
        assert "# The line that a pull request edits" in path.read_text()
    finally:
        path.write_text(before)
    assert shipped.live() == live


def test_a_rule_that_somebody_has_deleted_is_made_again_as_it_is_told_also_under_a_rollbacks_hold(
    shipped: Standing,
) -> None:
    (web,) = (rule for rule in shipped.rules() if rule["Priority"] == "40001")
    shipped.sandbox.aws("elbv2").delete_rule(RuleArn=web["RuleArn"])
    live = shipped.live()
    refused = shipped.sandbox.cutover(*_SHIFT, "v1-36=60")
    assert refused.returncode == Code.REFUSED, refused.stderr
    assert shipped.live() == live
    with _without_charts(shipped, silent=True):
        back = shipped.sandbox.cutover("rollback", "-s", "dev", "--yes")
        assert back.returncode == Code.UNFINISHED, back.stderr
        told = back.stderr.partition("To make it: pulumi ")[2].partition(". It gets")[0]
        assert shipped.sandbox.pulumi(*shlex.split(told), "--yes").returncode == 0
        assert shipped.live() == {key: {"v1-35": 100, "v1-36": 0} for key in ("web", "grpc-api")}
        assert shipped.sandbox.cutover("rollback", "-s", "dev", "--yes").returncode == Code.DONE
    assert shipped.sandbox.cutover("release", "-s", "dev", "--yes").returncode == Code.DONE


@contextmanager
def _without_charts(standing: Standing, *, silent: bool = False) -> Generator[None]:
    """Let the repository of charts refuse every call, or never answer one."""
    standing.sandbox.store.put(REPOSITORY, REPOSITORY, {"silent": silent})
    yield
    standing.sandbox.store.delete(REPOSITORY, REPOSITORY)


def _file(standing: Standing) -> Path:
    return standing.sandbox.project / "Pulumi.dev.yaml"


def _begin(standing: Standing, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [standing.sandbox.folder / "bin" / "cutover", *arguments],
        cwd=standing.sandbox.project,
        env=standing.sandbox.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
