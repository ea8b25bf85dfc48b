"""A Kubernetes API server over TLS, as far as lists of objects go."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from rehearsal.cloud.kubernetes.api_server import certificate
from tests.rehearsal.emulated import POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path


@dataclass
class ApiServer:
    """A Kubernetes API server of ``pages`` by path: an answer's status and document, one per page.

    ``asked`` are the paths and headers of the requests, ``names`` the servers that clients said they want,
    ``authority`` the certificate of whoever signed its own. ``host`` is a name that it has beside its address.
    """

    pages: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    host: str = "kubernetes"
    url: str = ""
    authority: bytes = b""


@contextmanager
def serving(server: ApiServer, folder: Path) -> Generator[ApiServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            fields = parse_qs(split.query)
            server.asked.append((split.path, dict(self.headers)))
            pages = server.pages.get(split.path, [(404, {"kind": "Status"})])
            status, document = pages[int(fields.get("continue", ["0"])[0])]
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any, **__: Any) -> None:
            """Be quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    key, server.authority = certificate(server.host)
    (folder / "key.pem").write_bytes(key)
    (folder / "certificate.pem").write_bytes(server.authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    context.sni_callback = lambda _, name, __: server.names.append(name)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    server.url = f"https://127.0.0.1:{http.server_port}"
    threading.Thread(target=partial(http.serve_forever, POLL_SECONDS), daemon=True).start()
    yield server
    http.shutdown()
    http.server_close()
