"""What stands in the account: clusters, as moto has them and with the store's document, and the roles they take.

Refuses to judge any of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.eks_documents import CLUSTERS
from rehearsal.cloud.session import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

GONE = ("ResourceNotFoundException",)


def find_cluster(aws: Aws, name: str) -> dict[str, Any] | None:
    """Return a cluster as moto has it, or None when it is gone."""
    answer = aws.found(GONE, "eks", "describe_cluster", name=name)
    return answer["cluster"] if answer else None


def needed_cluster(aws: Aws, operation: str, name: str) -> Props:
    """Return the store's document of a cluster that must exist."""
    document = aws.store.get(CLUSTERS, name)
    if document is None or find_cluster(aws, name) is None:
        raise AwsError("eks", operation, "ResourceNotFoundException", f"No cluster found for name: {name}.", status=404)
    return document


def find_role(aws: Aws, arn: str) -> dict[str, Any] | None:
    """Return the role of an ARN, or None when it is gone."""
    return aws.found(("NoSuchEntity",), "iam", "get_role", RoleName=arn.rsplit("/", 1)[-1])


def every_cluster(aws: Aws) -> Iterator[Props]:
    """Yield the clusters of the account as moto has them."""
    for name in aws.ask("eks", "list_clusters")["clusters"]:
        if answer := aws.found(("ResourceNotFoundException",), "eks", "describe_cluster", name=name):
            yield answer["cluster"]
