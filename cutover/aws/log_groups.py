"""The log groups of control planes that a stack is to make: whether they are there, and whose.

Refuses to judge (cutover/rules/log_groups.py). What may not be read is left out.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cutover.calls import client
from cutover.rules.log_groups import name_of

if TYPE_CHECKING:
    import boto3

    from settings import Settings

_STACK = "pulumi:stack"  # on whatever the provider makes


def read(settings: Settings, account: boto3.Session) -> dict[str, bool]:
    """Return by cluster whether its log group is a stack's, for each that is there."""
    wanted = [key for key, cluster in settings.own_clusters.items() if cluster.log_retention_days]
    logs: Any = client(account, "logs") if wanted else None
    found: dict[str, bool] = {}
    for key in wanted:
        with suppress(ClientError):
            name = name_of(settings.eks_name(key))
            there = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
            for group in there:
                if group["logGroupName"] == name:
                    arn = group["arn"].removesuffix(":*")
                    found[key] = _STACK in logs.list_tags_for_resource(resourceArn=arn)["tags"]
    return found
