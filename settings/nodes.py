"""`clusters.NAME.nodes`: a managed node group, or several by name. What each key takes, and what an edit of it does.

Refuses to own how many nodes an edit leaves (cutover/rules/node_counts.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from settings.kinds import WITH, WITHOUT
from settings.network import SubnetId
from settings.values import Model, Several, edited, refused, rule, text, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BeforeValidator

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
"""The type of a group in the engine."""

ONE_GROUP = "nodes"
"""What a group is called that is the only one: in a map of groups, the one of that name is the same."""

MAX_INSTANCE_TYPES = 20  # of a node group (EKS's API reference)

_ARM = re.compile(r"a1\.|[a-z]+[0-9]+g")  # AWS names a Graviton processor by a g behind the generation


def one_image(types: Sequence[str]) -> Sequence[str]:
    """Check that all instance types run one machine image, and that they are not more than EKS takes."""
    arm = [name for name in types if _ARM.match(name)]
    if arm and len(arm) < len(types):
        says = f"{', '.join(arm)} has an Arm processor, and the others have none. A node group has one machine image"
        raise refused("CUT104", f"{says}, so EKS would refuse it. Keep to one kind")
    if len(types) > MAX_INSTANCE_TYPES:
        says = f"more than {MAX_INSTANCE_TYPES} instance types. EKS would refuse the node group once the cluster is up"
        raise refused("CUT105", f"{says}. Leave some out")
    return types


def node_number(least: int) -> BeforeValidator:
    """Take a number of nodes of at least ``least``."""
    return rule(
        "CUT107",
        lambda value: type(value) is int and value >= least,
        f"a number of nodes here is a whole number of at least {least}. EKS would refuse another, or have no node "
        "for the add-ons. Write e.g. 3, without quotes",
    )


InstanceType = Annotated[
    str,
    rule(
        "CUT129",
        text(r"[a-z]+[a-z0-9-]*[0-9][a-z0-9-]*\.(nano|micro|small|medium|large|[0-9]*xlarge|metal(-[0-9]+xl)?)"),
        "this is no EC2 instance type. EKS would refuse the node group once the cluster is up. Write e.g. m7i.large",
    ),
]

InstanceTypes = Annotated[Several[InstanceType], AfterValidator(one_image)]

NodeMinimum = Annotated[int, node_number(0)]

NodeCount = Annotated[int, node_number(1)]

GroupName = Annotated[
    str,
    rule(
        "CUT188",
        text(r"(?=.{1,40}$)(?!.*--)[a-z]([a-z0-9-]*[a-z0-9])?"),
        "a node group's name is at most 40 lower-case letters, digits and single hyphens, and begins with a letter. "
        "EKS takes 63 characters, of which the cluster's key and auto-naming take theirs. Write e.g. batch",
    ),
]

DiskSize = Annotated[
    int,
    rule(
        "CUT189",
        whole(1, 16384),
        "a node's disk is 1 to 16384 GiB. EC2 would start no node, and the update would wait for one until it gives "
        "up. Write e.g. 100, or leave it out",
    ),
]

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_RESERVED = re.compile(r"(?:[^/]*\.)?(?:kubernetes\.io|k8s\.io)/.*|eks\.amazonaws\.com/.*")

LabelKey = Annotated[
    str,
    rule(
        "CUT190",
        lambda value: isinstance(value, str) and _RESERVED.fullmatch(value) is None,
        "this prefix is Kubernetes' or EKS's own. EKS would refuse the node group once the cluster is up. Write one of "
        "yours, such as example.com/pool",
    ),
    rule(
        "CUT191",
        text(rf"(?:(?=[^/]{{1,253}}/)[a-z0-9.-]+/)?{_NAME}"),
        "this is no key that Kubernetes takes: at most 63 letters, digits, dots, hyphens and underscores, after a DNS "
        "name and a slash or alone. EKS would refuse the node group once the cluster is up. Write e.g. pool",
    ),
]

LabelValue = Annotated[
    str,
    rule(
        "CUT192",
        text(_NAME),
        "this is no value that EKS takes: text of 1 to 63 letters, digits, dots, hyphens and underscores. "
        "EKS would refuse the node group once the cluster is up. Write e.g. batch, and a number in quotes",
    ),
]


ReleaseVersion = Annotated[
    str,
    rule(
        "CUT443",
        text(r"1\.[0-9]{2}\.[0-9]+-([0-9]{8}|[0-9a-f]{8})"),
        "this is no release of a node image that EKS has. It would refuse the node group once the cluster is up. Write "
        "e.g. 1.36.0-20260801, as `aws ssm get-parameter` tells it for the image (EKS user guide, AMI versions)",
    ),
]

Unavailable = Annotated[
    int,
    rule(
        "CUT448",
        whole(1, 100),
        "that many nodes at a time, or percent of them, is 1 to 100. EKS would refuse the node group once the cluster "
        "is up. Write e.g. 1, without quotes",
    ),
]


def resource_name(cluster: str, group: str) -> str:
    """Return what a group's resource is called: the only one, and one that is called so, after its cluster alone."""
    return f"{cluster}-{ONE_GROUP}" if group == ONE_GROUP else f"{cluster}-{ONE_GROUP}-{group}"


class Taint(Model):
    """What keeps pods off nodes, unless they tolerate it."""

    key: LabelKey = Field(description="its key")
    value: LabelValue | None = Field(default=None, description="its value")
    effect: Literal["NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"] = Field(
        description="what it does, as EKS has it"
    )


class UpdatePolicy(Model):
    """How EKS rolls the nodes of a group: to another release, or another disk."""

    max_unavailable: Unavailable | None = Field(default=None, description="how many nodes may be gone at a time")
    max_unavailable_percentage: Unavailable | None = Field(
        default=None, description="how many percent of them, in place of a number"
    )
    strategy: Literal["DEFAULT", "MINIMAL"] = Field(
        default="DEFAULT",
        description="DEFAULT: a new node comes before an old one goes; MINIMAL: after it, where no more can be had",
    )


class Nodes(Model):
    """A managed node group of a cluster."""

    instance_types: InstanceTypes = Field(
        min_length=1,
        description="EC2 instance types; a change replaces the group",
        json_schema_extra=edited("replaces the nodes, which is refused while the cluster serves"),
    )
    min_size: NodeMinimum = Field(
        description="the least number of nodes",
        json_schema_extra=edited("in place; where there are fewer nodes, that many come"),
    )
    desired_size: NodeMinimum = Field(
        description="the number of nodes at the start, and again when it is edited; in between an autoscaler's; 0 "
        "empties a group that is to leave",
        json_schema_extra=edited(
            "gives that many nodes; where somebody has changed their number meanwhile, it takes none away but for 0, "
            "which the preview says"
        ),
    )
    max_size: NodeCount = Field(
        description="the greatest number of nodes",
        json_schema_extra=edited("in place; where there are more nodes, the others go"),
    )
    operating_system: Literal["AL2023", "BOTTLEROCKET"] = Field(
        default="AL2023",
        description="the node image",
        json_schema_extra=edited("replaces the nodes, which is refused while the cluster serves"),
    )
    capacity_type: Literal["ON_DEMAND", "SPOT"] = Field(
        default="ON_DEMAND",
        description="how the nodes are bought",
        json_schema_extra=edited("replaces the nodes, which is refused while the cluster serves"),
    )

    disk_size: DiskSize | None = Field(
        default=None,
        description="GiB of a node's disk; left out: the image's own, 20 or so",
        json_schema_extra=edited("rolls the nodes, one after the other"),
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default={},
        description="labels of its nodes",
        json_schema_extra=edited("in place, of the nodes that are there too"),
    )
    taints: Several[Taint] = Field(
        default=(),
        description="what keeps pods off its nodes that do not tolerate it",
        json_schema_extra=edited("in place, of the nodes that are there too; NO_EXECUTE throws pods out"),
    )
    zones: Several[str] = Field(
        default=(),
        description="some of the network's zones, such as the one of its volumes; left out: all; another zone is "
        "another group: add that beside it",
        json_schema_extra=edited("replaces the nodes, which is refused while the cluster serves"),
    )
    subnet_ids: Several[SubnetId] = Field(
        default=(),
        description="some of privateSubnetIds of a network that was made elsewhere, in place of zones; left out: all",
        json_schema_extra=edited("replaces the nodes, which is refused while the cluster serves"),
    )
    release_version: ReleaseVersion | None = Field(
        default=None,
        description="the release of its image, such as 1.36.0-20260801; left out: the newest when the group is made",
        json_schema_extra=edited(
            "rolls the nodes, as updatePolicy has it; left out later, it changes nothing, and nodes stay as they are"
        ),
    )
    update_policy: UpdatePolicy | None = Field(
        default=None,
        description="how its nodes are rolled; left out: one at a time, a new one first",
        json_schema_extra=edited("in place, for the next time; left out later, it changes nothing"),
    )

    @property
    def places(self) -> tuple[str, ...]:
        """The zones, or the subnets, of its nodes; none: all of the network."""
        return self.zones or self.subnet_ids

    @property
    def leaving(self) -> bool:
        """Whether it is to have no nodes, and may then be taken out of a cluster that serves."""
        return self.desired_size == 0

    @property
    def keeps_off(self) -> bool:
        """Whether a taint keeps pods off that do not tolerate it."""
        return any(taint.effect != "PREFER_NO_SCHEDULE" for taint in self.taints)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The least, the desired and the greatest number of nodes."""
        return self.min_size, self.desired_size, self.max_size


def _by_name(value: Any) -> str:
    several = isinstance(value, dict) and value and all(isinstance(one, dict | Nodes) for one in value.values())
    return WITHOUT if several else WITH


AnyNodes = Annotated[
    Annotated[Nodes, Tag(WITH)] | Annotated[dict[GroupName, Nodes], Tag(WITHOUT)], Discriminator(_by_name)
]
"""One group, or groups by name."""
