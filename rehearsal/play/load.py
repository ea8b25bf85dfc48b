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
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import grpc

from rehearsal.play.answers import Answer
from rehearsal.world.balancer import ENDPOINT, GROUP_HEADER
from rehearsal.world.pods import CLUSTER_HEADER, STREAM_METHOD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from rehearsal.cloud.store import Store
    from rehearsal.play.destinations import Destination

LONGEST_SECONDS = 3600.0
"""A load ends by itself after that long."""

_TIMEOUT_SECONDS = 30.0
_NAMES_SECONDS = 5.0  # clients ask for a name again after that long, as after the 60 s of an alias record
_AGAIN_SECONDS = 0.2
_MOST_AT_ONCE = 1000
_HTTPS, _HTTP = 443, 80
_OK = 0


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
