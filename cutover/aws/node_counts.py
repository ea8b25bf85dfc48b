"""The node groups of a stack's clusters, as EKS has them. Where it does not answer in time, nothing is known."""

from __future__ import annotations

from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from cutover.aws.session import session
from cutover.calls import OutsideError, client, threads
from cutover.rules.node_counts import Group
from settings.owner import SIZES_TAG

if TYPE_CHECKING:
    from settings import Settings

_PATIENCE_SECONDS = 5.0


def read(settings: Settings) -> dict[str, Group]:
    """Return the node groups of the clusters that stand, asked all at once and for a short while."""
    try:
        account = session(settings.aws)
        eks = client(account, "eks")
    except OutsideError:
        return {}
    with threads(len(settings.clusters)) as pool:
        own = settings.own_clusters
        asked = {key: pool.submit(_read, eks, settings.eks_name(key), f"{key}-nodes-") for key in own}
        done, _ = wait(asked.values(), timeout=_PATIENCE_SECONDS)
    answers = {key: one.result() for key, one in asked.items() if one in done and one.exception() is None}
    return {key: group for key, group in answers.items() if group}


def _read(eks: Any, cluster: str, begins: str) -> Group | None:
    pages = eks.get_paginator("list_nodegroups").paginate(clusterName=cluster)
    name = next((name for page in pages for name in page["nodegroups"] if name.startswith(begins)), None)
    if name is None:
        return None
    found = eks.describe_nodegroup(clusterName=cluster, nodegroupName=name)["nodegroup"]
    least, desired, most = (found["scalingConfig"][f"{size}Size"] for size in ("min", "desired", "max"))
    tag = found.get("tags", {}).get(SIZES_TAG)
    if not tag:
        return Group(applied=None, least=least, desired=desired, most=most)
    was_least, was_desired, was_most = map(int, tag.split("/"))
    return Group(applied=(was_least, was_desired, was_most), least=least, desired=desired, most=most)
