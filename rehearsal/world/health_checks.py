"""The health checks of load balancers, made for real: every target is asked over HTTP or gRPC, again and again.

Owns when to ask and what an answer means. Refuses to own the thresholds (alb.py) and where states are
kept (targets.py).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import grpc

from rehearsal.world.alb import Health, matches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.cloud.targets import Target, Targets
    from rehearsal.world.alb import TargetGroup

AGENT = "ELB-HealthChecker/2.0"

_CHANNEL = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.primary_user_agent", AGENT),
    ("grpc.use_local_subchannel_pool", 1),
)

Place = tuple[str, str, int]
"""(target group ARN, target id, port)."""


@dataclass
class _Watched:
    group: TargetGroup
    address: str
    registered: float
    task: asyncio.Task[None]


class HealthChecks:
    """Checks every target that it was last told of, ``speed`` times as often as AWS would.

    A target has the whole timeout for its answer all the same: its own time runs no faster.
    """

    def __init__(self, targets: Targets, speed: float) -> None:
        self._targets = targets
        self._speed = speed
        self._watched: dict[Place, _Watched] = {}
        self._session = aiohttp.ClientSession(
            headers={"User-Agent": AGENT}, connector=aiohttp.TCPConnector(limit=0, force_close=True)
        )

    def follow(self, wanted: Mapping[Place, tuple[TargetGroup, str, Target]]) -> None:
        """Check these from now on, (group, address, target) by place, and no others.

        A target that was registered again is a new one; one whose group's health check was edited is not.
        """
        for place, watched in list(self._watched.items()):
            if place not in wanted or self._is_new(wanted[place], watched):
                watched.task.cancel()
                del self._watched[place]
        for place, (group, address, target) in wanted.items():
            if place in self._watched:
                self._watched[place].group = group
            elif group.check.enabled:
                task = asyncio.create_task(self._watch(place))
                self._watched[place] = _Watched(group, address, target.since, task)

    async def close(self) -> None:
        """Stop asking."""
        self.follow({})
        await self._session.close()

    @staticmethod
    def _is_new(wanted: tuple[TargetGroup, str, Target], watched: _Watched) -> bool:
        _, address, target = wanted
        again = target.reason == "Elb.RegistrationInProgress" and target.since != watched.registered
        return again or address != watched.address

    async def _watch(self, place: Place) -> None:
        watched = self._watched[place]
        await self._say(place, "initial", "Elb.InitialHealthChecking")
        health = Health()
        while True:
            before, check = health.state, watched.group.check
            reason, description = await self._reason(watched, place[2])
            health = health.after(check, passed=not reason)
            if health.state != before:
                await self._say(place, health.state, reason, description)
            await asyncio.sleep(check.interval / self._speed)

    async def _reason(self, watched: _Watched, port: int) -> tuple[str, str]:
        # Returns AWS's reason and description of a failed check, or two empty texts.
        check = watched.group.check
        ask = self._ask_grpc if watched.group.grpc else self._ask_http
        asking = ask(check.path, f"{watched.address}:{check.port or port}")
        try:
            code = await asyncio.wait_for(asking, check.timeout)
        except TimeoutError:
            return "Target.Timeout", ""
        except (aiohttp.ClientError, OSError):
            return "Target.FailedHealthChecks", ""
        if matches(check.matcher, code):
            return "", ""
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]"

    async def _say(self, place: Place, state: str, reason: str = "", description: str = "") -> None:
        group, target, port = place
        await asyncio.to_thread(self._targets.set_state, group, target, port, state, reason, description=description)

    async def _ask_http(self, path: str, target: str) -> int:
        async with self._session.get(f"http://{target}{path}", allow_redirects=False) as answer:
            return answer.status

    async def _ask_grpc(self, path: str, target: str) -> int:
        async with grpc.aio.insecure_channel(target, options=_CHANNEL) as channel:
            call = channel.unary_unary(path)(b"")
            code = await call.code()
            if code is grpc.StatusCode.UNAVAILABLE and not await call.trailing_metadata():
                raise ConnectionError(await call.details())
            return int(code.value[0])
