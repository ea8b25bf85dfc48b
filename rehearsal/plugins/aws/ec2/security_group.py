"""The emulated security group and the rules inside it, deleted when nothing names it.

From the provider's source: it takes away the rule that lets everything out. Refuses to own rules that are resources of
their own (security_group_rules.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.plugins.aws.calls import arn_of, find, named, spelled, tags_shown
from rehearsal.plugins.aws.ec2.deletion import deleter
from rehearsal.plugins.aws.ec2.tags import retag, tagged
from rehearsal.plugins.aws.eks.standing import every_cluster
from rehearsal.plugins.aws.elbv2.standing import every_load_balancer
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REQUIRED,
    Field,
    Type,
    defaults,
    list_of,
    set_of,
)

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_INLINE_RULE = {
    "fromPort": REQUIRED,
    "toPort": REQUIRED,
    "protocol": REQUIRED,
    "cidrBlocks": list_of(),
    "description": GIVEN,
    "ipv6CidrBlocks": list_of(),
    "securityGroups": set_of(),
    "self": defaults(False),
}


def _permissions(rules: list[Props], group: str) -> list[dict[str, Any]]:
    return [
        {
            "IpProtocol": rule["protocol"],
            **({} if rule["protocol"] == "-1" else {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}),
            "IpRanges": [_described({"CidrIp": cidr}, rule) for cidr in rule.get("cidrBlocks", ())],
            "Ipv6Ranges": [_described({"CidrIpv6": cidr}, rule) for cidr in rule.get("ipv6CidrBlocks", ())],
            "UserIdGroupPairs": [
                _described({"GroupId": one}, rule)
                for one in [*rule.get("securityGroups", ()), *([group] if rule.get("self") else [])]
            ],
        }
        for rule in rules
    ]


def _described(peer: dict[str, str], rule: Props) -> dict[str, str]:
    return {**peer, "Description": rule["description"]} if rule.get("description") else peer


def _create(aws: Aws, inputs: Props) -> str:
    made = aws.ask(
        "ec2",
        "create_security_group",
        GroupName=named(inputs),
        Description=inputs["description"],
        **spelled(inputs, {"vpcId": "VpcId"}),
        **tagged("security-group", inputs),
    )["GroupId"]
    aws.ask(
        "ec2",
        "revoke_security_group_egress",
        GroupId=made,
        IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    for way in ("ingress", "egress"):
        if rules := _permissions(inputs.get(way, []), made):
            aws.ask("ec2", f"authorize_security_group_{way}", GroupId=made, IpPermissions=rules)
    return made


def _update(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    for way in ("ingress", "egress"):
        if way in changed:
            if gone := _permissions(old.get(way, []), made):
                aws.ask("ec2", f"revoke_security_group_{way}", GroupId=made, IpPermissions=gone)
            if came := _permissions(new.get(way, []), made):
                aws.ask("ec2", f"authorize_security_group_{way}", GroupId=made, IpPermissions=came)
    retag(aws, made, old, new)


def _find(aws: Aws, made: str) -> Props | None:
    return find(aws, ("InvalidGroup.NotFound",), "ec2", "describe_security_groups", "SecurityGroups", GroupIds=[made])


def _read(aws: Aws, made: str, known: Props) -> Props | None:
    group = _find(aws, made)
    if group is None:
        return None
    return {
        **known,
        "arn": arn_of(aws, "ec2", "security-group", made, owner=group["OwnerId"]),
        "ownerId": group["OwnerId"],
        "name": group["GroupName"],
        "description": group["Description"],
        "namePrefix": known.get("namePrefix", ""),
        "vpcId": group["VpcId"],
        **tags_shown(aws, group, known),
    }


def _used(aws: Aws, made: str) -> str:
    cards = aws.ask("ec2", "describe_network_interfaces", Filters=[{"Name": "group-id", "Values": [made]}])
    balancers = every_load_balancer(aws)
    groups = aws.ask("ec2", "describe_security_groups")["SecurityGroups"]
    named = {
        pair.get("GroupId")
        for group in groups
        if group["GroupId"] != made
        for rule in (*group["IpPermissions"], *group["IpPermissionsEgress"])
        for pair in rule["UserIdGroupPairs"]
    }
    held = (
        cards["NetworkInterfaces"]
        or made in named
        or any(made in one.get("SecurityGroups", []) for one in balancers)
        or any(made in one["resourcesVpcConfig"].get("securityGroupIds", []) for one in every_cluster(aws))
    )
    return f"resource {made} has a dependent object" if held else ""


delete_security_group = deleter("delete_security_group", "GroupId", "InvalidGroup.NotFound", _used)


TYPE = Type(
    "aws:ec2/securityGroup:SecurityGroup",
    "EC2 Security Group",
    {
        "description": Field(default="Managed by Pulumi", replaces=ALWAYS),
        "egress": set_of(_INLINE_RULE, computed=True),
        "ingress": set_of(_INLINE_RULE, computed=True),
        "name": COMPUTED_REPLACES,
        "namePrefix": COMPUTED_REPLACES,
        "revokeRulesOnDelete": defaults(False),
        "tags": GIVEN,
        "vpcId": COMPUTED_REPLACES,
        "arn": OUTPUT,
        "ownerId": OUTPUT,
    },
    create=_create,
    read=_read,
    update=_update,
    delete=delete_security_group,
    named="name",
)
