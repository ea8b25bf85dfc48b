"""How many nodes a group is to have once its sizes in the stack file are edited, and what a preview says of it.

Pure. Between two edits the number is an autoscaler's, and the program leaves it alone. With an edit it must say one:
EKS is sent all three sizes, and what the state remembers is the number at the start. By that, more room for a group
that has grown would shrink it, and a higher minimum would be refused ("Minimum capacity 3 can't be greater than desired
size 2"). Which sizes were applied last stands in a tag of the group. Refuses to own the sizes that a file may say
(settings/).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.nodes import Nodes

if TYPE_CHECKING:
    from settings.clusters import Cluster


@dataclass(frozen=True, kw_only=True)
class Group:
    """A cluster's node group in EKS: its sizes, and those (least, desired, most) that the stack file had last."""

    applied: tuple[int, int, int] | None
    least: int
    desired: int
    most: int


def count(nodes: Nodes, group: Group) -> int | None:
    """Return how many nodes an update is to leave, or None where their number is none of its business."""
    applied = group.applied
    if nodes.leaving:
        return 0 if group.desired or applied != nodes.sizes else None
    if applied == nodes.sizes or (applied is None and (group.least, group.most) == (nodes.min_size, nodes.max_size)):
        # Below the minimum is what an update leaves that EKS has refused, since tags are written first.
        return None if group.desired >= nodes.min_size else nodes.min_size
    becomes = group.desired
    if applied and nodes.desired_size != applied[1]:
        # Where somebody has scaled it since, the number in the file may be older than theirs: it only raises.
        becomes = nodes.desired_size if group.desired == applied[1] else max(group.desired, nodes.desired_size)
    return min(max(becomes, nodes.min_size), nodes.max_size)


def words(key: str, cluster: Cluster, name: str, group: Group, *, serves: bool) -> list[tuple[str, bool]]:
    """Return what to say of a cluster's nodes in a preview, and of each text whether it is a warning."""
    nodes, where = cluster.node_groups[name], f"clusters.{key}.nodes"
    if not isinstance(cluster.nodes, Nodes):
        where += f".{name}"
    becomes, said = count(nodes, group), list[tuple[str, bool]]()
    there = "" if isinstance(cluster.nodes, Nodes) else f" in {name}"
    if becomes is not None and becomes != group.desired:
        moves = " It serves, and what runs on the others moves: look at the need of each group first (cutover status)."
        fewer = serves and becomes < group.desired
        text = f"{where}: {key} has {group.desired} nodes{there}, and {becomes} after this update."
        said.append((f"{text}{moves if fewer else ''}", fewer))
    lowered = group.applied is not None and nodes.desired_size < group.applied[1]
    if lowered and becomes is not None and becomes == group.desired > nodes.desired_size:
        said.append(
            (
                f"{where}.desiredSize: {nodes.desired_size} takes no node away. {key} has {becomes}{there}, "
                "since an autoscaler or somebody else has changed their number meanwhile. To have no more than "
                f"{nodes.desired_size}, write maxSize: {nodes.desired_size}.",
                True,
            )
        )
    return said
