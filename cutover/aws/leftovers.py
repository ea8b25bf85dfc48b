"""What a cluster that is gone has left behind in AWS, and the command that removes each. Deletes none of it.

Owns where to look: tags that Kubernetes, EKS, Karpenter and the controllers put on what they make, and the few names
that are fixed. Refuses to own what the stack made, which goes with the stack's own `up`.

That real controllers put these tags on is their documentation's word; the rehearsal has only what tests put there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutover.calls import client, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import boto3

# Tags whose value is the cluster's name: of EKS and managed nodes, of Auto Mode and Karpenter, of the AWS Load Balancer
# Controller, of the VPC CNI, and of older cloud providers.
_NAME_TAGS = (
    "eks:cluster-name",
    "aws:eks:cluster-name",
    "eks:eks-cluster-name",
    "elbv2.k8s.aws/cluster",
    "cluster.k8s.amazonaws.com/name",
    "KubernetesCluster",
)
_MESH_ATTRIBUTE = "appmesh.k8s.aws/mesh"  # by which a mesh's controller knows its own instances
_SHARED = "shared"  # the value of kubernetes.io/cluster/NAME on what a cluster only uses, such as a subnet
_GONE = ("terminated", "shutting-down")  # an instance keeps its tags for an hour

_EC2_COMMANDS = {
    "instance": "terminate-instances --instance-ids",
    "launch-template": "delete-launch-template --launch-template-id",
    "network-interface": "delete-network-interface --network-interface-id",
    "security-group": "delete-security-group --group-id",
    "snapshot": "delete-snapshot --snapshot-id",
    "volume": "delete-volume --volume-id",
}


@dataclass(frozen=True)
class Leftover:
    """Something that outlived its cluster, and the command that removes it."""

    kind: str
    id: str
    command: str


@dataclass(frozen=True)
class Sweep:
    """What was found, and what could not be looked for."""

    found: tuple[Leftover, ...]
    unseen: tuple[str, ...]


def sweep(account: boto3.Session, eks_name: str, oidc_issuer: str | None, mesh: str | None = None) -> Sweep:
    """Look for everything that a cluster may leave behind.

    :param oidc_issuer: what EKS told while the cluster stood, which nobody else knows
    :param mesh: the App Mesh mesh that its controller could not take along, if so
    """
    look = _Look(account, eks_name)
    found: list[Leftover] = []
    unseen: list[str] = []
    places: dict[str, Callable[[], Iterator[Leftover]]] = {
        "EC2 by tag": look.in_ec2,
        "other services by tag": look.elsewhere,
        "log groups": look.log_groups,
    }
    if mesh:
        found.append(Leftover("mesh", mesh, f"aws appmesh delete-mesh --mesh-name {mesh}{look.region}"))
        places["Cloud Map"] = lambda: look.in_cloud_map(mesh)
    if oidc_issuer:
        places["OIDC providers"] = lambda: look.oidc_providers(oidc_issuer)
    else:
        unseen.append("OIDC providers: the cluster no longer tells its own (aws iam list-open-id-connect-providers)")
    for place, ask in places.items():
        try:
            found += ask()
        except Exception as error:
            unseen.append(f"{place}: {told(error)}")
    return Sweep(tuple({one.id: one for one in found}.values()), tuple(unseen))


class _Look:
    def __init__(self, account: boto3.Session, eks_name: str) -> None:
        self._name = eks_name
        self._cluster_tag = f"kubernetes.io/cluster/{eks_name}"
        self.region = f" --region {account.region_name}"
        self._client: Callable[[str], Any] = lambda service: client(account, service)

    def in_ec2(self) -> Iterator[Leftover]:
        ec2 = self._client("ec2")
        by_key = {"Name": "key", "Values": [self._cluster_tag]}
        by_name = [{"Name": "key", "Values": list(_NAME_TAGS)}, {"Name": "value", "Values": [self._name]}]
        tags = [
            tag
            for filters in ([by_key], by_name)
            for page in ec2.get_paginator("describe_tags").paginate(Filters=filters)
            for tag in page["Tags"]
            if tag["Value"] != _SHARED
        ]
        instances = [tag["ResourceId"] for tag in tags if tag["ResourceType"] == "instance"]
        gone = set(_gone(ec2, instances)) if instances else set[str]()
        for tag in tags:
            kind, one = tag["ResourceType"], tag["ResourceId"]
            if one not in gone:
                command = _EC2_COMMANDS.get(kind, "describe-tags --filters Name=resource-id,Values=").strip()
                space = "" if command.endswith("=") else " "
                yield Leftover(kind, one, f"aws ec2 {command}{space}{one}{self.region}")

    def elsewhere(self) -> Iterator[Leftover]:
        pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources")
        for wanted in ({"Key": self._cluster_tag}, *({"Key": key, "Values": [self._name]} for key in _NAME_TAGS)):
            for page in pages.paginate(TagFilters=[wanted]):
                for one in page["ResourceTagMappingList"]:
                    arn = one["ResourceARN"]
                    shared = {"Key": self._cluster_tag, "Value": _SHARED} in one["Tags"]
                    if arn.split(":")[2] != "ec2" and not shared:
                        yield _by_arn(arn, self.region)

    def log_groups(self) -> Iterator[Leftover]:
        name = f"/aws/eks/{self._name}/cluster"
        for group in self._client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
            if group["logGroupName"] == name:
                yield Leftover("log group", name, f"aws logs delete-log-group --log-group-name {name}{self.region}")

    def in_cloud_map(self, mesh: str) -> Iterator[Leftover]:
        discovery = self._client("servicediscovery")
        services = [one for page in discovery.get_paginator("list_services").paginate() for one in page["Services"]]
        for service in services:
            instances: list[dict[str, Any]] = []
            with suppress(discovery.exceptions.ServiceNotFound):  # it may go while this looks
                for page in discovery.get_paginator("list_instances").paginate(ServiceId=service["Id"]):
                    instances += page["Instances"]
            for one in instances:
                if one["Attributes"].get(_MESH_ATTRIBUTE) == mesh:
                    which = f"--service-id {service['Id']} --instance-id {one['Id']}"
                    command = f"aws servicediscovery deregister-instance {which}{self.region}"
                    yield Leftover("Cloud Map instance", f"{service['Name']}/{one['Id']}", command)

    def oidc_providers(self, oidc_issuer: str) -> Iterator[Leftover]:
        for provider in self._client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]:
            arn = provider["Arn"]
            if arn.endswith(f"oidc-provider/{oidc_issuer.removeprefix('https://')}"):
                command = f"aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {arn}"
                yield Leftover("OIDC provider", arn, command)


def _gone(ec2: Any, instances: list[str]) -> Iterator[str]:
    filters = [{"Name": "instance-id", "Values": instances}, {"Name": "instance-state-name", "Values": list(_GONE)}]
    for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
        for reservation in page["Reservations"]:
            yield from (instance["InstanceId"] for instance in reservation["Instances"])


def _by_arn(arn: str, region: str) -> Leftover:
    service, thing = arn.split(":")[2], arn.split(":", 5)[5]
    if service == "elasticloadbalancing" and thing.startswith(("loadbalancer/app/", "loadbalancer/net/")):
        return Leftover("load balancer", arn, f"aws elbv2 delete-load-balancer --load-balancer-arn {arn}{region}")
    if service == "elasticloadbalancing" and thing.startswith("loadbalancer/"):
        name = thing.removeprefix("loadbalancer/")
        return Leftover("load balancer", arn, f"aws elb delete-load-balancer --load-balancer-name {name}{region}")
    if service == "elasticloadbalancing" and thing.startswith("targetgroup/"):
        return Leftover("target group", arn, f"aws elbv2 delete-target-group --target-group-arn {arn}{region}")
    if service == "logs":
        name = thing.removeprefix("log-group:").removesuffix(":*")
        return Leftover("log group", name, f"aws logs delete-log-group --log-group-name {name}{region}")
    return Leftover(service, arn, f"aws resourcegroupstaggingapi get-resources --resource-arn-list {arn}{region}")
