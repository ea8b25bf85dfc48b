"""The emulated VPC: a network with defaults of its own, deleted when nothing is in it.

From the provider's source, and AWS's ranges that make no VPC. Refuses to own subnets and gateways.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.calls import arn_of, find, tags_shown
from rehearsal.plugins.aws.ec2.deletion import deleter
from rehearsal.plugins.aws.ec2.tags import retag, tagged
from rehearsal.plugins.aws.table import ALWAYS, COMPUTED, GIVEN, OUTPUT, REQUIRED_REPLACES, Field, Type, defaults

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_NO_VPC = [
    ipaddress.IPv4Network(block)
    for block in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
]


def _create(aws: Aws, inputs: Props) -> str:
    block = ipaddress.IPv4Network(inputs["cidrBlock"])
    if any(map(block.subnet_of, _NO_VPC)):
        raise AwsError("ec2", "CreateVpc", "InvalidVpc.Range", f"The CIDR '{block}' is invalid.")
    made = aws.ask(
        "ec2",
        "create_vpc",
        CidrBlock=inputs["cidrBlock"],
        InstanceTenancy=inputs["instanceTenancy"],
        **tagged("vpc", inputs),
    )["Vpc"]["VpcId"]
    _set_names(aws, made, inputs)
    return made


def _set_names(aws: Aws, made: str, inputs: Props) -> None:
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        if name in inputs:
            attribute = name[0].upper() + name[1:]
            aws.ask("ec2", "modify_vpc_attribute", VpcId=made, **{attribute: {"Value": inputs[name]}})


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    _set_names(aws, made, new)
    retag(aws, made, old, new)


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    vpc = find(aws, ("InvalidVpcID.NotFound",), "ec2", "describe_vpcs", "Vpcs", VpcIds=[made])
    if vpc is None:
        return None
    here = [{"Name": "vpc-id", "Values": [made]}]
    tables = aws.ask("ec2", "describe_route_tables", Filters=here)["RouteTables"]
    main = next(part["RouteTableId"] for part in tables if any(one.get("Main") for one in part["Associations"]))
    group = aws.ask("ec2", "describe_security_groups", Filters=[*here, {"Name": "group-name", "Values": ["default"]}])[
        "SecurityGroups"
    ][0]
    access = aws.ask("ec2", "describe_network_acls", Filters=[*here, {"Name": "default", "Values": ["true"]}])
    support = aws.ask("ec2", "describe_vpc_attribute", VpcId=made, Attribute="enableDnsSupport")
    names = aws.ask("ec2", "describe_vpc_attribute", VpcId=made, Attribute="enableDnsHostnames")
    return {
        **known,
        "arn": arn_of(aws, "ec2", "vpc", made, owner=vpc["OwnerId"]),
        "ownerId": vpc["OwnerId"],
        "cidrBlock": vpc["CidrBlock"],
        "enableDnsSupport": support["EnableDnsSupport"]["Value"],
        "enableDnsHostnames": names["EnableDnsHostnames"]["Value"],
        "defaultNetworkAclId": access["NetworkAcls"][0]["NetworkAclId"],
        "defaultRouteTableId": main,
        "defaultSecurityGroupId": group["GroupId"],
        "dhcpOptionsId": vpc.get("DhcpOptionsId", "default"),
        "mainRouteTableId": main,
        **tags_shown(aws, vpc, known),
    }


def _used(aws: Aws, made: str) -> str:
    here = [{"Name": "vpc-id", "Values": [made]}]
    groups = aws.ask("ec2", "describe_security_groups", Filters=here)["SecurityGroups"]
    subnets = aws.ask("ec2", "describe_subnets", Filters=here)["Subnets"]
    gateways = aws.ask("ec2", "describe_internet_gateways", Filters=[{"Name": "attachment.vpc-id", "Values": [made]}])[
        "InternetGateways"
    ]
    held = subnets or gateways or any(group["GroupName"] != "default" for group in groups)
    return f"The vpc '{made}' has dependencies and cannot be deleted." if held else ""


TYPE = Type(
    "aws:ec2/vpc:Vpc",
    "EC2 VPC",
    {
        "cidrBlock": REQUIRED_REPLACES,
        "enableDnsHostnames": COMPUTED,
        "enableDnsSupport": defaults(True),
        "instanceTenancy": Field(default="default", replaces=ALWAYS),
        "tags": GIVEN,
        "arn": OUTPUT,
        "defaultNetworkAclId": OUTPUT,
        "defaultRouteTableId": OUTPUT,
        "defaultSecurityGroupId": OUTPUT,
        "dhcpOptionsId": OUTPUT,
        "mainRouteTableId": OUTPUT,
        "ownerId": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=deleter("delete_vpc", "VpcId", "InvalidVpcID.NotFound", _used),
)
