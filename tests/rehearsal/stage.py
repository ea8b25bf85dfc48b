"""A load balancer and pods at work on the loopback, without AWS: a test says which rules, groups and targets it has."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from multidict import CIMultiDict

from rehearsal.cloud.store import Store
from rehearsal.cloud.targets import Target
from rehearsal.world import loopback
from rehearsal.world.alb import HealthCheck, Rule, TargetGroup
from rehearsal.world.balancer import Backends, LoadBalancers
from rehearsal.world.metrics import Meter
from rehearsal.world.pods import Behaviour, Pod
from rehearsal.world.routing_table import Listener, LoadBalancer, RoutingTable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from rehearsal.world.alb import FixedResponse, Forward, Login, Redirect

BALANCER = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/public/0123456789abcdef"
DNS_NAME = "public-1.ap-northeast-1.elb.amazonaws.com"
CHECK = HealthCheck("/healthz", "200", interval=1, timeout=1, healthy_threshold=2, unhealthy_threshold=2)
GRPC_CHECK = HealthCheck("/grpc.health.v1.Health/Check", "0", 1, 1, healthy_threshold=2, unhealthy_threshold=2)
HOST = "app.example.com"
DIRECT = (("grpc.enable_http_proxy", 0),)  # whatever proxy the caller has

_numbers = itertools.count(20_000)


def group_arn(name: str) -> str:
    return f"arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/{name}/0123456789abcdef"


OLD, NEW = group_arn("web-v1-35"), group_arn("web-v1-36")


async def eventually(holds: Callable[[], Awaitable[bool] | bool]) -> None:
    """Wait until something holds; fail when it does not within 10 seconds."""
    for _ in range(200):
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came to hold")


@dataclass
class Stage:
    """One load balancer with a listener, and what is behind it."""

    store: Store
    home: str
    protocol: str = "HTTPS"
    idle_seconds: float = 60.0
    meter: Meter = field(default_factory=Meter)
    pods: list[Pod] = field(default_factory=list[Pod])

    def __post_init__(self) -> None:
        self.backends = Backends(self.idle_seconds)
        self.balancers = LoadBalancers(self.store, self.backends, self.meter, self.home)

    async def routes(
        self, action: Forward | FixedResponse | Redirect, *, grpc: bool = False, login: Login | None = None
    ) -> None:
        """Let the listener do this with every request, of those who have logged in where there is a ``login``."""
        check = GRPC_CHECK if grpc else CHECK
        table = RoutingTable(
            (
                LoadBalancer(
                    BALANCER,
                    DNS_NAME,
                    (Listener("arn:listener", 443, self.protocol, (Rule("r", 1, (), action, login),)),),
                ),
            ),
            {arn: TargetGroup(arn, grpc, check) for arn in (OLD, NEW)},
        )
        await self.balancers.apply(table)

    async def pod(self, cluster: str, *, grpc: bool = False, **behaviour: Any) -> Pod:
        """Start a pod and wait until it is ready."""
        number = next(_numbers)
        address = loopback.address(self.home, str(number))
        pod = Pod(cluster, address, number, grpc, Behaviour(**behaviour))
        self.pods.append(pod)
        pod.start()
        await eventually(lambda: pod.ready)
        return pod

    def targets(self, **groups: list[Pod]) -> None:
        """Say which pods are healthy targets of the old and of the new group."""
        arns = {"old": OLD, "new": NEW}
        self.backends.see(
            {
                arns[name]: [Target(arns[name], pod.address, pod.port, state="healthy") for pod in pods]
                for name, pods in groups.items()
            },
            {},
        )

    def endpoint(self, kind: str = "") -> str:
        """Return ``address:port`` of the listener, or with kind "|grpc" of its gRPC side."""
        found = self.store.get("endpoint", f"{BALANCER}|443{kind}")
        assert found
        return f"{found['address']}:{found['port']}"

    async def call(self, method: str = "/a.B/C", body: bytes = b"") -> tuple[grpc.StatusCode, bytes, CIMultiDict[Any]]:
        """Make a gRPC call of one request and return its code, the answers joined, and all metadata."""
        async with grpc.aio.insecure_channel(self.endpoint("|grpc"), DIRECT) as channel:
            call = channel.unary_stream(method)(body, metadata=(("host", HOST),))
            answers: list[bytes] = []
            with suppress(grpc.aio.AioRpcError):
                answers += [message async for message in call]
            said = CIMultiDict((*await call.initial_metadata(), *await call.trailing_metadata()))
            return await call.code(), b"".join(answers), said


@asynccontextmanager
async def stage(folder: Path, **options: Any) -> AsyncGenerator[Stage]:
    """Set a stage, and clear it."""
    setting = Stage(Store(folder / "store.sqlite"), str(folder), **options)
    try:
        yield setting
    finally:
        await setting.balancers.close()
        await setting.backends.close()
        for pod in setting.pods:
            await pod.die()
