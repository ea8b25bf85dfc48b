"""The load balancers of the emulated AWS as clients meet them: listeners on loopback addresses that carry requests.

Owns what an ALB does with bytes: HTTP by aiohttp, gRPC by grpc. Refuses to own its decisions (alb.py), the health of
targets (health_checks.py), and whether a rule is wise: what the routing table says is done. There is no TLS: an HTTPS
listener speaks plain HTTP, and has a second port for gRPC. The gRPC server of Python hides `:authority`, so a gRPC
client says the host in the metadata `host` too.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import time
from collections import defaultdict
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc
from aiohttp import web
from multidict import CIMultiDict, MultiDict
from yarl import URL

from rehearsal.world import alb, loopback
from rehearsal.world.routing_table import RoutingTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from multidict import CIMultiDictProxy

    from rehearsal.cloud.store import Store
    from rehearsal.cloud.targets import Target
    from rehearsal.world.metrics import Meter
    from rehearsal.world.routing_table import Listener, LoadBalancer

ENDPOINT = "endpoint"
"""Documents that say where a listener is, {address, port, dnsName}: key ``<load balancer ARN>|<port>``, for gRPC with
``|grpc`` behind. ``dnsName`` is the load balancer's."""

GROUP_HEADER = "X-Rehearsal-Target-Group"
"""On every answer that a rule forwards, also where the load balancer itself had to answer: the target group's name."""

SOURCE_HEADER = "X-Rehearsal-Source"
"""On a request: the address that it comes from, since on the loopback every request comes from 127.0.0.1."""

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 60.0  # the idle timeout of a load balancer as AWS makes it
_LONGEST_STREAM_SECONDS = 3600.0
_PROTOCOL_MISMATCH = 464
_IDENTITY = "x-amzn-oidc-identity"
_HOP_BY_HOP = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
_OF_THE_CHANNEL = ("host", "user-agent", SOURCE_HEADER.lower())
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_CHANNEL = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
_SERVER = (("grpc.so_reuseport", 0),)  # a second server on the port shall fail, not share it


class Backends:
    """Which target is next in each group, and the connections to targets that all listeners share.

    ``idle_seconds`` is how long a target may take for an answer.
    """

    def __init__(self, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._serving: dict[str, list[Target]] = {}
        self._addresses: Mapping[str, str] = {}
        self._turns: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=idle_seconds),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        )

    def see(self, targets: Mapping[str, Sequence[Target]], addresses: Mapping[str, str]) -> None:
        """Take the targets of every group from now on. ``addresses`` are those of nodes by their instance id.

        A connection to a target that is gone ends with the last stream on it.
        """
        self._serving = {group: alb.serving(registered) for group, registered in targets.items()}
        self._addresses = addresses
        known = {self._place(target) for registered in targets.values() for target in registered}
        for place in self._channels.keys() - known:
            closing = asyncio.create_task(self._channels.pop(place).close(_LONGEST_STREAM_SECONDS))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def next(self, group: str) -> str | None:
        """Return the ``address:port`` whose turn it is in a group, or None where nothing is registered."""
        serving = self._serving.get(group)
        return self._place(serving[next(self._turns[group]) % len(serving)]) if serving else None

    def channel(self, place: str) -> grpc.aio.Channel:
        """Return the connection to ``address:port`` that gRPC calls share."""
        if place not in self._channels:
            self._channels[place] = grpc.aio.insecure_channel(place, options=_CHANNEL)
        return self._channels[place]

    async def close(self) -> None:
        """Close every connection, and cut what is on it."""
        for closing in self._closing:
            closing.cancel()
        await self.session.close()
        for channel in self._channels.values():
            await channel.close()

    def _place(self, target: Target) -> str:
        return f"{self._addresses.get(target.id, target.id)}:{target.port}"


class LoadBalancers:
    """All load balancers of the emulated AWS. ``home`` tells their addresses apart from those of other rehearsals."""

    def __init__(self, store: Store, backends: Backends, meter: Meter, home: str) -> None:
        self._store = store
        self._backends = backends
        self._meter = meter
        self._home = home
        self._fronts: dict[tuple[str, int], _Front] = {}

    async def apply(self, table: RoutingTable) -> None:
        """Let a routing table count from now on: listeners come and go, rules change between two requests."""
        wanted = {
            (balancer.arn, listener.port): (balancer, listener)
            for balancer in table.balancers
            for listener in balancer.listeners
        }
        for key in self._fronts.keys() - wanted.keys():
            await self._fronts.pop(key).close()
        for key, (balancer, listener) in wanted.items():
            if key not in self._fronts:
                self._fronts[key] = _Front(self._store, self._backends, self._meter, balancer, listener)
                await self._fronts[key].open(loopback.address(self._home, balancer.arn))
            self._fronts[key].listener, self._fronts[key].table = listener, table

    async def close(self) -> None:
        """Stop listening."""
        await self.apply(RoutingTable())


class _Front(grpc.GenericRpcHandler):
    """A listener at work."""

    def __init__(
        self, store: Store, backends: Backends, meter: Meter, balancer: LoadBalancer, listener: Listener
    ) -> None:
        self.listener = listener
        self.table = RoutingTable()
        self._store = store
        self._backends = backends
        self._meter = meter
        self._balancer = balancer.arn
        self._dns_name = balancer.dns_name
        self._key = f"{balancer.arn}|{listener.port}"
        server = web.Server(self._answer, keepalive_timeout=_IDLE_SECONDS)
        self._runner = web.ServerRunner(server, shutdown_timeout=1)
        self._grpc: grpc.aio.Server | None = None

    async def open(self, address: str) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, address, 0).start()
        self._publish(self._key, address, self._runner.addresses[0][1])
        if self.listener.protocol == "HTTPS":  # ALB takes gRPC on no other
            self._grpc = grpc.aio.server(options=_SERVER)
            self._grpc.add_generic_rpc_handlers((self,))
            port = self._grpc.add_insecure_port(f"{address}:0")
            await self._grpc.start()
            self._publish(f"{self._key}|grpc", address, port)

    async def close(self) -> None:
        self._store.delete(ENDPOINT, self._key)
        self._store.delete(ENDPOINT, f"{self._key}|grpc")
        await self._runner.cleanup()
        if self._grpc:
            await self._grpc.stop(None)

    def _publish(self, key: str, address: str, port: int) -> None:
        self._store.put(ENDPOINT, key, {"address": address, "port": port, "dnsName": self._dns_name})

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = alb.Request(
            host=request.host.partition(":")[0],
            path=request.rel_url.raw_path,
            headers=request.headers,
            query=request.rel_url.query,
            method=request.method,
            source=request.headers.get(SOURCE_HEADER, request.remote or ""),
        )
        rule = alb.rule_for(asked, self.listener.rules)
        user = alb.user_of(rule.login, request.cookies) if rule.login else None
        if rule.login and user is None and rule.login.keeps_out:
            return _not_logged_in(rule.login, asked.host)
        match rule.action:
            case alb.FixedResponse(status, content_type, body):
                return web.Response(status=status, text=body, content_type=content_type)
            case alb.Redirect() as redirect:
                place = redirect.location(self.listener.protocol, self.listener.port, asked)
                return web.Response(status=redirect.status, headers={"Location": place})
            case alb.Forward() as forward:
                who = {_IDENTITY: user} if user else {}
                return await self._forward(request, asked, forward, who if rule.login else None)

    async def _forward(
        self, request: web.BaseRequest, asked: alb.Request, forward: alb.Forward, who: Mapping[str, str] | None
    ) -> web.StreamResponse:
        """Send a request on; ``who`` are the headers that tell who has logged in, None where nobody is asked."""
        cookie = request.cookies.get(alb.STICKY_COOKIE) if forward.sticky else None
        group, target = self._choose(forward, cookie)
        if group in self.table.groups and self.table.groups[group].grpc:
            return _own_answer(_PROTOCOL_MISMATCH, group)
        if target is None:
            self._meter.failed(self._balancer)
            return _own_answer(HTTPStatus.SERVICE_UNAVAILABLE, group)
        self._meter.sent(self._balancer, group)
        begin = time.monotonic()
        try:
            answer = await self._backends.session.request(
                request.method,
                URL(f"http://{target}{request.raw_path}", encoded=True),
                headers=self._onward(request.headers, asked.source, who),
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            )
        except TimeoutError:
            self._meter.failed(self._balancer)
            return _own_answer(HTTPStatus.GATEWAY_TIMEOUT, group)
        except (aiohttp.ClientError, OSError):
            self._meter.refused(self._balancer, group)
            self._meter.failed(self._balancer)
            return _own_answer(HTTPStatus.BAD_GATEWAY, group)
        async with answer:
            self._meter.answered(self._balancer, group, answer.status, time.monotonic() - begin)
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=_without(answer.headers, _HOP_BY_HOP)
            )
            response.headers[GROUP_HEADER] = _name(group)
            if forward.sticky:
                value = alb.sticky_cookie(group, time.time() + forward.sticky)
                response.set_cookie(alb.STICKY_COOKIE, value, max_age=forward.sticky)
            await response.prepare(request)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            except (aiohttp.ClientError, OSError):
                # Half an answer is out: all that is left is to let the client see that it is not whole.
                if request.transport:
                    request.transport.abort()
            return response

    def _choose(self, forward: alb.Forward, cookie: str | None = None) -> tuple[str, str | None]:
        group = alb.group_for(forward, random.random(), cookie, time.time())
        return (group, self._backends.next(group)) if group else ("", None)

    def _onward(self, headers: CIMultiDictProxy[str], source: str, who: Mapping[str, str] | None) -> CIMultiDict[str]:
        onward = _without(headers, (*_HOP_BY_HOP, SOURCE_HEADER.lower()))
        if who is not None:  # what a client says of itself is not what the load balancer knows
            onward = _without(onward, (_IDENTITY,))
            onward.update(who)
        onward["X-Forwarded-For"] = ", ".join([*headers.getall("X-Forwarded-For", ()), source])
        onward["X-Forwarded-Proto"] = self.listener.protocol.lower()
        onward["X-Forwarded-Port"] = str(self.listener.port)
        return onward

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """Carry any method: a call is a stream of bytes each way, whatever its kind."""
        carry: Any = partial(self._carry, handler_call_details.method)
        return grpc.stream_stream_rpc_method_handler(carry)

    async def _carry(
        self, method: str, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        headers: CIMultiDict[Any] = CIMultiDict((name, value) for name, value in context.invocation_metadata() or ())
        asked = alb.Request(
            host=str(headers.get("host", "")).partition(":")[0],
            path=method,
            headers=headers,
            query=MultiDict(),
            method="POST",
            source=headers.get(SOURCE_HEADER) or context.peer().split(":")[1],
        )
        rule = alb.rule_for(asked, self.listener.rules)
        action = rule.action
        if rule.login and rule.login.keeps_out:  # a browser alone could log in
            await self._abort(context, rule.login.status)
            return
        if not isinstance(action, alb.Forward):
            await self._abort(context, action.status)
            return
        group, target = self._choose(action)
        if group in self.table.groups and not self.table.groups[group].grpc:
            await self._abort(context, _PROTOCOL_MISMATCH, group)
        if target is None:
            self._meter.failed(self._balancer)
            await self._abort(context, HTTPStatus.SERVICE_UNAVAILABLE, group)
            return
        self._meter.sent(self._balancer, group)
        onward = tuple((name, value) for name, value in headers.items() if name not in _OF_THE_CHANNEL)
        call = self._backends.channel(target).stream_stream(method)(
            requests, metadata=onward, timeout=context.time_remaining()
        )
        await self._pass_back(call, context, group)

    async def _pass_back(self, call: Any, context: grpc.aio.ServicerContext[Any, Any], group: str) -> None:
        begin = time.monotonic()
        try:
            first = await call.initial_metadata()
            await context.send_initial_metadata((*first, (GROUP_HEADER.lower(), _name(group))))
            async for message in call:
                await context.write(message)
            code, details, last = await call.code(), await call.details(), await call.trailing_metadata()
        except grpc.aio.AioRpcError as error:
            first = error.initial_metadata()
            code, details, last = error.code(), error.details(), error.trailing_metadata()
        finally:
            call.cancel()
        if code is grpc.StatusCode.UNAVAILABLE and not first and not last:  # nobody answered
            self._meter.refused(self._balancer, group)
            self._meter.failed(self._balancer)
            await self._abort(context, HTTPStatus.BAD_GATEWAY, group)
            return
        self._meter.answered(self._balancer, group, HTTPStatus.OK, time.monotonic() - begin)
        context.set_trailing_metadata(tuple(last))
        context.set_code(code)
        context.set_details(details or "")

    @staticmethod
    async def _abort(context: grpc.aio.ServicerContext[Any, Any], status: int, group: str = "") -> None:
        trailing = ((GROUP_HEADER.lower(), _name(group)),) if group else ()
        await context.abort(_CODES[alb.grpc_code(status)], f"HTTP {int(status)} of the load balancer", trailing)


def _own_answer(status: int, group: str) -> web.Response:
    headers = {GROUP_HEADER: _name(group)} if group else {}
    return web.Response(status=status, text=f"HTTP {int(status)} of the load balancer\n", headers=headers)


def _not_logged_in(login: alb.Login, host: str) -> web.Response:
    deny = login.status == HTTPStatus.UNAUTHORIZED
    headers = {} if deny else {"Location": login.place(host, secrets.token_urlsafe())}
    return web.Response(status=login.status, text=f"HTTP {login.status} of the load balancer\n", headers=headers)


def _without(headers: CIMultiDictProxy[str] | CIMultiDict[str], names: Sequence[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in names)


def _name(group: str) -> str:
    return group.split("/")[1] if group else ""
