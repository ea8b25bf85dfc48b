"""The node groups of a stack's clusters, as EKS has them. Where it does not answer in time, nothing is known."""

from __future__ import annotations

import re
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from cutover.aws.session import session
from cutover.calls import OutsideError, client, threads
from cutover.rules.node_counts import Group
from settings.nodes import resource_name
from settings.owner import SIZES_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings import Settings
    from settings.clusters import Cluster

_PATIENCE_SECONDS = 5.0


def read(settings: Settings) -> dict[tuple[str, str], Group]:
    """Return the node groups of the clusters that stand, by cluster and name, asked at once and for a while."""
    try:
        account = session(settings.aws)
        eks = client(account, "eks")
    except OutsideError:
        return {}
    with threads(len(settings.clusters)) as pool:
        own = settings.own_clusters
        asked = {key: pool.submit(_read, eks, settings.eks_name(key), _names(key, own[key])) for key in own}
        done, _ = wait(asked.values(), timeout=_PATIENCE_SECONDS)
    answers = {key: one.result() for key, one in asked.items() if one in done and one.exception() is None}
    return {(key, name): group for key, groups in answers.items() for name, group in groups.items()}


def _names(key: str, cluster: Cluster) -> dict[str, re.Pattern[str]]:
    """Return what a cluster's groups are called in EKS: with the digits that auto-naming adds."""
    return {name: re.compile(rf"{resource_name(key, name)}-[0-9a-f]{{7}}") for name in cluster.node_groups}


def _read(eks: Any, cluster: str, wanted: Mapping[str, re.Pattern[str]]) -> dict[str, Group]:
    pages = eks.get_paginator("list_nodegroups").paginate(clusterName=cluster)
    there = [name for page in pages for name in page["nodegroups"]]
    return {
        group: _described(eks, cluster, name)
        for group, form in wanted.items()
        for name in [one for one in there if form.fullmatch(one)][:1]
    }


def _described(eks: Any, cluster: str, name: str) -> Group:
    found = eks.describe_nodegroup(clusterName=cluster, nodegroupName=name)["nodegroup"]
    least, desired, most = (found["scalingConfig"][f"{size}Size"] for size in ("min", "desired", "max"))
    tag = found.get("tags", {}).get(SIZES_TAG)
    if not tag:
        return Group(applied=None, least=least, desired=desired, most=most)
    was_least, was_desired, was_most = map(int, tag.split("/"))
    return Group(applied=(was_least, was_desired, was_most), least=least, desired=desired, most=most)
