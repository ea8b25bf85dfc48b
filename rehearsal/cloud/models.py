"""botocore's models of AWS, megabytes of JSON: read once a process.

botocore keeps them for a session, and moto makes a session for each role whose ARN it looks at: four in an update of
two clusters, each of which cost a third of a second. Refuses to own what is in them.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.loaders import JSONFileLoader

if TYPE_CHECKING:
    from collections.abc import Iterable

_read = cache(partial(JSONFileLoader.load_file, JSONFileLoader()))


def read_once() -> None:
    """Let all sessions of this process share what one of them has read."""
    JSONFileLoader.load_file = _load_file


def read_for(services: Iterable[str]) -> None:
    """Read once, and now, what clients of these services need."""
    read_once()
    session = boto3.Session(region_name="us-east-1")
    for service in services:
        # With a key, nobody looks for one in this process's surroundings.
        session.client(service, aws_access_key_id="none", aws_secret_access_key="none")  # pyright: ignore[reportCallIssue, reportArgumentType]


def _load_file(self: JSONFileLoader, file_path: str) -> Any:  # noqa: ARG001
    return _read(file_path)
