"""Loopback addresses for everything that has an address of its own in AWS: load balancers, nodes, pods.

Refuses to own ports. Linux answers on all of 127.0.0.0/8; macOS only on 127.0.0.1, until each address is made known.
"""

from __future__ import annotations

import hashlib


def address(*names: str) -> str:
    """Return the address of what ``names`` name, the same in every process: 127.1.0.1 to 127.254.255.254."""
    drawn = hashlib.sha256("|".join(names).encode()).digest()
    return f"127.{drawn[0] % 254 + 1}.{drawn[1]}.{drawn[2] % 254 + 1}"
