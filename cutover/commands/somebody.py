"""Who gives a command, as what it leaves in AWS says it."""

from __future__ import annotations

import getpass
import os
import socket


def somebody() -> str:
    """Return user and machine."""
    return f"{_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as somebody who has no name
        return f"uid {os.getuid()}"
