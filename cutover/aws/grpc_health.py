"""The health protocol of gRPC, asked once through a load balancer: Check of grpc.health.v1.Health.

Two messages of one field each, so they are written and read here, without generated code. Their form:
https://github.com/grpc/grpc/blob/master/doc/health-checking.md. Refuses to judge the answer (rules/probes.py).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from cutover.web import TIMEOUT_SECONDS
from settings.matching import HEALTH_METHOD

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONNECT_SECONDS = 5
_SERVICE, _STATUS = b"\x0a", b"\x08"  # field 1 of the request, of text; field 1 of the response, a number
_WORDS = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


@dataclass(frozen=True)
class Away:
    """Nobody was reached, for the reason ``why``."""

    why: str


def ask(place: str, host: str, headers: Mapping[str, str], service: str) -> str | Away:
    """Return the health of a service, or of the server where that is empty, in the protocol's words or gRPC's.

    ``place`` is the name and port that is connected to, over TLS; ``host`` is who is meant, by certificate and request.
    """
    options = (("grpc.ssl_target_name_override", host), ("grpc.default_authority", host))
    message = _SERVICE + bytes([len(service)]) + service.encode() if service else b""
    metadata = tuple((name.lower(), value) for name, value in headers.items())
    with grpc.secure_channel(place, grpc.ssl_channel_credentials(_trusted()), options) as channel:
        try:
            grpc.channel_ready_future(channel).result(_CONNECT_SECONDS)
        except grpc.FutureTimeoutError:
            return Away(f"no connection to {place} within {_CONNECT_SECONDS} s that {host} answers to")
        try:
            answer = channel.unary_unary(HEALTH_METHOD)(message, timeout=TIMEOUT_SECONDS, metadata=metadata)
        except grpc.RpcError as error:
            return error.code().name  # pyright: ignore[reportAttributeAccessIssue]
    return _WORDS.get(answer[1] if answer[:1] == _STATUS else 0, "UNKNOWN")


def _trusted() -> bytes | None:
    """Return the certificates that this machine trusts; None, for those that gRPC brings, where no file has them."""
    file = ssl.get_default_verify_paths().cafile
    return Path(file).read_bytes() if file else None
