"""A rollback where it is wanted: in the middle of an `up`, under a dead lock, and before a merge that is too late."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from cutover.commands.terminal import Code
from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.cloud.api import FAULT
from rehearsal.engine.sandbox import Sandbox
from tests.engine.standing import Standing
from tests.engine.under_load import NEW, OLD, PATIENCE_SECONDS, until, weights

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from rehearsal.engine.executable import Engine

_FIRST = "the first rule"


@pytest.fixture(scope="module")
def standing(pulumi_engine: Engine) -> Generator[Standing]:
    """Bring dev up with all traffic on the old cluster and healthy targets in both."""
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES) as sandbox:
        one = Standing(sandbox, "dev", sandbox.stack("dev"))
        with one.edited(weights(100, 0)):
            assert not watch(one.stack.up).failure
        one.heal(2)
        yield one


def _live(standing: Standing) -> set[tuple[int, int]]:
    """Return the weights of the old and the new cluster that any route has in AWS."""
    return {(weights[OLD], weights[NEW]) for weights in standing.live().values()}


def _first_has_moved(standing: Standing) -> bool:
    fault = standing.sandbox.store.get(FAULT, _FIRST)
    return fault is not None and fault["after"] == 0


@contextmanager
def _stopped_between_two_rules(standing: Standing) -> Generator[subprocess.Popen[str]]:
    """Yield a `pulumi up` that has moved one rule, is about to move the other, and stands still."""
    never = {"service": "elbv2", "action": "ModifyRule", "status": 400, "code": "Played", "message": "played"}
    standing.sandbox.store.put(FAULT, _FIRST, {**never, "after": 1, "remaining": 100})
    command = ["up", "--yes", "--skip-preview", "--parallel", "1", "-s", standing.name]
    with subprocess.Popen(
        [standing.sandbox.folder / "bin" / "pulumi", "--non-interactive", *command],
        cwd=standing.sandbox.project,
        env=standing.sandbox.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as engine:
        try:
            until("the first rule has moved", lambda: _first_has_moved(standing), every=0.002)
            engine.send_signal(signal.SIGSTOP)
            standing.sandbox.store.delete(FAULT, _FIRST)
            assert len(_live(standing)) == 2
            yield engine
        finally:
            standing.sandbox.store.delete(FAULT, _FIRST)
            engine.kill()


def _file(standing: Standing) -> Path:
    return standing.sandbox.project / f"Pulumi.{standing.name}.yaml"


def _agrees(standing: Standing, old: int, new: int) -> bool:
    """Tell whether AWS and the file have these weights of the two clusters, and the state has nothing to do."""
    following = watch(standing.stack.preview)
    written = standing.config["eks-cutover:weights"]
    return (_live(standing), written, following.failure, following.steps) == (
        {(old, new)},
        {OLD: old, NEW: new},
        "",
        (),
    )


def test_all_that_can_meet_a_rollback_is_told_and_in_the_end_aws_and_file_and_state_agree(standing: Standing) -> None:
    with standing.edited(weights(50, 50)):
        with (
            _stopped_between_two_rules(standing) as update,
            _begun(standing, "rollback", "--reason", "5xx") as rollback,
        ):
            assert rollback.stderr
            told = next(line for line in rollback.stderr if "under way" in line)
            assert _live(standing) == {(100, 0)}
            with _begun(standing, "shift", f"{NEW}=10") as one, _begun(standing, "shift", f"{NEW}=90") as other:
                shifts = [(shift.communicate(timeout=PATIENCE_SECONDS)[1], shift.returncode) for shift in (one, other)]
            update.send_signal(signal.SIGCONT)
            late, _ = update.communicate(timeout=PATIENCE_SECONDS)
            _, rest = rollback.communicate(timeout=PATIENCE_SECONDS)
        assert rollback.returncode == Code.DONE, rest
        assert f"process {update.pid}" in told
        for said, code in shifts:
            assert code == Code.BUSY, said
            assert "(5xx) holds the weights" in said or "another cutover is at work" in said
        # Which of both depends on whether the gate had let the second rule pass before the hold was there.
        assert "(5xx) holds the weights" in late or "was moved by somebody else, and is put back" in rest
        assert _agrees(standing, 100, 0)

    with standing.edited(weights(50, 50)):
        merged = standing.sandbox.pulumi("up", "--yes", "--skip-preview", "-s", standing.name)
        assert (merged.returncode != 0, "(5xx) holds the weights" in merged.stdout) == (True, True)
        assert _live(standing) == {(100, 0)}
        released = standing.sandbox.cutover("release", "--yes", "-s", standing.name)
        assert released.returncode == Code.DONE, released.stderr
        assert "web: v1-35 100, v1-36 0 -> v1-35 50, v1-36 50" in released.stdout
        assert not standing.up(weights(50, 50)).failure
        assert _agrees(standing, 50, 50)


def test_under_a_dead_lock_and_with_a_broken_file_aws_is_safe_and_the_same_again_ends_it(standing: Standing) -> None:
    with standing.edited(weights(60, 40)):
        with _stopped_between_two_rules(standing) as update:
            update.kill()
        sound = _file(standing).read_text()
        _file(standing).write_text(sound.replace("  eks-cutover:weights:", "<<<<<<< HEAD\n  eks-cutover:weights:"))
        broken = standing.sandbox.cutover("rollback", "--yes", "-s", standing.name)
        assert broken.returncode == Code.UNFINISHED, broken.stderr
        assert "which is gone. Run `pulumi cancel -s dev`" in broken.stderr
        assert _live(standing) == {(100, 0)}
        _file(standing).write_text(sound)
        assert standing.sandbox.pulumi("cancel", "--yes", "-s", standing.name).returncode == 0
        ended = standing.sandbox.cutover("rollback", "--yes", "-s", standing.name)
        assert ended.returncode == Code.DONE, ended.stderr
        assert _agrees(standing, 100, 0)


@contextmanager
def _begun(standing: Standing, command: str, *arguments: str) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [standing.sandbox.folder / "bin" / "cutover", command, "--yes", "-s", standing.name, *arguments],
        cwd=standing.sandbox.project,
        env=standing.sandbox.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
