"""HTTP to what is not AWS's API: a cluster's API server, a load balancer.

Owns that they are reached as everything else on this machine is, through the proxy that the environment names, and that
nobody waits long for them. Refuses to know what is said.
"""

from __future__ import annotations

import re
import socket
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

TIMEOUT_SECONDS = 10
"""How long an answer is waited for."""

_TIMEOUT = urllib3.Timeout(connect=3, read=TIMEOUT_SECONDS)


def connections(url: str, **options: Any) -> urllib3.PoolManager:
    """Return the way to a URL. ``options`` are those of `urllib3.PoolManager`."""
    split = urlsplit(url)
    proxy = getproxies().get(split.scheme)
    if proxy and not proxy_bypass(split.hostname or ""):
        return urllib3.ProxyManager(proxy, timeout=_TIMEOUT, **options)
    return urllib3.PoolManager(timeout=_TIMEOUT, **options)


def address_towards(host: str) -> str:
    """Return by which IPv4 address of its own this machine would reach a host directly; empty where it would not.

    Nothing is sent: a datagram's socket is only told where it leads.
    """
    if getproxies() and not proxy_bypass(host):
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((host, 443))
        except OSError:
            return ""
        return str(asked.getsockname()[0])


def reason(error: BaseException) -> str:
    """Say in a line why a request failed, without the libraries' frames around it, or a page of HTML behind it."""
    while isinstance(inner := getattr(error, "reason", None) or getattr(error, "original_error", None), Exception):
        error = inner
    line = re.sub(r"( |\bb?['\"])<.*", "", " ".join(str(error).split()))
    return re.sub(r"^\w+\(host=[^)]*\): ", "", line).rstrip(" .:")
