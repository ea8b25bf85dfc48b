"""The controllers that run in every emulated cluster: when they look, how they retry, and what they say in events.

Owns what Kubernetes controllers have in common: a few workers, waits that double while an object fails, finalizers and
events (documents of the kind ``event``). Refuses to own what a controller does (binding_controller.py,
mesh_controller.py), and which clusters there are.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.kubernetes.cluster import Cluster, at, chart_of
from rehearsal.cloud.session import OUTSIDE_AGENT, lent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.store import Store

EVENT = "event"
WORKERS = 3
"""Objects of one controller that are worked on at the same time."""

_FIRST_WAIT_SECONDS = 0.005
_KEY = "rehearsal"
_DURATION = re.compile(r"(?P<number>[0-9.]+)(?P<unit>ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_log = logging.getLogger(__name__)


class Failed(Exception):  # noqa: N818 - it is what a controller tells of an object
    """Why an object could not be reconciled."""


Role = tuple[str, str]
"""The ARN of a role, and the external id that is said to it, which may be empty."""


class Connect(Protocol):
    """How a controller comes by a client of AWS that retries a failed call so many times."""

    def __call__(self, service: str, region: str, agent: str, retries: int, *roles: Role) -> Any:
        """Return a boto3 client, in the last of the roles, each of which assumes the next."""
        ...


class Controller(Protocol):
    """What runs in a cluster while its chart is installed."""

    def step(self, release: Props) -> None:
        """Look at the cluster once; ``release`` is the Helm release. Never waits for AWS."""

    def close(self) -> None:
        """Stop working."""


class Controllers:
    """The controllers of all clusters. ``kinds`` are by the Helm chart that brings them."""

    def __init__(self, store: Store, kinds: Mapping[str, Callable[[Store, Cluster, str], Controller]]) -> None:
        self._store = store
        self._kinds = kinds
        self._running: dict[tuple[str, str], Controller] = {}

    def step(self, clusters: Mapping[str, str]) -> None:
        """Let every controller look once. ``clusters`` are the EKS clusters that exist: their keys by their names.

        A controller works while its release is installed, its pods are up and its API server can be reached. Call it a
        few times a second, from one thread.
        """
        for name, chart in list(self._running):
            if name not in clusters:
                self._running.pop((name, chart)).close()
        for name, key in clusters.items():
            cluster = Cluster(self._store, name)
            releases = {chart_of(release): release for release in cluster.all("Release")}
            for chart, make in self._kinds.items():
                if chart not in releases or cluster.down(chart):
                    if stopped := self._running.pop((name, chart), None):
                        stopped.close()
                elif not cluster.unreachable:
                    if (name, chart) not in self._running:
                        self._running[name, chart] = make(self._store, cluster, key)
                    self._running[name, chart].step(releases[chart])

    def close(self) -> None:
        """Stop all controllers."""
        for controller in self._running.values():
            controller.close()
        self._running.clear()


@dataclass
class _Job:
    running: bool = False
    failures: int = 0
    failed: str = ""
    again: float = 0.0


class Queue:
    """The work of one controller: a few objects at once, and one that failed waits, twice as long each time."""

    def __init__(self, pool: Executor | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool or ThreadPoolExecutor(WORKERS)
        self._now = now
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()

    def offer(self, key: str, want: str, longest_wait: float, work: Callable[[], None]) -> None:
        """Do ``work`` for the object ``key``, unless it is being worked on or waits after a failure.

        ``want`` stands for what the object and its surroundings are; when that changes, waiting is over. A wait grows
        up to ``longest_wait`` seconds.
        """
        with self._lock:
            job = self._jobs.setdefault(key, _Job())
            if job.running or (job.failed == want and self._now() < job.again):
                return
            job.running = True
        self._pool.submit(self._do, key, job, want, longest_wait, work)

    def close(self) -> None:
        """Take no more work, and drop what has not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _do(self, key: str, job: _Job, want: str, longest_wait: float, work: Callable[[], None]) -> None:
        try:
            work()
        except (Failed, ClientError, BotoCoreError):
            self._wait(job, want, longest_wait)
        except Exception:
            _log.exception("a controller failed at %s", key)
            self._wait(job, want, longest_wait)
        else:
            with self._lock:
                del self._jobs[key]

    def _wait(self, job: _Job, want: str, longest_wait: float) -> None:
        with self._lock:
            job.running, job.failed = False, want
            job.again = self._now() + min(_FIRST_WAIT_SECONDS * 2**job.failures, longest_wait)
            job.failures += 1


def connect(service: str, region: str, agent: str, retries: int, *roles: Role) -> Any:
    """Return a client of the emulated AWS, in the last of the roles, that retries much as the Go SDK does.

    Waits double up to 20 seconds; after an error of the server they begin at 50 ms, where Go begins at a second. It has
    a role of its own, so that what it asks for is none of the program's.
    """

    def made(of: str, credentials: Mapping[str, Any]) -> Any:
        return boto3.client(
            of,  # pyright: ignore[reportArgumentType]
            region_name=region,
            endpoint_url=os.environ["AWS_ENDPOINT_URL"],  # without it a call would go to a real account
            **credentials,
            config=Config(
                retries={"mode": "standard", "max_attempts": retries}, user_agent_extra=f"{agent} {OUTSIDE_AGENT}"
            ),
        )

    credentials = {"aws_access_key_id": _KEY, "aws_secret_access_key": _KEY}
    for arn, external_id in roles:
        credentials = lent(made("sts", credentials), arn, external_id)
    return made(service, credentials)


def say(store: Store, cluster: Cluster, manifest: Props, reason: str, message: str) -> None:
    """Keep an event about an object: ``<cluster>|<kind>|<namespace>|<name>|<reason>`` with message, type and count."""
    key = "|".join((cluster.name, manifest["kind"], *place(manifest), reason))
    now = f"{datetime.now(UTC):%FT%TZ}"

    def count(event: dict[str, Any] | None) -> dict[str, Any]:
        seen = event or {"count": 0, "first": now}
        kind = "Normal" if reason == "SuccessfullyReconciled" else "Warning"
        return {**seen, "type": kind, "reason": reason, "message": message, "count": seen["count"] + 1, "last": now}

    store.change(EVENT, key, count)


def place(manifest: Props) -> tuple[str, str]:
    """Return the namespace and the name of an object; the namespace is empty where the kind has none."""
    return at(manifest, "metadata", "namespace") or "", manifest["metadata"]["name"]


def annotate(cluster: Cluster, manifest: Props, **metadata: Any) -> None:
    """Write fields of an object's metadata, if it is still there."""

    def edit(live: Props | None) -> Props | None:
        if live is None or not same(live, manifest):
            return live
        merged = {**live["metadata"]}
        for key, value in metadata.items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
        return {**live, "metadata": merged}

    cluster.change(manifest["kind"], *place(manifest), edit)


def let_go(cluster: Cluster, manifest: Props) -> None:
    """Remove the finalizers of an object that shall be deleted, and with them the object."""
    cluster.change(manifest["kind"], *place(manifest), lambda live: None if live and same(live, manifest) else live)


def same(live: Props, manifest: Props) -> bool:
    """Tell whether two states are of one object, and not of one that was made again under its name."""
    return live["metadata"]["uid"] == manifest["metadata"]["uid"]


def leaving(manifest: Props) -> bool:
    """Tell whether somebody has deleted an object, which is there until its controller lets go."""
    return "deletionTimestamp" in manifest["metadata"]


@functools.cache
def seconds(duration: str) -> float:
    """Return the seconds of a duration as Go writes it, such as ``1m30s``."""
    return sum(float(part["number"]) * _SECONDS[part["unit"]] for part in _DURATION.finditer(duration))
