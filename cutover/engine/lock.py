"""Who is at work on a stack, as a self-managed backend keeps it: a lock file per run, which nobody clears up after it.

Reads what Pulumi writes (pkg/backend/diy/lock.go): `.pulumi/locks/organization/PROJECT/STACK/ID.json` with pid,
username, hostname and timestamp. Refuses to lift a lock: `pulumi cancel` does.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from cutover.calls import OutsideError, client, failing_as, open_session

if TYPE_CHECKING:
    from collections.abc import Iterable


class LockError(OutsideError):
    """The backend could not be read. The text is its own."""


@dataclass(frozen=True)
class Lock:
    """Somebody's lock on a stack: whether the process that took it is known to be gone, or known to be at work."""

    holder: str
    dead: bool = False
    alive: bool = False

    def __str__(self) -> str:
        return f"{self.holder}, which is gone" if self.dead else self.holder

    def cure(self, stack: str) -> str:
        """Say what to do: of a process on another machine, only people know whether it still runs."""
        if self.alive:
            return "Wait for it"
        cancel = f"`pulumi cancel -s {stack}`"
        return f"Run {cancel}" if self.dead else f"Wait for it, or, if that run is gone, {cancel}"


def read(backend: str, project: str, stack: str) -> Lock | None:
    """Return the lock on a stack in a ``file://`` or ``s3://`` backend. One that may live comes before a dead one.

    :raises LockError: the backend could not be read
    """
    folder = f".pulumi/locks/organization/{project}/{stack}"
    with failing_as(lambda why: LockError(f"{backend} could not be read: {why}")):
        texts = _in_folder(backend, folder) if backend.startswith("file:") else _in_bucket(backend, folder)
        locks = [_lock(json.loads(text)) for text in texts]
    return min(locks, key=lambda lock: lock.dead, default=None)


def _in_folder(backend: str, folder: str) -> Iterable[str]:
    root = Path(unquote(backend.removeprefix("file://").partition("?")[0])).expanduser()
    for path in sorted((root / folder).glob("*.json")):
        try:
            yield path.read_text()
        except FileNotFoundError:  # its run has just ended
            continue


def _in_bucket(backend: str, folder: str) -> Iterable[str]:
    url = urlsplit(backend)
    options = {key: values[-1] for key, values in parse_qs(url.query).items()}
    account = open_session(profile_name=options.get("profile"), region_name=options.get("region"))
    s3: Any = client(account, "s3")
    prefix = f"{url.path.strip('/')}/{folder}/".lstrip("/")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=url.netloc, Prefix=prefix):
        for found in page.get("Contents", []):
            try:
                yield s3.get_object(Bucket=url.netloc, Key=found["Key"])["Body"].read().decode()
            except s3.exceptions.NoSuchKey:
                continue


def _lock(content: dict[str, Any]) -> Lock:
    pid, host = int(content["pid"]), content["hostname"]
    who = f"{content['username']}@{host} (process {pid}, since {content['timestamp'][:19]})"
    if host != socket.gethostname():
        return Lock(who)
    runs = _runs(pid)
    return Lock(who, dead=not runs, alive=runs)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
