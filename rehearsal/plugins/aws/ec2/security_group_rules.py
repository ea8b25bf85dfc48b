"""A rule of a security group, which is one type for each of two directions.

From the provider's source, and the quota of rules of a group. Refuses to own groups and the rules inside them
(security_group.py).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import AwsError
from rehearsal.plugins.aws.calls import arn_of, spelled, tags_shown
from rehearsal.plugins.aws.ec2.tags import retag, tagged
from rehearsal.plugins.aws.table import GIVEN, OUTPUT, REQUIRED, REQUIRED_REPLACES, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_PEERS = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
_PEERS_OF_A_PERMISSION = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
_RULES_PER_GROUP = 60  # of one direction, by quota
_SPELLED = {
    "ipProtocol": "IpProtocol",
    "fromPort": "FromPort",
    "toPort": "ToPort",
    "cidrIpv4": "CidrIpv4",
    "cidrIpv6": "CidrIpv6",
    "prefixListId": "PrefixListId",
    "referencedSecurityGroupId": "ReferencedGroupId",
    "description": "Description",
}
_PEER = Field(replaces=frozenset({"add", "delete"}))
RULE = {
    "cidrIpv4": _PEER,
    "cidrIpv6": _PEER,
    "description": GIVEN,
    "fromPort": GIVEN,
    "ipProtocol": REQUIRED,
    "prefixListId": _PEER,
    "referencedSecurityGroupId": _PEER,
    "securityGroupId": REQUIRED_REPLACES,
    "tags": GIVEN,
    "toPort": GIVEN,
    "arn": OUTPUT,
    "securityGroupRuleId": OUTPUT,
}


def _permission(inputs: Props) -> dict[str, Any]:
    text = {"Description": inputs["description"]} if inputs.get("description") else {}
    permission: dict[str, Any] = {
        "IpProtocol": inputs["ipProtocol"],
        **spelled(inputs, {"fromPort": "FromPort", "toPort": "ToPort"}),
    }
    if "cidrIpv4" in inputs:
        permission["IpRanges"] = [{"CidrIp": inputs["cidrIpv4"], **text}]
    elif "cidrIpv6" in inputs:
        permission["Ipv6Ranges"] = [{"CidrIpv6": inputs["cidrIpv6"], **text}]
    elif "prefixListId" in inputs:
        permission["PrefixListIds"] = [{"PrefixListId": inputs["prefixListId"], **text}]
    else:
        permission["UserIdGroupPairs"] = [{"GroupId": inputs["referencedSecurityGroupId"], **text}]
    return permission


def one_peer(inputs: Props) -> Iterator[str]:
    """Yield what the provider's plan refuses of the other end of a rule."""
    given = [name for name in _PEERS if name in inputs]
    if len(given) != 1:
        yield f"exactly one of {', '.join(_PEERS)} must be specified, got {', '.join(given) or 'none'}"
    for name in ("cidrIpv4", "cidrIpv6"):
        try:
            ipaddress.ip_network(inputs.get(name, "0.0.0.0/0"))
        except ValueError:
            yield f'"{inputs[name]}" is not a valid CIDR block'


def rule_creator(way: str) -> Callable[[Aws, Props], str]:
    """Make the create function of a direction."""

    def create(aws: Aws, inputs: Props) -> str:
        group = inputs["securityGroupId"]
        with aws.judging:
            # A group tells its rules without their tags, which moto takes long to find.
            found = aws.found(("InvalidGroup.NotFound",), "ec2", "describe_security_groups", GroupIds=[group])
            permissions = [
                permission
                for one in (found or {"SecurityGroups": []})["SecurityGroups"]
                for permission in one["IpPermissionsEgress" if way == "egress" else "IpPermissions"]
            ]
            peers = (one.get(peer, ()) for one in permissions for peer in _PEERS_OF_A_PERMISSION)
            if sum(map(len, peers)) >= _RULES_PER_GROUP:
                raise AwsError(
                    "ec2",
                    f"AuthorizeSecurityGroup{way.capitalize()}",
                    "RulesPerSecurityGroupLimitExceeded",
                    "The maximum number of rules per security group has been reached.",
                )
            return aws.ask(
                "ec2",
                f"authorize_security_group_{way}",
                GroupId=group,
                IpPermissions=[_permission(inputs)],
                **tagged("security-group-rule", inputs),
            )["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    return create


def update_rule(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    """Update a rule of either direction."""
    if changed - {"tags", "tagsAll"}:
        aws.ask(
            "ec2",
            "modify_security_group_rules",
            GroupId=new["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": made, "SecurityGroupRule": spelled(new, _SPELLED)}],
        )
    retag(aws, made, old, new)


def _find(aws: Aws, made: str) -> Props | None:
    rules = aws.found(
        ("InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound"),
        "ec2",
        "describe_security_group_rules",
        SecurityGroupRuleIds=[made],
    )
    return (
        next((one for one in rules["SecurityGroupRules"] if one["SecurityGroupRuleId"] == made), None)
        if rules
        else None
    )


def _told(rule: Props) -> Props:
    """Return a rule as the provider imports it; all ports are none."""
    found = {name: rule[key] for name, key in _SPELLED.items() if rule.get(key) not in (None, "", -1)}
    peer = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return {**found, "securityGroupId": rule["GroupId"], **({"referencedSecurityGroupId": peer} if peer else {})}


def read_rule(aws: Aws, made: str, known: Props) -> Props | None:
    """Return a rule of either direction, or None when it is gone."""
    rule = _find(aws, made)
    if rule is None:
        return None
    return {
        **(known or _told(rule)),
        "arn": arn_of(aws, "ec2", "security-group-rule", made),
        "securityGroupRuleId": made,
        **tags_shown(aws, rule, known),
    }


def rule_deleter(way: str) -> Callable[[Aws, str, Props], None]:
    """Make the delete function of a direction."""

    def delete(aws: Aws, made: str, state: Props) -> None:
        if _find(aws, made) is not None:
            aws.ask(
                "ec2",
                f"revoke_security_group_{way}",
                GroupId=state["securityGroupId"],
                SecurityGroupRuleIds=[made],
            )

    return delete
