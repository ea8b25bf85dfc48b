"""A cluster as EKS describes it, or that there is none. Refuses to judge either."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


def described(eks: Any, name: str) -> dict[str, Any] | None:
    """Return a cluster by its name in EKS; None: there is none, or none any more.

    :raises ClientError: it could not be read
    """
    try:
        return eks.describe_cluster(name=name)["cluster"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
