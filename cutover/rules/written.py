"""What the stack file says of the cluster that serves, and not of the one that takes over. A check. Pure.

It compares which keys are written, and not what they say: clusters differ in that, and are meant to. Refuses to own
what stands in the clusters (parity.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutover.rules.check import Check
from cutover.rules.verdict import Verdict, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cutover.rules.check import Judged
    from cutover.rules.facts import Facts
    from settings.clusters import Cluster

_OF_ONE = frozenset({"name", "mesh_name"})  # which no other cluster may have


def _keys(facts: Facts) -> Judged:
    own, key, peer = facts.account.settings.own_clusters, facts.key, str(facts.peer)
    if key not in own or peer not in own:
        return Verdict.OK, "the stack file does not say how both are made", ""
    if left := list(_left_out(_written(own[peer]), _written(own[key]))):
        cure = f"Write them under clusters.{key}, unless they are left out on purpose"
        return Verdict.WARN, f"of {peer} and not of {key}: {some(left)}", cure
    return Verdict.OK, f"all that are written of {peer} are of {key}", ""


def _written(cluster: Cluster) -> dict[str, Any]:
    told = cluster.model_dump(by_alias=True, exclude_unset=True, exclude_none=True, exclude={*_OF_ONE, "nodes"})
    groups = {
        name: group.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
        for name, group in cluster.node_groups.items()
    }
    return {**told, "nodes": groups}


def _left_out(theirs: Mapping[str, Any], mine: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Yield the keys of a mapping that another has not, by their whole path, the outermost alone."""
    for key, value in theirs.items():
        if key not in mine:
            yield f"{at}{key}"
        elif isinstance(value, dict) and isinstance(mine[key], dict):
            yield from _left_out(value, mine[key], f"{at}{key}.")


CHECKS = (
    Check(
        code="CUT035",
        title="keys",
        why="What the next cluster is not given, its pods miss: a node label that they select, a group that tolerates "
        "them, Karpenter, a security group. It is seen when they do not start.",
        evidence="The keys of the stack file under both clusters. What they say is not compared.",
        cure="Write them under `clusters.KEY`, unless they are left out on purpose.",
        page="https://docs.aws.amazon.com/eks/latest/best-practices/cluster-upgrades.html",
        judged=_keys,
        beside=True,
    ),
)
"""The check of what is written of a cluster, beside the one that serves."""
