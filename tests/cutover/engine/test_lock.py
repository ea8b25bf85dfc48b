"""Who holds a stack's lock, as Pulumi's own lock files tell it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cutover.engine.lock import Lock, LockError, read
from tests.cutover.tagged import reach
from tests.rehearsal.emulated import running

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = ".pulumi/locks/organization/eks-cutover/dev"


def _content(pid: int, host: str) -> str:
    return json.dumps({"pid": pid, "username": "sre", "hostname": host, "timestamp": "2026-11-24T03:00:12.345678Z"})


def _dead() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def _write(root: Path, name: str, content: str) -> None:
    (root / _FOLDER).mkdir(parents=True, exist_ok=True)
    (root / _FOLDER / name).write_text(content)


def test_a_backend_without_a_lock_has_nobody_at_work(tmp_path: Path) -> None:
    assert read(tmp_path.as_uri(), "eks-cutover", "dev") is None


def test_the_lock_tells_who_and_since_when(tmp_path: Path) -> None:
    _write(tmp_path, "1.json", _content(4711, "runner"))
    _write(tmp_path, "1.json.attrs", "{}")
    lock = read(tmp_path.as_uri(), "eks-cutover", "dev")
    assert str(lock) == "sre@runner (process 4711, since 2026-11-24T03:00:12)"
    assert read(tmp_path.as_uri(), "eks-cutover", "prod") is None


def test_a_process_of_this_machine_that_is_gone_is_dead_and_a_living_one_comes_first(tmp_path: Path) -> None:
    _write(tmp_path, "1.json", _content(_dead(), socket.gethostname()))
    lock = read(tmp_path.as_uri(), "eks-cutover", "dev")
    assert lock
    assert (lock.dead, str(lock).endswith("which is gone")) == (True, True)
    _write(tmp_path, "2.json", _content(os.getpid(), socket.gethostname()))
    lock = read(tmp_path.as_uri(), "eks-cutover", "dev")
    assert lock
    assert not lock.dead
    assert lock.cure("prod") == "Wait for it"


def test_only_of_a_dead_process_it_is_known_that_its_lock_may_be_lifted() -> None:
    assert Lock("sre@here", dead=True).cure("prod") == "Run `pulumi cancel -s prod`"
    assert Lock("ci@runner").cure("prod") == "Wait for it, or, if that run is gone, `pulumi cancel -s prod`"


def test_a_lock_file_that_is_no_lock_is_said(tmp_path: Path) -> None:
    _write(tmp_path, "1.json", "[]")
    with pytest.raises(LockError, match="could not be read"):
        read(tmp_path.as_uri(), "eks-cutover", "dev")


def test_a_lock_in_a_bucket_is_found_below_its_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as cloud:
        reach(cloud, monkeypatch)
        s3 = cloud.client("s3")
        region = s3.meta.region_name
        s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": region})
        assert read(f"s3://state/team?region={region}", "eks-cutover", "dev") is None
        s3.put_object(Bucket="state", Key=f"team/{_FOLDER}/1.json", Body=_content(1, "runner").encode())
        lock = read(f"s3://state/team?region={region}", "eks-cutover", "dev")
        assert lock
        assert lock.holder.startswith("sre@runner")
        assert read(f"s3://state?region={region}", "eks-cutover", "dev") is None
