"""A pod: a real HTTP or gRPC server on a loopback address, which answers with the key of its cluster.

Owns how a pod starts, serves, fails, dies and leaves. Refuses to own which pods there are (workloads.py).
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from aiohttp import web

from rehearsal.world.health_checks import AGENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLUSTER_HEADER = "X-Cluster"
"""On every answer of a pod, in gRPC as metadata: the key of its cluster. The body says the same."""

STREAM_METHOD = "Stream"
"""Any gRPC method is served: one of this name streams, every other answers once."""

STREAM_SECONDS = 0.2
"""Between two messages of a stream."""

_KEEP_ALIVE_SECONDS = 75.0  # longer than the load balancer's idle timeout, as AWS advises
_LONGEST_STREAM_SECONDS = 3600.0
_HEALTH_SERVICE = "/grpc.health.v1.Health/"
_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
_AT_ONCE = 0.01  # seconds; aiohttp takes 0 for no limit
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How the pods of a cluster's route behave; times in seconds.

    A new pod takes ``ready_after`` until it listens; every answer takes ``delay``; ``error_rate`` is the share of
    requests, 0 to 1, that fail with 500, in gRPC with INTERNAL. ``status`` is what all others are answered with: 404 of
    a gateway that knows nothing behind it, and is healthy. With ``health`` "fail" nothing fails but the load balancer's
    health checks. With ``alive`` false all pods are dead: what they were answering is reset, and nobody
    tells the cluster's API, as when a node is lost.
    """

    replicas: int = 2
    ready_after: float = 0.0
    delay: float = 0.0
    error_rate: float = 0.0
    status: int = 200
    health: str = "pass"
    alive: bool = True


@dataclass(eq=False)
class Pod:
    """A server. ``ready`` is what the cluster's API says of it, which of a dead pod is what it said before."""

    cluster: str
    address: str
    port: int
    grpc: bool
    behaviour: Behaviour
    ready: bool = False
    leaving: bool = False
    _http: web.ServerRunner | None = None
    _rpc: grpc.aio.Server | None = None
    _starting: asyncio.Task[None] | None = None
    _connections: web.Server | None = None
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        """Begin to start."""
        self._starting = asyncio.create_task(self._start())

    async def die(self) -> None:
        """End at once: connections are reset, and new ones refused."""
        if self._starting:
            self._starting.cancel()
        if self._http and self._connections:
            for site in list(self._http.sites):
                await site.stop()
            for connection in self._connections.connections:
                if connection.transport:
                    opened: socket.socket = connection.transport.get_extra_info("socket")
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    connection.transport.abort()
            await self._connections.shutdown(_AT_ONCE)
            await self._http.cleanup()
        if self._rpc:
            await self._rpc.stop(None)

    async def leave(self, seconds: float) -> None:
        """Fail health checks and serve on for so long; then end streams, finish what has begun, and end."""
        self.leaving = True
        if self._starting and not self._starting.done():
            await self.die()
            return
        await asyncio.sleep(seconds)
        self._ending.set()
        if self._http:
            await self._http.cleanup()
        if self._rpc:
            await self._rpc.stop(_KEEP_ALIVE_SECONDS)

    @property
    def unhealthy(self) -> bool:
        """Whether the load balancer's health checks fail."""
        return self.leaving or self.behaviour.health == "fail"

    def fails(self) -> bool:
        """Draw whether the next request fails."""
        return random.random() < self.behaviour.error_rate

    async def ends_within(self, seconds: float) -> bool:
        """Wait for so long, or until the pod ends its streams, and tell whether it does."""
        try:
            await asyncio.wait_for(self._ending.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _start(self) -> None:
        await asyncio.sleep(self.behaviour.ready_after)
        if self.grpc:
            self._rpc = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
            self._rpc.add_generic_rpc_handlers((_Methods(self),))
            self._rpc.add_insecure_port(f"{self.address}:{self.port}")
            await self._rpc.start()
        else:
            self._connections = web.Server(self._answer, keepalive_timeout=_KEEP_ALIVE_SECONDS)
            self._http = web.ServerRunner(self._connections)
            await self._http.setup()
            await web.TCPSite(self._http, self.address, self.port).start()
        self.ready = True

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        headers = {CLUSTER_HEADER: self.cluster}
        if request.headers.get("User-Agent") == AGENT:
            return web.Response(status=503 if self.unhealthy else 200, headers=headers)
        if self.behaviour.delay:
            await asyncio.sleep(self.behaviour.delay)
        return web.Response(
            status=500 if self.fails() else self.behaviour.status, text=f"{self.cluster}\n", headers=headers
        )


class _Methods(grpc.GenericRpcHandler):
    """Every method of a gRPC pod."""

    def __init__(self, pod: Pod) -> None:
        self._pod = pod
        self._metadata = ((CLUSTER_HEADER.lower(), pod.cluster),)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        method = handler_call_details.method
        agent = "".join(str(value) for name, value in handler_call_details.invocation_metadata if name == "user-agent")
        handler: Any = self._call
        if method.endswith(f"/{STREAM_METHOD}"):
            handler = self._stream
            return grpc.unary_stream_rpc_method_handler(handler)
        if method.startswith(_HEALTH_SERVICE) or agent.startswith(AGENT):
            handler = self._health
        return grpc.unary_unary_rpc_method_handler(handler)

    async def _health(self, _: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        if self._pod.unhealthy:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not serving", self._metadata)
        return _SERVING

    async def _call(self, _: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        await self._begin(context)
        return self._pod.cluster.encode()

    async def _stream(self, _: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
        await self._begin(context)
        for _number in range(int(_LONGEST_STREAM_SECONDS / STREAM_SECONDS)):
            yield self._pod.cluster.encode()
            if await self._pod.ends_within(STREAM_SECONDS):
                return

    async def _begin(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        if self._pod.behaviour.delay:
            await asyncio.sleep(self._pod.behaviour.delay)
        await context.send_initial_metadata(self._metadata)
        if self._pod.fails():
            await context.abort(grpc.StatusCode.INTERNAL, "as its error rate says", self._metadata)
