"""The roles that others made for clusters of a stack: whether they are there, and whom they trust.

Refuses to judge (cutover/rules/given_roles.py). What may not be read is left out.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cutover.calls import client
from cutover.rules.given_roles import GivenRole

if TYPE_CHECKING:
    import boto3

    from settings import Settings

_GONE = "NoSuchEntity"


def read(settings: Settings, account: boto3.Session) -> dict[str, GivenRole | None]:
    """Return the roles by the ARN that the file has, None for one that does not exist."""
    arns = {arn for cluster in settings.own_clusters.values() for arn, _ in cluster.given_roles.values()}
    iam: Any = client(account, "iam") if arns else None
    found: dict[str, GivenRole | None] = {}
    for arn in sorted(arns):
        with suppress(ClientError):
            found[arn] = _role(iam, arn.rsplit("/", 1)[-1])
    return found


def _role(iam: Any, name: str) -> GivenRole | None:
    try:
        told = iam.get_role(RoleName=name)["Role"]
    except ClientError as error:
        if error.response["Error"]["Code"] != _GONE:
            raise
        return None
    return GivenRole(told["Arn"], told["AssumeRolePolicyDocument"])
