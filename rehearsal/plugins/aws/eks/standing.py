"""What stands in the account: clusters, as moto has them and with the store's document.

Refuses to judge any of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.eks_documents import CLUSTERS
from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.calls import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

GONE = ("ResourceNotFoundException",)


def find_cluster(aws: Aws, name: str) -> Props | None:
    """Return a cluster as moto has it, or None when it is gone."""
    return find(aws, GONE, "eks", "describe_cluster", "cluster", name=name)


def needed_cluster(aws: Aws, operation: str, name: str) -> Props:
    """Return the store's document of a cluster that must exist."""
    document = aws.store.get(CLUSTERS, name)
    if document is None or find_cluster(aws, name) is None:
        raise AwsError("eks", operation, "ResourceNotFoundException", f"No cluster found for name: {name}.", status=404)
    return document


def every_cluster(aws: Aws) -> Iterator[Props]:
    """Yield the clusters of the account as moto has them."""
    for name in aws.ask("eks", "list_clusters")["clusters"]:
        if cluster := find_cluster(aws, name):
            yield cluster
