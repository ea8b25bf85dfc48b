"""Waits of a rehearsal: for so many healthy targets, or for anything else that holds in time.

Refuses to change the world.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from rehearsal.cloud.targets import Targets
from rehearsal.play import stackfile
from rehearsal.world.process import DEFAULT_SPEED

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.engine.sandbox import Sandbox
    from rehearsal.play.stackfile import Config

_INTERVAL, _THRESHOLD = 15, 2  # seconds between two health checks, and how many must agree, unless a route says so
_PATIENCE_SECONDS = 60.0  # beside what the health checks take


def until_healthy(sandbox: Sandbox, config: Config, cluster: str, pods: int) -> None:
    """Wait until every target group of a cluster has so many healthy targets; a node without a pod is none.

    :raises TimeoutError: one has not. The text says what its targets are
    """
    targets, elb = Targets(sandbox.store), sandbox.aws("elbv2")
    other: dict[str, Counter[str]] = {}

    def healthy() -> bool:
        groups = elb.describe_target_groups()["TargetGroups"]
        states = {
            group["TargetGroupName"]: Counter(target.state for target in targets.of(group["TargetGroupArn"]))
            for group in groups
            if cluster in group["TargetGroupName"]
        }
        other.clear()
        other.update({name: found for name, found in states.items() if found["healthy"] != pods})
        return not other

    def told() -> str:
        listed = (f"{name} has {_counted(states) or 'none'}" for name, states in sorted(other.items()))
        return "; ".join(listed)

    until(f"{cluster} has {pods} healthy targets everywhere", healthy, told, _checks_seconds(config))


def _counted(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _checks_seconds(config: Config) -> float:
    """Return how long the slowest health check takes to find a target well or dead, and then some."""
    checks = [route["healthCheck"] for route in stackfile.routes(config).values()]
    thresholds = ("healthyThreshold", "unhealthyThreshold")
    slowest = (
        check.get("interval", _INTERVAL) * max(check.get(key, _THRESHOLD) for key in thresholds) for check in checks
    )
    return 2 * max(slowest) / DEFAULT_SPEED


def until(what: str, holds: Callable[[], bool], told: Callable[[], str], more_seconds: float = 0.0) -> None:
    """Wait until it ``holds``.

    :raises TimeoutError: it did not in time. The text says what was ``told``
    """
    end = time.monotonic() + _PATIENCE_SECONDS + more_seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"it took too long until {what}: {told()}")
        time.sleep(0.5)
