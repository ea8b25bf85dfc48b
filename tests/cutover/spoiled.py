"""What stands between a command and an emulated AWS and spoils what passes, as proxies, firewalls and outages do."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.rehearsal.emulated import POLL_SECONDS, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

PAGE = b"<html><head><title>Login</title><body><p>Corporate proxy: please <br> log in</html>"
Spoil = str | bytes | None
"""Nothing, or in place of an answer: "hang", "reset", or the body of one."""


@contextmanager
def spoiled(endpoint: str, spoil: Callable[[str, str], Spoil], status: int = 200) -> Generator[str]:
    """Yield an endpoint that asks ``spoil`` of every request, by service and action, what becomes of it.

    What hangs does so until the end of the context, and whoever waits for it then is cut off.
    """
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
            """Say nothing."""

        def do_POST(self) -> None:
            """Pass a request on, or do not."""
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            how = spoil(*_call(self, body))
            if how in {"hang", "reset"}:
                over.wait(None if how == "hang" else 0)
                self.close_connection = True
            elif isinstance(how, bytes):
                self._answer(status, {"Content-Type": "text/html"}, how)
            else:
                self._pass_on(body)

        do_GET = do_POST  # noqa: N815 - the base class names it

        def _pass_on(self, body: bytes) -> None:
            code, answered, answer = asked(self.command, f"{endpoint}{self.path}", dict(self.headers.items()), body)
            own = {"transfer-encoding", "content-length", "connection", "date", "server"}
            headers = {key: value for key, value in answered.items() if key.lower() not in own}
            self._answer(code, headers, answer)

        def _answer(self, code: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(code)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of who has gone."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=partial(server.serve_forever, POLL_SECONDS), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def _call(request: BaseHTTPRequestHandler, body: bytes) -> tuple[str, str]:
    """Return service and action of a request, as its signature and its body have them."""
    signed = re.search(r"/([\w-]+)/aws4_request", request.headers.get("Authorization", ""))
    action = re.search(rb"Action=(\w+)", body)
    target = request.headers.get("X-Amz-Target") or request.path
    return signed[1] if signed else "", action[1].decode() if action else re.split(r"[./]", target)[-1]
