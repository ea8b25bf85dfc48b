"""The way to load balancers by name: HTTP and HTTPS to those that there are, and to nobody else."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from cutover.web import connections
from rehearsal.cloud.store import Store
from rehearsal.world.balancer import ENDPOINT
from rehearsal.world.forward import Forward
from tests.rehearsal.emulated import POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

NAME = "public-1.ap-northeast-1.elb.amazonaws.com"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[list[tuple[str, str]]]:
    """Let a load balancer be behind its name at ports 80 and 443, and return the host and path of what it was asked."""
    found: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.append((self.headers["Host"], self.path))
            self.send_response(404)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"none")

        def log_message(self, *_: Any, **__: Any) -> None:
            """Be quiet."""

    store = Store(tmp_path / "store.sqlite")
    with _running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port, Forward(store) as proxy:
        for listener in (80, 443):
            where = {"address": "127.0.0.1", "port": port, "dnsName": NAME}
            store.put(ENDPOINT, f"arn|{listener}", where)
        (tmp_path / "authority.pem").write_bytes(proxy.authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.server_address[1]}")
        with _running(proxy):
            yield found


@contextmanager
def _running(server: Any) -> Generator[int]:
    threading.Thread(target=partial(server.serve_forever, POLL_SECONDS), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_load_balancer_is_reached_by_its_name_under_any_host(asked: list[tuple[str, str]]) -> None:
    for host, url in (("a.b", f"http://{NAME}/x?y=z"), ("shop.example.com", f"https://{NAME}/x?y=z")):
        tls = {"server_hostname": host, "assert_hostname": host} if url.startswith("https") else {}
        answer = connections(url, **tls).request("GET", url, headers={"Host": host}, retries=False)
        assert (answer.status, answer.data) == (404, b"none")
    assert asked == [("a.b", "/x?y=z"), ("shop.example.com", "/x?y=z")]


def test_nobody_else_is_reached(asked: list[tuple[str, str]]) -> None:
    assert connections("http://example.com/").request("GET", "http://example.com/", retries=False).status == 502
    for url in ("https://example.com/", f"https://{NAME}:8443/"):
        with pytest.raises(urllib3.exceptions.HTTPError, match="502"):
            connections(url).request("GET", url, retries=False)
    assert asked == []
