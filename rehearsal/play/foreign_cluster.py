"""A cluster that somebody else made, by plain calls of the API, in the rehearsal's account or in another.

Owns making it with what is in it, and what GitOps applies there and takes out. Refuses to own where load balancers
stand (brownfield.py), and what the stack makes there.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml

from rehearsal.cloud.eks_documents import CLUSTERS
from rehearsal.cloud.kubernetes import admission, schemas
from rehearsal.cloud.kubernetes.cluster import API_SERVERS, AUTO_MODE, KINDS, LOAD_BALANCER_CONTROLLER, Cluster
from rehearsal.world.binding_controller import controller_role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rehearsal.engine.sandbox import Sandbox

_VERSION = "1.33"
_STACK_OF_ENGINE = "pulumi:stack"  # the tag that tells what a stack has made

OWN_ACCOUNT = "123456789012"
"""The rehearsal's account: that of the stack and its load balancers."""


@dataclass(frozen=True)
class Land:
    """A VPC with subnets of two kinds in two zones, in the rehearsal's account or in another."""

    vpc: str
    public: list[str]
    private: list[str]
    account: str = ""

    @property
    def network(self) -> dict[str, Any]:
        """The VPC as a stack file names it."""
        return {"vpcId": self.vpc, "publicSubnetIds": self.public, "privateSubnetIds": self.private}


def land(sandbox: Sandbox, account: str = "", begins: str = "10.50") -> Land:
    """Make a VPC, with the range ``begins``.0.0/16."""
    ec2 = sandbox.aws("ec2", account=account)
    vpc = ec2.create_vpc(CidrBlock=f"{begins}.0.0/16")["Vpc"]["VpcId"]
    zones = [one["ZoneName"] for one in ec2.describe_availability_zones()["AvailabilityZones"]][:2]
    ranges = [f"{begins}.{place * 16}.0/20" for place in range(len(zones) * 2)]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for cidr, zone in zip(ranges, zones * 2, strict=True)
    ]
    return Land(vpc, subnets[:2], subnets[2:], account)


def role(sandbox: Sandbox, arn: str, trusted: str = "", external_id: str = "") -> str:
    """Make a role that an account may assume, unless it is there, and return its own account: empty for the stack's."""
    account = arn.split(":")[4].replace(OWN_ACCOUNT, "")
    there, name = sandbox.aws("iam", account=account), arn.rsplit("/", 1)[-1]
    asked = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}} if external_id else {}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{trusted or OWN_ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
        **asked,
    }
    path = f"/{'/'.join(arn.split('/')[1:-1])}/".replace("//", "/")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    if name not in {one["RoleName"] for one in there.list_roles()["Roles"]}:
        there.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trust)
    return account


def cluster(
    sandbox: Sandbox,
    at: Land,
    name: str,
    namespaces: Sequence[str],
    chart: str = LOAD_BALANCER_CONTROLLER,
    *,
    level: str = "",
) -> None:
    """Make a cluster with a load balancer controller in it: as eksctl and Helm would, or one of Auto Mode.

    ``level`` is the version of the controller whose CRDs are there, where that is an older one.
    """
    iam, ec2, store = sandbox.aws("iam", account=at.account), sandbox.aws("ec2", account=at.account), sandbox.store
    trust = '{"Version": "2012-10-17", "Statement": []}'
    made_by = iam.create_role(RoleName=f"{name}-cluster", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    made = sandbox.aws("eks", account=at.account).create_cluster(
        name=name, version=_VERSION, roleArn=made_by, resourcesVpcConfig={"subnetIds": at.private}
    )["cluster"]
    group = ec2.create_security_group(GroupName=f"eks-cluster-sg-{name}", Description="made by EKS", VpcId=at.vpc)
    servers = store.get(API_SERVERS, "") or {"url": "https://127.0.0.1:9", "authority": ""}
    document = {
        "endpoint": f"{servers['url']}/{name}/{name}",
        "certificateAuthority": servers["authority"],
        "issuer": f"https://oidc.eks.{sandbox.region}.amazonaws.com/id/{name}",
        "vpcId": at.vpc,
        "securityGroup": group["GroupId"],
        "version": _VERSION,
        "authenticationMode": "API",
        "deletionProtection": False,
        "autoMode": chart == AUTO_MODE,
    }
    if at.account:
        subnets = ec2.describe_subnets(SubnetIds=at.private)["Subnets"]
        document |= {"account": at.account, "zones": sorted({one["AvailabilityZone"] for one in subnets})}
        role(sandbox, controller_role(at.account, name))
    store.put(CLUSTERS, made["name"], document)
    inside = Cluster(store, name)
    inside.install_kinds(chart, level)
    values = {"clusterName": name, "region": sandbox.region}
    about = {"chart": chart, "name": chart, "namespace": "kube-system"}
    release = {
        **about,
        "version": f"{level or '3.5'}.0",
        "values": values,
        "status": {"revision": 1, "status": "deployed"},
    }
    inside.put("Release", "kube-system", chart, release)
    for namespace in namespaces:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        inside.put("Namespace", "", namespace, manifest)


def apply(sandbox: Sandbox, name: str, manifests: str) -> None:
    """Apply manifests in a cluster, as GitOps does: the API server and the controller's webhook look at them."""
    elb, inside = sandbox.aws("elbv2"), Cluster(sandbox.store, name)

    def found(arn: str, name: str) -> dict[str, Any]:
        asked = {"TargetGroupArns": [arn]} if arn else {"Names": [name]}
        return elb.describe_target_groups(**asked)["TargetGroups"][0]

    for manifest in yaml.safe_load_all(manifests):
        kind, about = manifest["kind"], manifest["metadata"]
        about["uid"] = str(uuid.uuid4())
        of = KINDS[manifest["apiVersion"], kind]
        schemas.validate(of, manifest, inside.level(of))
        inside.put(kind, about["namespace"], about["name"], admission.admit(manifest, None, inside, found))


def withdraw(sandbox: Sandbox, name: str, namespace: str, binding: str) -> None:
    """Take a binding out of a cluster, as GitOps does; its controller lets go of it once its targets are out."""

    def leaving(live: dict[str, Any] | None) -> dict[str, Any] | None:
        return live and {**live, "metadata": {**live["metadata"], "deletionTimestamp": f"{datetime.now(UTC):%FT%TZ}"}}

    Cluster(sandbox.store, name).change("TargetGroupBinding", namespace, binding, leaving)


def bindings(sandbox: Sandbox, name: str) -> int:
    """Return how many bindings stand in a cluster."""
    return len(Cluster(sandbox.store, name).all("TargetGroupBinding"))


def clusters_of_others(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the clusters of all accounts that no stack has made, as EKS describes them."""
    found: list[dict[str, Any]] = []
    for account in sandbox.accounts:
        eks = sandbox.aws("eks", account=account)
        found += [eks.describe_cluster(name=name)["cluster"] for name in eks.list_clusters()["clusters"]]
    return [one for one in found if _STACK_OF_ENGINE not in one.get("tags", {})]
