"""What AWS would refuse of a stack file: the whole program over the emulated AWS, without an engine.

Whatever the program asks AWS for is checked and made by the emulated provider, in the order in which the program waits,
as in a first update of an account that has what the file takes for granted. Kubernetes is not asked. Refuses to own
what AWS refuses (rehearsal/plugins/aws) and which files there are (stackfiles.py).
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import threading
import time
from collections import Counter
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import moto.settings
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.backends import get_backend
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor, Mocks

from rehearsal.cloud import session
from rehearsal.cloud.api import complete_moto
from rehearsal.cloud.refused import Refused
from rehearsal.play.beforehand import make_roles
from rehearsal.plugins.aws.provider import AwsProvider
from rehearsal.plugins.plugin import Resource
from tests.conftest import KUBECONFIG, PROJECT, Recorder, record_program

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs

_USED = ("acm", "ec2", "eks", "elbv2", "iam", "route53", "servicediscovery", "sts")
_WITHOUT_A_LIMIT = frozenset(  # that anything in a stack file could reach: left out, since making them takes long
    {"Eip", "InternetGateway", "NatGateway", "Route", "RouteTable", "RouteTableAssociation", "RolePolicyAttachment"}
)
_OF_A_NODE_GROUP = frozenset(
    {"capacityType", "instanceTypes", "labels", "nodeRoleArn", "releaseVersion", "scalingConfig", "subnetIds", "taints"}
)
_ACCOUNTS = count(200_000_000_000)
_ACCOUNT = [""]
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Cloud:
    """The emulated AWS of this process, for one stack file after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def refusals(self, config: dict[str, Any], stack: str) -> list[str]:
        """Return what the engine or AWS refuses of a program for a configuration; the first thing of AWS ends it."""
        account = f"{next(_ACCOUNTS)}"
        _ACCOUNT[0] = account
        (self._folder / "store.sqlite").unlink(missing_ok=True)
        played = _furnished(config)
        recorder = _Accepting()
        try:
            record_program(played, stack=stack, recorder=recorder)
        except Exception:
            if not recorder.refused:
                raise
        for service in _USED:
            get_backend(service).pop(account, None)
        urns = Counter(one.urn for one in recorder.recorded)
        return [*recorder.refused, *(f"Duplicate resource URN '{urn}'" for urn, count in urns.items() if count > 1)]


@contextmanager
def emulated(folder: Path) -> Generator[Cloud]:
    """Yield the emulated AWS for as long as the context lasts; its store lies in ``folder``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        patch.setattr(moto.settings, "ACM_VALIDATION_WAIT", 0)
        patch.setattr(session, "PATIENCE_SECONDS", 0.0)
        patch.setenv("AWS_ENDPOINT_URL", "none")
        patch.setattr(session.Aws, "_client", lambda self, service: _client(service, self.region))
        patch.setenv("REHEARSAL_STORE", str(folder / "store.sqlite"))
        complete_moto()
        with mock_aws():
            yield Cloud(folder)


@cache
def _client(service: str, region: str) -> Any:
    """Return a client without an endpoint, whose calls moto answers in this process."""
    names = {"region_name": region, "aws_access_key_id": "somebody", "aws_secret_access_key": "somebody"}
    config = Config(ignore_configured_endpoint_urls=True)
    client: Any = boto3.client(service, config=config, **names)  # pyright: ignore[reportCallIssue, reportArgumentType]
    client.meta.events.register("before-sign", _of_this_account)
    return client


def _of_this_account(request: Any, **_: Any) -> None:
    request.headers["x-moto-account-id"] = _ACCOUNT[0]


def _furnished(config: dict[str, Any]) -> dict[str, Any]:
    """Make the hosted zones, the certificates and the VPC that a file names, and name them in their place."""
    played, region = json.loads(json.dumps(config)), config["aws:region"]
    route53, acm, ec2 = (_client(service, region) for service in ("route53", "acm", "ec2"))
    network = played[f"{PROJECT}:network"]
    if "vpcId" in network:
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
        network["vpcId"] = vpc["VpcId"]
        six = ipaddress.IPv6Network(vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]).subnets(new_prefix=64)
        third = 0
        zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
        for key in ("publicSubnetIds", "privateSubnetIds"):
            for place, _ in enumerate(network.get(key, ())):
                made = ec2.create_subnet(
                    VpcId=network["vpcId"],
                    CidrBlock=f"10.0.{third}.0/24",
                    Ipv6CidrBlock=str(next(six)),
                    AvailabilityZone=zones[place % len(zones)],
                )
                network[key][place] = made["Subnet"]["SubnetId"]
                third += 1
    make_roles(_client("iam", region), played)
    balancers = played[f"{PROJECT}:loadBalancers"]
    named = [balancer["zone"] for balancer in balancers.values() if "zone" in balancer]
    named += [zone for balancer in balancers.values() for zone in balancer.get("zones", [])]
    for zone, private in {(one["name"], one["private"]) if isinstance(one, dict) else (one, False) for one in named}:
        more = {"HostedZoneConfig": {"PrivateZone": True}} if private else {}
        route53.create_hosted_zone(Name=zone, CallerReference=secrets.token_hex(), **more)
    for name, balancer in balancers.items():
        if "certificateArn" in balancer:
            balancer["certificateArn"] = _certificate(acm, f"{name}.example.com")
        if "certificateArns" in balancer:
            balancer["certificateArns"] = [
                _certificate(acm, f"{name}.example.org") for _ in balancer["certificateArns"]
            ]
    return played


def _certificate(acm: Any, name: str) -> str:
    arn = acm.request_certificate(DomainName=name, ValidationMethod="DNS")["CertificateArn"]
    while acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] != "ISSUED":
        time.sleep(0.001)
    return arn


class _Accepting(Recorder):
    """Records the program as any other recorder, with the emulated AWS for whoever answers."""

    def __init__(self) -> None:
        super().__init__({})
        self.refused: list[str] = []
        self.mocks = _EmulatedAws(self)


class _EmulatedAws(Mocks):
    def __init__(self, recorder: _Accepting) -> None:
        self._recorder = recorder
        self._provider = AwsProvider()
        self._one_at_a_time = threading.Lock()  # what one thread adds to, moto may be walking over in another
        self._clusters: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        with self._one_at_a_time:
            return self._new_resource(args)

    def _new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs: Any = _whole(args.inputs)
        if args.resource_id:  # a role that is there
            return args.resource_id, {"arn": f"arn:aws:iam::{_ACCOUNT[0]}:role/{args.resource_id}"}
        if args.typ == "pulumi:providers:aws":
            self._provider.configure({"region": inputs["region"], "defaultTags": inputs["defaultTags"]})
        elif args.typ == "eks:index:Cluster":
            return args.name, {"kubeconfigJson": KUBECONFIG, "eksCluster": self._cluster(args.name, inputs)}
        elif args.typ == "eks:index:ManagedNodeGroup":
            self._node_group(args.name, inputs)
        elif args.typ == "eks:index:Addon":
            cluster = self._cluster_of(inputs)["name"]
            given = {key: value for key, value in inputs.items() if key != "cluster"}
            self._make("aws:eks/addon:Addon", args.name, {**given, "clusterName": cluster})
        elif args.typ.startswith("aws:") and args.typ.rpartition(":")[2] not in _WITHOUT_A_LIMIT:
            return self._make(args.typ, args.name, inputs)
        return f"{args.name}-id", {"name": args.name, "allocationId": f"{args.name}-allocation", **inputs}

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        try:
            with self._one_at_a_time:
                return self._provider.invoke(args.token, _whole(args.args)), []
        except Refused as refusal:
            self._recorder.refused.append(f"{args.token}: {refusal}")
            raise

    def _make(self, kind: str, name: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        resource = Resource(f"urn:pulumi:test::{PROJECT}::{kind}::{name}")
        try:
            checked = self._provider.check(resource, {}, inputs, secrets.token_bytes())
            return self._provider.create(resource, checked, preview=False)
        except Refused as refusal:
            self._recorder.refused.append(f"{name}: {refusal}")
            raise

    def _cluster_of(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return self._clusters[inputs["cluster"].rpartition("::")[2]]

    def _cluster(self, name: str, inputs: dict[str, Any]) -> dict[str, str]:
        """Make the component's children, and return the reference to the one that the program reads."""
        role = f"arn:aws:iam::{_ACCOUNT[0]}:role/eks"
        if "serviceRole" not in inputs:
            trust = {"assumeRolePolicy": json.dumps(_TRUST)}
            role = self._make("aws:iam/role:Role", f"{name}-eksRole-role", trust)[1]["arn"]
        network = ("endpointPrivateAccess", "endpointPublicAccess", "publicAccessCidrs")
        same = ("name", "version", "enabledClusterLogTypes", "upgradePolicy", "deletionProtection")
        services = inputs.get("kubernetesServiceIpAddressRange")
        made, state = self._make(
            "aws:eks/cluster:Cluster",
            f"{name}-eksCluster",
            {
                **{key: inputs[key] for key in same if key in inputs},
                "roleArn": role,
                "vpcConfig": {
                    "subnetIds": inputs["privateSubnetIds"],
                    **{key: inputs[key] for key in network if key in inputs},
                },
                "accessConfig": {"authenticationMode": inputs["authenticationMode"]},
                **({"kubernetesNetworkConfig": {"serviceIpv4Cidr": services}} if services else {}),
            },
        )
        self._clusters[name] = state
        urn = f"urn:pulumi:test::{PROJECT}::eks:index:Cluster$aws:eks/cluster:Cluster::{name}-eksCluster"
        self._recorder.resources[urn] = MockMonitor.ResourceRegistration(urn, made, state)
        return {rpc._special_sig_key: rpc._special_resource_sig, "urn": urn, "id": made}  # pyright: ignore[reportPrivateUsage]

    def _node_group(self, name: str, inputs: dict[str, Any]) -> None:
        given = {key: inputs[key] for key in _OF_A_NODE_GROUP if key in inputs}
        cluster = self._cluster_of(inputs)["name"]
        self._make("aws:eks/nodeGroup:NodeGroup", name, {**given, "clusterName": cluster})


def _whole(value: Any) -> Any:
    """Return numbers as a plugin takes them: the mocks hand over all as floats."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(part) for key, part in value.items()}
    return [_whole(part) for part in value] if isinstance(value, list) else value
