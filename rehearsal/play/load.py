"""Clients of the load balancers: a steady stream of HTTP and gRPC requests by DNS name, for the whole of a rehearsal.

Owns sending and noting down. Refuses to own what the answers should be (answers.py counts them), and any place off the
loopback: names are resolved by the emulated Route 53 alone.
"""

from __future__ import annotations

import asyncio
import ipaddress
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import grpc
from multidict import CIMultiDict, MultiDict

from rehearsal.play.answers import Answer
from rehearsal.world.alb import Request, rule_for, rules
from rehearsal.world.balancer import ENDPOINT, GROUP_HEADER, SOURCE_HEADER
from rehearsal.world.pods import CLUSTER_HEADER, STREAM_METHOD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from rehearsal.cloud.store import Store
    from rehearsal.play.stackfile import Config

LONGEST_SECONDS = 3600.0
"""A load ends by itself after that long."""

_TIMEOUT_SECONDS = 30.0
_NAMES_SECONDS = 5.0  # clients ask for a name again after that long, as after the 60 s of an alias record
_AGAIN_SECONDS = 0.2
_MOST_AT_ONCE = 1000
_HTTPS, _HTTP = 443, 80
_OK = 0
_CALL = "/rehearsal.Echo/Call"
_NOT_FOUND: dict[str, Any] = {
    "RuleArn": "",
    "Priority": "default",
    "Conditions": [],
    "Actions": [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
}


@dataclass(frozen=True)
class Destination:
    """What one kind of client asks for. ``share`` tells how much of the load it is, against those of the others.

    ``balancer`` is the name of the load balancer in the stack file, for a ``host`` of which no record tells. Where the
    load balancer answers itself, ``expects`` is the status of its answer.
    """

    route: str
    host: str
    path: str
    grpc: bool = False
    share: int = 1
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    balancer: str = ""
    method: str = "GET"
    expects: int = 0


class Names:
    """A resolver: the emulated Route 53 gives the load balancer's DNS name, and the store tells where that listens."""

    def __init__(self, store: Store, *route53: Any) -> None:
        self._store = store
        self._route53 = route53

    def resolve(self, host: str, *, grpc: bool, balancer: str = "") -> tuple[str, int]:
        """Return address and port; of the load balancer ``balancer`` where no record has the name.

        Raises LookupError where the name, or behind it a listener, is not there.
        """
        dns_name = self._alias(host) or self._own_name(balancer)
        if dns_name is None:
            raise LookupError(f"no record {host}")
        ports: dict[int, dict[str, Any]] = {}
        for key, endpoint in self._store.all(ENDPOINT).items():
            _, port, *kind = key.split("|")
            if endpoint["dnsName"].lower() == dns_name and bool(kind) == grpc:
                ports[int(port)] = endpoint
        found = ports.get(_HTTPS) or ports.get(_HTTP)
        if found is None:
            raise LookupError(f"nothing listens behind {host}")
        if not ipaddress.ip_address(found["address"]).is_loopback:
            raise LookupError(f"{host} is at {found['address']}, and the rehearsal stays on the loopback")
        return found["address"], found["port"]

    def _own_name(self, balancer: str) -> str | None:
        """Return the DNS name that AWS gave to a load balancer, by which its users ask where no record is made."""
        names: set[str] = {endpoint["dnsName"].lower() for endpoint in self._store.all(ENDPOINT).values()}
        begins = (f"{balancer}-", f"internal-{balancer}-")
        return next((name for name in sorted(names) if balancer and name.startswith(begins)), None)

    def _alias(self, host: str) -> str | None:
        wildcard = f"*.{host.partition('.')[2]}"
        for record in (record for one in self._route53 for record in records(one)):
            # Route 53 answers with the asterisk as an escape.
            name = record["Name"].rstrip(".").replace("\\052", "*")
            if "AliasTarget" in record and name in {host, wildcard}:
                return record["AliasTarget"]["DNSName"].rstrip(".").removeprefix("dualstack.").lower()
        return None


def records(route53: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the records of all hosted zones of an account."""
    for zone in route53.list_hosted_zones()["HostedZones"]:
        yield from route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]


def destinations(config: Config) -> list[Destination]:
    """Return one destination per live route of a stack file; for a gRPC call there are four HTTP requests.

    It asks for what the route answers, and none of those before it on the same load balancer.
    """
    balancers, routes = config["eks-cutover:loadBalancers"], config["eks-cutover:routes"]
    on = {name: route.get("loadBalancer") or next(iter(balancers)) for name, route in routes.items()}
    found: list[Destination] = []
    for name, route in routes.items():
        if not route.get("live", True):
            continue
        beside = {other: routes[other] for other in routes if on[other] == on[name] and routes[other].get("live", True)}
        listener = rules([*map(_described, beside, beside.values()), _NOT_FOUND])
        is_grpc, request = route.get("protocolVersion") == "GRPC", _request_of(route)
        expects = _status(route)
        names = balancers[on[name]].get("names", ())
        # A client by the load balancer's own name has it as its host; where no route asks for a host, any does.
        hosts = [_one(host) for host in [*route.get("hosts", ()), *names, f"{on[name]}.rehearsal"]]
        paths = [_CALL] * is_grpc + [_one(path) for path in route.get("paths", ("/*",))]
        asked = [(host, path) for host in hosts for path in paths]
        taken = (one for one in asked if rule_for(replace(request, host=one[0], path=one[1]), listener).arn == name)
        host, path = next(taken, asked[0])
        query = "&".join(f"{key}={value}" for key, value in request.query.items())
        to = Destination(
            route=name,
            host=host,
            path=f"{path}?{query}" if query else path,
            grpc=is_grpc,
            share=1 if is_grpc or expects else 4,
            headers={**request.headers, **({SOURCE_HEADER: request.source} if route.get("sourceCidrs") else {})},
            balancer=balancers[on[name]].get("existing", {}).get("name", on[name]),
            method=request.method,
            expects=expects,
        )
        found.append(to)
    return found


def _status(route: Mapping[str, Any]) -> int:
    """Return the status of what the load balancer answers itself, and 0 for a route to clusters."""
    answer = route.get("redirect") or route.get("fixedResponse")
    return int(answer.get("code", "301")) if answer else 0


def _described(name: str, route: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weighted rule of a route as AWS would describe it, but for its action."""
    fields = {
        "host-header": ("HostHeaderConfig", "hosts"),
        "path-pattern": ("PathPatternConfig", "paths"),
        "http-request-method": ("HttpRequestMethodConfig", "methods"),
        "source-ip": ("SourceIpConfig", "sourceCidrs"),
    }
    conditions: list[dict[str, Any]] = [
        {"Field": one, config: {"Values": list(route[key])}} for one, (config, key) in fields.items() if route.get(key)
    ]
    for header, values in route.get("headers", {}).items():
        conditions.append({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": header, "Values": values}})
    if query := route.get("query"):
        pairs = [{name.capitalize(): text for name, text in one.items()} for one in query]
        conditions.append({"Field": "query-string", "QueryStringConfig": {"Values": pairs}})
    return {**_NOT_FOUND, "RuleArn": name, "Priority": str(route["priority"]), "Conditions": conditions}


def _request_of(route: Mapping[str, Any]) -> Request:
    """Return a request that a route takes, but for its host and path."""
    headers = {name: _one(values[0]) for name, values in route.get("headers", {}).items()}
    query = {_one(one.get("key", "rehearsal")): _one(one["value"]) for one in route.get("query", ())[:1]}
    source = ipaddress.ip_network(route["sourceCidrs"][0])[0] if route.get("sourceCidrs") else "127.0.0.1"
    method = next(iter(route.get("methods", ())), "GET")
    return Request("", "", CIMultiDict(headers), MultiDict(query), method, str(source))


def ask(names: Names, destination: Destination, step: str = "") -> Answer:
    """Send one request, on a connection of its own, and return what came back."""

    async def once() -> Answer:
        async with _Client(names, destination) as client:
            return await client.ask(step, fresh=True)

    return asyncio.run(once())


class Load:
    """A context manager: inside it the load flows, in a thread of its own.

    ``rate`` is in requests per second, over all destinations; one of ``fresh`` requests has a new connection, the
    others share kept ones. Every gRPC destination has a long stream besides. Ends after `LONGEST_SECONDS` by itself.
    """

    def __init__(self, names: Names, to: Sequence[Destination], *, rate: float = 200.0, fresh: int = 4) -> None:
        self.answers: list[Answer] = []
        self.asked = 0.0  # requests per second, once the load has ended
        self._names = names
        self._to = to
        self._rate = rate
        self._fresh = fresh
        self._step = ""
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def enter(self, step: str) -> None:
        """Note requests that go out from now on under ``step``."""
        self._step = step

    async def _run(self) -> None:
        self._loop, begin = asyncio.get_running_loop(), time.monotonic()
        clients = [_Client(self._names, destination) for destination in self._to]
        sending = [asyncio.create_task(self._send(client)) for client in clients]
        streams = [asyncio.create_task(self._stream(client)) for client in clients if client.destination.grpc]
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), LONGEST_SECONDS)
        self._stop.set()
        for stream in streams:
            stream.cancel()
        seconds = time.monotonic() - begin
        await asyncio.gather(*sending, *streams, return_exceptions=True)
        self.asked = sum(one.kind != "stream" for one in self.answers) / seconds
        for client in clients:
            await client.close()

    async def _send(self, client: _Client) -> None:
        share = client.destination.share / sum(destination.share for destination in self._to)
        interval = 1 / (self._rate * share)
        begin, sent = time.monotonic(), 0
        running: set[asyncio.Task[None]] = set()
        while not self._stop.is_set():
            await asyncio.sleep(max(0.0, begin + sent * interval - time.monotonic()))
            if len(running) < _MOST_AT_ONCE:
                task = asyncio.create_task(self._note(client, fresh=sent % self._fresh == 0))
                running.add(task)
                task.add_done_callback(running.discard)
            sent += 1
        await asyncio.gather(*running)

    async def _note(self, client: _Client, *, fresh: bool) -> None:
        self.answers.append(await client.ask(self._step, fresh=fresh))

    async def _stream(self, client: _Client) -> None:
        while not self._stop.is_set():
            async for answer in client.listen(lambda: self._step):
                self.answers.append(answer)
            await asyncio.sleep(_AGAIN_SECONDS)


class _Client:
    """Clients of one destination, with the connections that they keep."""

    def __init__(self, names: Names, destination: Destination) -> None:
        self.destination = destination
        self._names = names
        self._place: tuple[str, int] | None = None
        self._asked_at = 0.0
        self._asking = asyncio.Lock()
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        self._kept = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)
        self._single = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=timeout)
        self._channels: dict[tuple[str, int], grpc.aio.Channel] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._kept.close()
        await self._single.close()
        for channel in self._channels.values():
            await channel.close()

    async def ask(self, step: str, *, fresh: bool) -> Answer:
        """Send one request; whatever goes wrong is an answer too."""
        now, begin = time.time(), time.monotonic()
        cluster, group, status, error = "", "", None, ""
        try:
            send = self._call if self.destination.grpc else self._get
            cluster, group, status = await send(await self._resolve(), fresh=fresh)
            if self.destination.expects not in {0, status}:
                error = f"{status}, where the load balancer itself was to answer with {self.destination.expects}"
        except (LookupError, aiohttp.ClientError, OSError, TimeoutError) as wrong:
            error = f"{type(wrong).__name__}: {wrong}"
        kind = "grpc" if self.destination.grpc else "answer" if self.destination.expects else "http"
        seconds = time.monotonic() - begin
        return Answer(now, step, self.destination.route, kind, cluster, group, status, error, seconds)

    async def listen(self, step: Callable[[], str]) -> AsyncIterator[Answer]:
        """Open a stream and yield an answer per message, and one for its end where that is a failure."""
        method = f"{self.destination.path.rpartition('/')[0]}/{STREAM_METHOD}"
        cluster, group, status, error = "", "", None, ""
        begin = time.monotonic()

        def answer() -> Answer:
            seconds = time.monotonic() - begin
            return Answer(time.time(), step(), self.destination.route, "stream", cluster, group, status, error, seconds)

        try:
            call = self._channel(await self._resolve()).unary_stream(method)(b"", metadata=self._metadata())
            cluster, group = _named(await call.initial_metadata())
            async for message in call:
                cluster, status = message.decode(), _OK
                yield answer()
                begin = time.monotonic()
            status = None
            status, error = int((await call.code()).value[0]), str(await call.details())
        except grpc.aio.AioRpcError as wrong:
            status, error = int(wrong.code().value[0]), str(wrong.details())
        except LookupError as wrong:
            error = f"{type(wrong).__name__}: {wrong}"
        if status != _OK:
            yield answer()

    async def _resolve(self) -> tuple[str, int]:
        async with self._asking:
            if self._place is None or time.monotonic() > self._asked_at + _NAMES_SECONDS:
                to = self.destination
                self._place = await asyncio.to_thread(self._names.resolve, to.host, grpc=to.grpc, balancer=to.balancer)
                self._asked_at = time.monotonic()
            return self._place

    async def _get(self, place: tuple[str, int], *, fresh: bool) -> tuple[str, str, int]:
        session = self._single if fresh else self._kept
        url = f"http://{place[0]}:{place[1]}{self.destination.path}"
        headers = {"Host": self.destination.host, **self.destination.headers}
        async with session.request(self.destination.method, url, headers=headers, allow_redirects=False) as answer:
            await answer.read()
            return answer.headers.get(CLUSTER_HEADER, ""), answer.headers.get(GROUP_HEADER, ""), answer.status

    async def _call(self, place: tuple[str, int], *, fresh: bool) -> tuple[str, str, int]:
        channel = grpc.aio.insecure_channel(f"{place[0]}:{place[1]}", _OWN) if fresh else self._channel(place)
        try:
            method = channel.unary_unary(self.destination.path)
            call = method(b"", metadata=self._metadata(), timeout=_TIMEOUT_SECONDS)
            code = await call.code()
            cluster, group = _named((*await call.initial_metadata(), *await call.trailing_metadata()))
            return cluster, group, int(code.value[0])
        finally:
            if fresh:
                await channel.close()

    def _channel(self, place: tuple[str, int]) -> grpc.aio.Channel:
        if place not in self._channels:
            self._channels[place] = grpc.aio.insecure_channel(f"{place[0]}:{place[1]}", _OWN)
        return self._channels[place]

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        headers = ((name.lower(), value) for name, value in self.destination.headers.items())
        return (("host", self.destination.host), *headers)


_OWN = (
    ("grpc.enable_http_proxy", 0),  # the caller's proxy shall not see the loopback
    ("grpc.use_local_subchannel_pool", 1),
)


def _named(metadata: Iterable[tuple[str, Any]]) -> tuple[str, str]:
    said = dict(metadata)
    return said.get(CLUSTER_HEADER.lower(), ""), said.get(GROUP_HEADER.lower(), "")


def _one(pattern: str) -> str:
    """Return something that a pattern with wildcards matches."""
    return pattern.replace("*", "rehearsal").replace("?", "x")
