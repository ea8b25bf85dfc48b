"""What is wrong between the keys of a cluster's node groups: sizes, places, releases, and how nodes are rolled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from settings.network import ExistingNetwork, NewNetwork
from settings.nodes import Nodes
from settings.rules.mistake import Mistake, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.clusters import Cluster
    from settings.models import Settings

_DATED = re.compile(r"[0-9.]+-[0-9]{8}")  # as releases of AL2023 are; Bottlerocket's end in a commit


def mistakes_of_nodes(settings: Settings, key: str, cluster: Cluster) -> Iterator[Mistake]:
    """Yield what is wrong between the keys of the node groups of one cluster of the stack's own."""
    yield from _mistakes_of_sizes(f"clusters.{key}.nodes", cluster)
    for name, nodes in cluster.node_groups.items():
        at = f"clusters.{key}.nodes" if isinstance(cluster.nodes, Nodes) else f"clusters.{key}.nodes.{name}"
        yield from _mistakes_of_places(settings, at, nodes)
        yield from _mistakes_of_updates(at, cluster.version, nodes)


@as_far_as_known
def _mistakes_of_sizes(key: str, cluster: Cluster) -> Iterator[Mistake]:
    for name, nodes in cluster.node_groups.items():
        if not nodes.min_size <= nodes.desired_size <= nodes.max_size:
            yield Mistake(
                "CUT204",
                key if isinstance(cluster.nodes, Nodes) else f"{key}.{name}",
                f"minSize {nodes.min_size}, desiredSize {nodes.desired_size}, maxSize {nodes.max_size} are not in "
                "order. EKS would refuse the node group once the cluster is up. Order them",
            )
    if all(nodes.leaving or nodes.keeps_off for nodes in cluster.node_groups.values()):
        yield Mistake(
            "CUT254",
            key,
            "no group has a node that takes any pod: each is empty (desiredSize: 0) or tainted. CoreDNS would find no "
            "place, and the update would wait for it until it gives up. Let one group without taints have a node",
        )


@as_far_as_known
def _mistakes_of_places(settings: Settings, key: str, nodes: Nodes) -> Iterator[Mistake]:
    network = settings.network
    made = isinstance(network, NewNetwork)
    of, known = ("zones", network.zones) if made else ("subnetIds", ())
    if isinstance(network, ExistingNetwork):
        known = network.private_subnet_ids
    for written, places in (("zones", nodes.zones), ("subnetIds", nodes.subnet_ids)):
        if places and written != of:
            yield Mistake(
                "CUT446",
                f"{key}.{written}",
                f"the network is {'made by the stack' if made else 'one that was made elsewhere'}, whose subnets are "
                f"known by {'their zones' if made else 'their ids'} alone. The group would have none. Write {of} "
                f"instead, some of {', '.join(known)}",
            )
        elif strange := [place for place in places if place not in known]:
            yield Mistake(
                "CUT445",
                f"{key}.{written}",
                f"{', '.join(strange)} is not of the network. The group would have no subnet there. Write some of "
                f"{', '.join(known)}",
            )


@as_far_as_known
def _mistakes_of_updates(key: str, version: str, nodes: Nodes) -> Iterator[Mistake]:
    release, policy = nodes.release_version, nodes.update_policy
    dated = nodes.operating_system == "AL2023"
    if release and (not release.startswith(f"{version}.") or bool(_DATED.fullmatch(release)) is not dated):
        example = f"{version}.0-20260801" if dated else f"{version}.0-943d9a41"
        yield Mistake(
            "CUT444",
            f"{key}.releaseVersion",
            f"{release} is no release of {nodes.operating_system} for {version}. EKS would refuse the node group once "
            f"the cluster is up. Write one such as {example}",
        )
    if policy and (policy.max_unavailable is None) is (policy.max_unavailable_percentage is None):
        both = "neither maxUnavailable nor" if policy.max_unavailable is None else "both maxUnavailable and"
        yield Mistake(
            "CUT447",
            f"{key}.updatePolicy",
            f"{both} maxUnavailablePercentage. EKS takes one of them, and would refuse the node group once the cluster "
            "is up. Write one",
        )
