"""A Kubernetes API server over TLS, as far as lists of objects go."""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield server
    http.shutdown()
    http.server_close()


def certificate(host: str = "kubernetes") -> tuple[bytes, bytes]:
    """Return a key, and a certificate of 127.0.0.1 and a host that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(host)]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        certificate.public_bytes(serialization.Encoding.PEM),
    )
