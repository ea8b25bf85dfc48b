"""The way to load balancers by name: a proxy, which commands inside a rehearsal find in their environment.

`python -m rehearsal.world.forward FILE` writes the certificate of its authority to FILE, prints its port, and ends when
its standard input ends. It knows the names that AWS gave the emulated load balancers, and refuses all others: nothing
leaves the loopback by it. From what is for an HTTPS listener, which speaks plain HTTP here, it takes TLS off, under any
name that is asked for. It carries one request a connection, without a body. Refuses to own what is answered.
"""

from __future__ import annotations

import ssl
import sys
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from socket import create_connection
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rehearsal.cloud.kubernetes.api_server import certificate
from rehearsal.cloud.store import Store
from rehearsal.world.balancer import ENDPOINT

if TYPE_CHECKING:
    from socket import socket

_LONGEST_HEAD = 65536
_SECONDS = 60
_TUNNEL = b"HTTP/1.1 200 OK\r\n\r\n"
_UNKNOWN = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_ANY = "rehearsal"


class Forward(ThreadingTCPServer):
    """The proxy, on a free port of 127.0.0.1; ``authority`` is the certificate of who signs, as PEM."""

    daemon_threads = True

    def __init__(self, store: Store) -> None:
        self._store = store
        self._authority = certificate(_ANY)
        super().__init__(("127.0.0.1", 0), _Connection)

    @property
    def authority(self) -> bytes:
        """What clients must trust."""
        return self._authority[1]

    def place(self, host: str, port: int) -> tuple[str, int] | None:
        """Return where a listener of a load balancer is; None where there is no such."""
        for key, endpoint in self._store.all(ENDPOINT).items():
            _, own, *kind = key.split("|")
            if (endpoint["dnsName"].lower(), own, kind) == (host.lower(), str(port), []):
                return endpoint["address"], endpoint["port"]
        return None

    @cache  # noqa: B019 - there is one for as long as the process
    def speaking_for(self, host: str) -> ssl.SSLContext:
        """Return what speaks TLS under a name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        key, made = certificate(host, by=self._authority)
        with tempfile.NamedTemporaryFile() as file:  # the ssl module takes files alone
            Path(file.name).write_bytes(key + made)
            context.load_cert_chain(file.name)
        return context

    def without_tls(self, connection: socket) -> ssl.SSLSocket:
        """Speak TLS with a client, under the name that it asks for."""

        def named(asked: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            asked.context = self.speaking_for(name or _ANY)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = named
        return context.wrap_socket(connection, server_side=True)


class _Connection(BaseRequestHandler):
    server: Forward  # pyright: ignore[reportIncompatibleVariableOverride]
    request: socket

    def handle(self) -> None:
        """Carry a request to a load balancer, and back what it answers."""
        self.request.settimeout(_SECONDS)
        with suppress(OSError, ValueError):  # a client that goes, or speaks something else
            self._carry(self.request)

    def _carry(self, client: socket) -> None:
        method, target, head = _request(client)
        tunnel = method == "CONNECT"
        asked = urlsplit(f"//{target}" if tunnel else target)
        place = self.server.place(asked.hostname or "", asked.port or 80)
        if place is None:
            client.sendall(_UNKNOWN)
            return
        if tunnel:
            client.sendall(_TUNNEL)
            client = self.server.without_tls(client)
            method, target, head = _request(client)
            asked = urlsplit(target)
        path = f"{asked.path or '/'}{f'?{asked.query}' if asked.query else ''}"
        with create_connection(place, _SECONDS) as there:
            there.sendall(f"{method} {path} HTTP/1.1\r\nConnection: close\r\n".encode() + head)
            while part := there.recv(_LONGEST_HEAD):
                client.sendall(part)
        client.close()


def _request(client: socket) -> tuple[str, str, bytes]:
    """Return method and target of a request, and the head that follows.

    :raises ValueError: it is none
    """
    read = b""
    while b"\r\n\r\n" not in read:
        part = client.recv(_LONGEST_HEAD)
        if not part or len(read) > _LONGEST_HEAD:
            raise ValueError("no request")
        read += part
    line, _, head = read.partition(b"\r\n")
    method, target, _ = line.decode().split(" ")
    return method, target, head


def main() -> None:
    """Run until standard input ends."""
    with Forward(Store.of_this_rehearsal()) as proxy:
        Path(sys.argv[1]).write_bytes(proxy.authority)
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        sys.stdout.write(f"{proxy.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
