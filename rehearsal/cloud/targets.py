"""The targets of target groups: which are registered, and in which state, in AWS's words.

Owns what moto lacks: a target is told apart by its id *and* its port, has a zone, and takes a while to leave. Refuses
to judge health (the load balancer's health checks do), and to know whether a group is attached to a load balancer or
what its attributes are (the emulated API does).
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rehearsal.cloud.store import Store

KIND = "target"

DESCRIPTIONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.Timeout": "Request timed out",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
}
"""What AWS says beside a reason, where the words are always the same."""


@dataclass(frozen=True)
class Target:
    """A registered target, or one that is being drained.

    ``group`` is the ARN of its target group, ``zone`` its Availability Zone or ``all`` (empty for an instance),
    ``since`` the epoch second in which its ``state`` began, ``until`` the one in which a draining target is gone.
    """

    group: str
    id: str
    port: int
    zone: str = ""
    state: str = "initial"
    reason: str = "Elb.RegistrationInProgress"
    description: str = DESCRIPTIONS["Elb.RegistrationInProgress"]
    since: float = 0.0
    until: float | None = None


class Targets:
    """The targets of all groups. Safe between processes: a state never overwrites a registration or its end."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now

    def register(self, group: str, targets: Iterable[tuple[str, int, str]]) -> None:
        """Register (id, port, zone) in a group: each is ``initial``, as is one that was leaving.

        One that is registered already stays as it is.
        """
        for target, port, zone in targets:
            fresh = Target(group, target, port, zone, since=self._now())
            self._store.change(
                KIND, _key(group, target, port), lambda live, fresh=fresh: live if _stays(live) else asdict(fresh)
            )

    def deregister(self, group: str, targets: Iterable[tuple[str, int]], delay: float) -> None:
        """Take (id, port) out of a group: each is ``draining`` for ``delay`` seconds, and then gone.

        One that is not registered, or is leaving already, is left alone.
        """
        leaving = {"state": "draining", **_because("Target.DeregistrationInProgress"), "since": self._now()}
        leaving["until"] = self._now() + delay
        for target, port in targets:
            self._store.change(
                KIND, _key(group, target, port), lambda live: {**live, **leaving} if live and _stays(live) else live
            )

    def set_state(
        self, group: str, target: str, port: int, state: str, reason: str = "", *, description: str = ""
    ) -> None:
        """Say in which state a target is: ``healthy``, ``unhealthy`` or ``initial``, with AWS's reason if it has one.

        ``description`` is AWS's own for the reason unless it is given. ``since`` tells when the state last changed. A
        target that has left or is leaving stays so.
        """
        judged = {"state": state, **_because(reason, description)}

        def judge(live: dict[str, Any] | None) -> dict[str, Any] | None:
            if live is None or not _stays(live):
                return live
            since = live["since"] if live["state"] == state else self._now()
            return {**live, **judged, "since": since}

        self._store.change(KIND, _key(group, target, port), judge)

    def of(self, group: str) -> list[Target]:
        """Return the targets of a group, those that are draining too."""
        return [target for target in self._all() if target.group == group]

    def groups(self) -> set[str]:
        """Return the ARNs of the groups that have a target."""
        return {target.group for target in self._all()}

    def forget(self, group: str) -> None:
        """Forget all targets of a group, which has been deleted."""
        for target in self.of(group):
            self._store.delete(KIND, _key(group, target.id, target.port))

    def _all(self) -> list[Target]:
        every = (Target(**document) for document in self._store.all(KIND).values())
        return [target for target in every if target.until is None or target.until > self._now()]


def _because(reason: str, description: str = "") -> dict[str, Any]:
    return {"reason": reason, "description": description or DESCRIPTIONS.get(reason, "")}


def _stays(live: dict[str, Any] | None) -> bool:
    return live is not None and live["until"] is None


def _key(group: str, target: str, port: int) -> str:
    return f"{group}|{target}|{port}"
