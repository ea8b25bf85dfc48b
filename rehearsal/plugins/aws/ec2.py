"""The emulated EC2 types. State lies in moto; what moto deletes while it is in use is refused here."""

from __future__ import annotations

import ipaddress
import zlib
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import AwsError, pairs, prefixed, unpaired
from rehearsal.plugins.aws.table import (
    ALWAYS,
    COMPUTED,
    COMPUTED_REPLACES,
    GIVEN,
    OUTPUT,
    REPLACES,
    REQUIRED,
    REQUIRED_REPLACES,
    Field,
    Type,
    block,
    defaults,
    list_of,
    one_of,
    set_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rehearsal.cloud.refused import Props
    from rehearsal.cloud.session import Aws

_IN_USE = ("DependencyViolation", "InvalidGroup.InUse", "InvalidIPAddress.InUse")
_PEERS = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
_PEERS_OF_A_PERMISSION = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
_RULES_PER_GROUP = 60  # of one direction, by quota
_NO_VPC = [
    ipaddress.IPv4Network(block)
    for block in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
]
_ROUTE_TARGETS = {"gatewayId": "GatewayId", "natGatewayId": "NatGatewayId"}


def _tagged(kind: str, inputs: Props) -> dict[str, Any]:
    tags = pairs(inputs["tagsAll"])
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def _retag(aws: Aws, made: str, old: Props, new: Props) -> None:
    if gone := [{"Key": key} for key in old.get("tagsAll", {}) if key not in new["tagsAll"]]:
        aws.ask("ec2", "delete_tags", Resources=[made], Tags=gone)
    if new["tagsAll"]:
        aws.ask("ec2", "create_tags", Resources=[made], Tags=pairs(new["tagsAll"]))


def _only_tags(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    _retag(aws, made, old, new)


def _one(aws: Aws, gone: str, operation: str, result: str, **which: Any) -> Props | None:
    answer = aws.found((gone,), "ec2", operation, **which)
    return answer[result][0] if answer and answer[result] else None


def _arn(aws: Aws, owner: str, kind: str, made: str) -> str:
    return f"arn:{aws.partition}:ec2:{aws.region}:{owner}:{kind}/{made}"


def _deleter(operation: str, parameter: str, gone: str, used: Callable[[Aws, str], str] | None = None) -> Any:
    """Make the delete function of a type; ``used`` tells by whom it is held, in AWS's words, or nothing."""

    def delete(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
        def act() -> None:
            if used and (words := used(aws, made)):
                name = "".join(word.capitalize() for word in operation.split("_"))
                raise AwsError("ec2", name, "DependencyViolation", words)
            aws.found((gone,), "ec2", operation, **{parameter: made})

        aws.patiently(act, _IN_USE)

    return delete


def _create_vpc(aws: Aws, inputs: Props) -> str:
    block = ipaddress.IPv4Network(inputs["cidrBlock"])
    if any(map(block.subnet_of, _NO_VPC)):
        raise AwsError("ec2", "CreateVpc", "InvalidVpc.Range", f"The CIDR '{block}' is invalid.")
    made = aws.ask(
        "ec2",
        "create_vpc",
        CidrBlock=inputs["cidrBlock"],
        InstanceTenancy=inputs["instanceTenancy"],
        **_tagged("vpc", inputs),
    )["Vpc"]["VpcId"]
    _set_vpc(aws, made, inputs)
    return made


def _set_vpc(aws: Aws, made: str, inputs: Props) -> None:
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        if name in inputs:
            attribute = name[0].upper() + name[1:]
            aws.ask("ec2", "modify_vpc_attribute", VpcId=made, **{attribute: {"Value": inputs[name]}})


def _update_vpc(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    _set_vpc(aws, made, new)
    _retag(aws, made, old, new)


def _read_vpc(aws: Aws, made: str, known: Props) -> Props | None:
    vpc = _one(aws, "InvalidVpcID.NotFound", "describe_vpcs", "Vpcs", VpcIds=[made])
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
        "arn": _arn(aws, vpc["OwnerId"], "vpc", made),
        "ownerId": vpc["OwnerId"],
        "cidrBlock": vpc["CidrBlock"],
        "enableDnsSupport": support["EnableDnsSupport"]["Value"],
        "enableDnsHostnames": names["EnableDnsHostnames"]["Value"],
        "defaultNetworkAclId": access["NetworkAcls"][0]["NetworkAclId"],
        "defaultRouteTableId": main,
        "defaultSecurityGroupId": group["GroupId"],
        "dhcpOptionsId": vpc.get("DhcpOptionsId", "default"),
        "mainRouteTableId": main,
        **aws.tags_found(unpaired(vpc.get("Tags", [])), known),
    }


def _vpc_used(aws: Aws, made: str) -> str:
    here = [{"Name": "vpc-id", "Values": [made]}]
    groups = aws.ask("ec2", "describe_security_groups", Filters=here)["SecurityGroups"]
    subnets = aws.ask("ec2", "describe_subnets", Filters=here)["Subnets"]
    gateways = aws.ask("ec2", "describe_internet_gateways", Filters=[{"Name": "attachment.vpc-id", "Values": [made]}])[
        "InternetGateways"
    ]
    held = subnets or gateways or any(group["GroupName"] != "default" for group in groups)
    return f"The vpc '{made}' has dependencies and cannot be deleted." if held else ""


def _create_subnet(aws: Aws, inputs: Props) -> str:
    place = {"AvailabilityZone": "availabilityZone", "AvailabilityZoneId": "availabilityZoneId"}
    made = aws.ask(
        "ec2",
        "create_subnet",
        VpcId=inputs["vpcId"],
        CidrBlock=inputs["cidrBlock"],
        **{key: inputs[name] for key, name in place.items() if name in inputs},
        **_tagged("subnet", inputs),
    )["Subnet"]["SubnetId"]
    _set_subnet(aws, made, inputs)
    return made


def _set_subnet(aws: Aws, made: str, inputs: Props) -> None:
    on = inputs["mapPublicIpOnLaunch"]
    aws.ask("ec2", "modify_subnet_attribute", SubnetId=made, MapPublicIpOnLaunch={"Value": on})


def _update_subnet(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    _set_subnet(aws, made, new)
    _retag(aws, made, old, new)


def _read_subnet(aws: Aws, made: str, known: Props) -> Props | None:
    subnet = _one(aws, "InvalidSubnetID.NotFound", "describe_subnets", "Subnets", SubnetIds=[made])
    if subnet is None:
        return None
    return {
        **known,
        "arn": subnet["SubnetArn"],
        "ownerId": subnet["OwnerId"],
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet["AvailabilityZoneId"],
        "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
        **aws.tags_found(unpaired(subnet.get("Tags", [])), known),
    }


def _subnet_used(aws: Aws, made: str) -> str:
    cards = aws.ask("ec2", "describe_network_interfaces", Filters=[{"Name": "subnet-id", "Values": [made]}])
    gateways = aws.ask("ec2", "describe_nat_gateways", Filters=[{"Name": "subnet-id", "Values": [made]}])
    balancers = aws.pages("elbv2", "describe_load_balancers", "LoadBalancers")
    held = (
        cards["NetworkInterfaces"]
        or any(one["State"] != "deleted" for one in gateways["NatGateways"])
        or any(zone["SubnetId"] == made for one in balancers for zone in one["AvailabilityZones"])
        or any(made in one["resourcesVpcConfig"]["subnetIds"] for one in _clusters(aws))
    )
    return f"The subnet '{made}' has dependencies and cannot be deleted." if held else ""


def _clusters(aws: Aws) -> Iterator[Props]:
    for name in aws.ask("eks", "list_clusters")["clusters"]:
        if answer := aws.found(("ResourceNotFoundException",), "eks", "describe_cluster", name=name):
            yield answer["cluster"]


def _create_gateway(aws: Aws, inputs: Props) -> str:
    answer = aws.ask("ec2", "create_internet_gateway", **_tagged("internet-gateway", inputs))
    made = answer["InternetGateway"]["InternetGatewayId"]
    if "vpcId" in inputs:
        aws.ask("ec2", "attach_internet_gateway", InternetGatewayId=made, VpcId=inputs["vpcId"])
    return made


def _update_gateway(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "vpcId" in changed:
        _detach_gateway(aws, made, old)
        aws.ask("ec2", "attach_internet_gateway", InternetGatewayId=made, VpcId=new["vpcId"])
    _retag(aws, made, old, new)


def _detach_gateway(aws: Aws, made: str, state: Props) -> None:
    if "vpcId" in state:
        gone = ("Gateway.NotAttached", "InvalidInternetGatewayID.NotFound")
        aws.found(gone, "ec2", "detach_internet_gateway", InternetGatewayId=made, VpcId=state["vpcId"])


def _read_gateway(aws: Aws, made: str, known: Props) -> Props | None:
    gateway = _one(
        aws,
        "InvalidInternetGatewayID.NotFound",
        "describe_internet_gateways",
        "InternetGateways",
        InternetGatewayIds=[made],
    )
    if gateway is None:
        return None
    owner = gateway.get("OwnerId") or aws.account
    attached = [one["VpcId"] for one in gateway.get("Attachments", [])]
    return {
        **known,
        "arn": _arn(aws, owner, "internet-gateway", made),
        "ownerId": owner,
        **({"vpcId": attached[0]} if attached else {}),
        **aws.tags_found(unpaired(gateway.get("Tags", [])), known),
    }


def _delete_gateway(aws: Aws, made: str, state: Props) -> None:
    _detach_gateway(aws, made, state)
    aws.found(("InvalidInternetGatewayID.NotFound",), "ec2", "delete_internet_gateway", InternetGatewayId=made)


def _create_nat(aws: Aws, inputs: Props) -> str:
    return aws.ask(
        "ec2",
        "create_nat_gateway",
        SubnetId=inputs["subnetId"],
        ConnectivityType=inputs["connectivityType"],
        **({"AllocationId": inputs["allocationId"]} if "allocationId" in inputs else {}),
        **_tagged("natgateway", inputs),
    )["NatGateway"]["NatGatewayId"]


def _read_nat(aws: Aws, made: str, known: Props) -> Props | None:
    nat = _one(aws, "NatGatewayNotFound", "describe_nat_gateways", "NatGateways", NatGatewayIds=[made])
    if nat is None or nat["State"] == "deleted":
        return None
    address = nat["NatGatewayAddresses"][0]
    return {
        **known,
        "publicIp": address.get("PublicIp", ""),
        "privateIp": address.get("PrivateIp", ""),
        "networkInterfaceId": address.get("NetworkInterfaceId", ""),
        "associationId": address.get("AssociationId", ""),
        **aws.tags_found(unpaired(nat.get("Tags", [])), known),
    }


def _delete_nat(aws: Aws, made: str, state: Props) -> None:
    if _read_nat(aws, made, state) is None:
        return
    aws.ask("ec2", "delete_nat_gateway", NatGatewayId=made)
    # moto keeps what a NAT gateway holds; AWS frees its address and its network interface.
    if address := _address(aws, state.get("allocationId", "")):
        aws.ask("ec2", "disassociate_address", AssociationId=address["AssociationId"])
    card = state["networkInterfaceId"]
    aws.found(("InvalidNetworkInterfaceID.NotFound",), "ec2", "delete_network_interface", NetworkInterfaceId=card)


def _address(aws: Aws, made: str) -> Props | None:
    gone = "InvalidAllocationID.NotFound"
    return _one(aws, gone, "describe_addresses", "Addresses", AllocationIds=[made]) if made else None


def _create_eip(aws: Aws, inputs: Props) -> str:
    return aws.ask("ec2", "allocate_address", Domain="vpc", **_tagged("elastic-ip", inputs))["AllocationId"]


def _read_eip(aws: Aws, made: str, known: Props) -> Props | None:
    address = _address(aws, made)
    if address is None:
        return None
    ip = address["PublicIp"]
    return {
        **known,
        "allocationId": made,
        "arn": _arn(aws, aws.account, "elastic-ip", made),
        "associationId": address.get("AssociationId", ""),
        "publicIp": ip,
        "publicDns": f"ec2-{ip.replace('.', '-')}.{aws.region}.compute.amazonaws.com",
        **aws.tags_found(unpaired(address.get("Tags", [])), known),
    }


def _route(inputs: Props, destination: str) -> dict[str, Any]:
    return {
        "DestinationCidrBlock": inputs[destination],
        **{key: inputs[name] for name, key in _ROUTE_TARGETS.items() if inputs.get(name)},
    }


def _create_route_table(aws: Aws, inputs: Props) -> str:
    made = aws.ask("ec2", "create_route_table", VpcId=inputs["vpcId"], **_tagged("route-table", inputs))
    table = made["RouteTable"]["RouteTableId"]
    for route in inputs.get("routes", ()):
        aws.ask("ec2", "create_route", RouteTableId=table, **_route(route, "cidrBlock"))
    return table


def _update_route_table(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if "routes" in changed:
        for route in old.get("routes", ()):
            aws.ask("ec2", "delete_route", RouteTableId=made, DestinationCidrBlock=route["cidrBlock"])
        for route in new.get("routes", ()):
            aws.ask("ec2", "create_route", RouteTableId=made, **_route(route, "cidrBlock"))
    _retag(aws, made, old, new)


def _route_table(aws: Aws, made: str) -> Props | None:
    return _one(aws, "InvalidRouteTableID.NotFound", "describe_route_tables", "RouteTables", RouteTableIds=[made])


def _read_route_table(aws: Aws, made: str, known: Props) -> Props | None:
    table = _route_table(aws, made)
    if table is None:
        return None
    owner = table.get("OwnerId") or aws.account
    return {
        **known,
        "arn": _arn(aws, owner, "route-table", made),
        "ownerId": owner,
        **aws.tags_found(unpaired(table.get("Tags", [])), known),
    }


def _delete_route_table(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    table = _route_table(aws, made)
    if table is None:
        return
    for one in table["Associations"]:
        aws.ask("ec2", "disassociate_route_table", AssociationId=one["RouteTableAssociationId"])
    aws.ask("ec2", "delete_route_table", RouteTableId=made)


def _create_route(aws: Aws, inputs: Props) -> str:
    aws.ask("ec2", "create_route", RouteTableId=inputs["routeTableId"], **_route(inputs, "destinationCidrBlock"))
    return f"r-{inputs['routeTableId']}{zlib.crc32(inputs['destinationCidrBlock'].encode())}"


def _update_route(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    aws.ask("ec2", "replace_route", RouteTableId=new["routeTableId"], **_route(new, "destinationCidrBlock"))


def _read_route(aws: Aws, made: str, known: Props) -> Props | None:  # noqa: ARG001
    table = _route_table(aws, known["routeTableId"])
    for route in table["Routes"] if table else ():
        if route.get("DestinationCidrBlock") == known["destinationCidrBlock"]:
            targets = {name: route[key] for name, key in _ROUTE_TARGETS.items() if route.get(key)}
            given = {name: value for name, value in known.items() if name not in _ROUTE_TARGETS}
            return {
                **given,
                **targets,
                "origin": route.get("Origin", "CreateRoute"),
                "state": route.get("State", "active"),
            }
    return None


def _delete_route(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    aws.found(
        ("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"),
        "ec2",
        "delete_route",
        RouteTableId=state["routeTableId"],
        DestinationCidrBlock=state["destinationCidrBlock"],
    )


def _association(aws: Aws, state: Props) -> Props | None:
    """Return the association by what it joins: changing the table of one changes its id."""
    table = _route_table(aws, state["routeTableId"])
    for one in table["Associations"] if table else ():
        if one.get("SubnetId") == state.get("subnetId") and one.get("GatewayId") == state.get("gatewayId"):
            return one
    return None


def _create_association(aws: Aws, inputs: Props) -> str:
    ends = {"SubnetId": "subnetId", "GatewayId": "gatewayId"}
    return aws.ask(
        "ec2",
        "associate_route_table",
        RouteTableId=inputs["routeTableId"],
        **{key: inputs[name] for key, name in ends.items() if name in inputs},
    )["AssociationId"]


def _update_association(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:  # noqa: ARG001
    if one := _association(aws, old):
        association = one["RouteTableAssociationId"]
        aws.ask(
            "ec2",
            "replace_route_table_association",
            AssociationId=association,
            RouteTableId=new["routeTableId"],
        )


def _read_association(aws: Aws, made: str, known: Props) -> Props | None:  # noqa: ARG001
    return known if _association(aws, known) else None


def _delete_association(aws: Aws, made: str, state: Props) -> None:  # noqa: ARG001
    if one := _association(aws, state):
        aws.ask("ec2", "disassociate_route_table", AssociationId=one["RouteTableAssociationId"])


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


def _create_group(aws: Aws, inputs: Props) -> str:
    made = aws.ask(
        "ec2",
        "create_security_group",
        GroupName=inputs.get("name") or prefixed(inputs["namePrefix"]),
        Description=inputs["description"],
        **({"VpcId": inputs["vpcId"]} if "vpcId" in inputs else {}),
        **_tagged("security-group", inputs),
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


def _update_group(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    for way in ("ingress", "egress"):
        if way in changed:
            if gone := _permissions(old.get(way, []), made):
                aws.ask("ec2", f"revoke_security_group_{way}", GroupId=made, IpPermissions=gone)
            if came := _permissions(new.get(way, []), made):
                aws.ask("ec2", f"authorize_security_group_{way}", GroupId=made, IpPermissions=came)
    _retag(aws, made, old, new)


def _group(aws: Aws, made: str) -> Props | None:
    return _one(aws, "InvalidGroup.NotFound", "describe_security_groups", "SecurityGroups", GroupIds=[made])


def _read_group(aws: Aws, made: str, known: Props) -> Props | None:
    group = _group(aws, made)
    if group is None:
        return None
    return {
        **known,
        "arn": _arn(aws, group["OwnerId"], "security-group", made),
        "ownerId": group["OwnerId"],
        "name": group["GroupName"],
        "namePrefix": known.get("namePrefix", ""),
        "vpcId": group["VpcId"],
        **aws.tags_found(unpaired(group.get("Tags", [])), known),
    }


def _group_used(aws: Aws, made: str) -> str:
    cards = aws.ask("ec2", "describe_network_interfaces", Filters=[{"Name": "group-id", "Values": [made]}])
    balancers = aws.pages("elbv2", "describe_load_balancers", "LoadBalancers")
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
        or any(made in one["resourcesVpcConfig"].get("securityGroupIds", []) for one in _clusters(aws))
    )
    return f"resource {made} has a dependent object" if held else ""


delete_security_group = _deleter("delete_security_group", "GroupId", "InvalidGroup.NotFound", _group_used)


def _rule_permission(inputs: Props) -> dict[str, Any]:
    text = {"Description": inputs["description"]} if inputs.get("description") else {}
    ports = {"FromPort": "fromPort", "ToPort": "toPort"}
    permission: dict[str, Any] = {
        "IpProtocol": inputs["ipProtocol"],
        **{key: inputs[name] for key, name in ports.items() if name in inputs},
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


def _one_peer(inputs: Props) -> Iterator[str]:
    given = [name for name in _PEERS if name in inputs]
    if len(given) != 1:
        yield f"exactly one of {', '.join(_PEERS)} must be specified, got {', '.join(given) or 'none'}"
    for name in ("cidrIpv4", "cidrIpv6"):
        try:
            ipaddress.ip_network(inputs.get(name, "0.0.0.0/0"))
        except ValueError:
            yield f'"{inputs[name]}" is not a valid CIDR block'


def _rule_creator(way: str) -> Callable[[Aws, Props], str]:
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
                IpPermissions=[_rule_permission(inputs)],
                **_tagged("security-group-rule", inputs),
            )["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    return create


def _update_rule(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if changed - {"tags", "tagsAll"}:
        spelled = {
            "ipProtocol": "IpProtocol",
            "fromPort": "FromPort",
            "toPort": "ToPort",
            "cidrIpv4": "CidrIpv4",
            "cidrIpv6": "CidrIpv6",
            "prefixListId": "PrefixListId",
            "referencedSecurityGroupId": "ReferencedGroupId",
            "description": "Description",
        }
        rule = {key: new[name] for name, key in spelled.items() if name in new}
        aws.ask(
            "ec2",
            "modify_security_group_rules",
            GroupId=new["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": made, "SecurityGroupRule": rule}],
        )
    _retag(aws, made, old, new)


def _rule(aws: Aws, made: str) -> Props | None:
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


def _read_rule(aws: Aws, made: str, known: Props) -> Props | None:
    rule = _rule(aws, made)
    if rule is None:
        return None
    return {
        **known,
        "arn": _arn(aws, aws.account, "security-group-rule", made),
        "securityGroupRuleId": made,
        **aws.tags_found(unpaired(rule.get("Tags", [])), known),
    }


def _rule_deleter(way: str) -> Callable[[Aws, str, Props], None]:
    def delete(aws: Aws, made: str, state: Props) -> None:
        if _rule(aws, made) is not None:
            aws.ask(
                "ec2",
                f"revoke_security_group_{way}",
                GroupId=state["securityGroupId"],
                SecurityGroupRuleIds=[made],
            )

    return delete


def _template_data(inputs: Props) -> dict[str, Any]:
    names = {"vpcSecurityGroupIds": "SecurityGroupIds"}
    aside = {"name", "namePrefix", "description", "updateDefaultVersion", "defaultVersion", "tags", "tagsAll", "region"}
    data = {
        names.get(name, name[0].upper() + name[1:]): _template_value(value)
        for name, value in inputs.items()
        if name not in aside
    }
    for one in data.get("TagSpecifications", []):
        one["Tags"] = pairs(one["Tags"])
    return data


def _template_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_template_value(part) for part in value]
    if isinstance(value, dict) and "tags" in value:
        return {"ResourceType": value["resourceType"], "Tags": value["tags"]}
    if isinstance(value, dict):
        return {name[0].upper() + name[1:]: _template_value(part) for name, part in value.items()}
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _create_template(aws: Aws, inputs: Props) -> str:
    return aws.ask(
        "ec2",
        "create_launch_template",
        LaunchTemplateName=inputs.get("name") or prefixed(inputs["namePrefix"]),
        LaunchTemplateData=_template_data(inputs),
        **({"VersionDescription": inputs["description"]} if "description" in inputs else {}),
        **_tagged("launch-template", inputs),
    )["LaunchTemplate"]["LaunchTemplateId"]


def _update_template(aws: Aws, made: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    flags = {"tags", "tagsAll", "updateDefaultVersion", "defaultVersion"}
    if changed - flags:
        version = aws.ask(
            "ec2",
            "create_launch_template_version",
            LaunchTemplateId=made,
            LaunchTemplateData=_template_data(new),
            **({"VersionDescription": new["description"]} if "description" in new else {}),
        )["LaunchTemplateVersion"]["VersionNumber"]
        if new.get("updateDefaultVersion"):
            aws.ask("ec2", "modify_launch_template", LaunchTemplateId=made, DefaultVersion=str(version))
    _retag(aws, made, old, new)


def _read_template(aws: Aws, made: str, known: Props) -> Props | None:
    template = _one(
        aws,
        "InvalidLaunchTemplateId.NotFound",
        "describe_launch_templates",
        "LaunchTemplates",
        LaunchTemplateIds=[made],
    )
    if template is None:
        return None
    return {
        **known,
        "arn": _arn(aws, aws.account, "launch-template", made),
        "name": template["LaunchTemplateName"],
        "namePrefix": known.get("namePrefix", ""),
        "latestVersion": template["LatestVersionNumber"],
        "defaultVersion": template["DefaultVersionNumber"],
        **aws.tags_found(unpaired(template.get("Tags", [])), known),
    }


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
_PEER = Field(replaces=frozenset({"add", "delete"}))
_GROUP_RULE = {
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

TYPES = (
    Type(
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
        create=_create_vpc,
        read=_read_vpc,
        update=_update_vpc,
        delete=_deleter("delete_vpc", "VpcId", "InvalidVpcID.NotFound", _vpc_used),
    ),
    Type(
        "aws:ec2/subnet:Subnet",
        "EC2 Subnet",
        {
            "assignIpv6AddressOnCreation": defaults(False),
            "availabilityZone": COMPUTED_REPLACES,
            "availabilityZoneId": COMPUTED_REPLACES,
            "cidrBlock": REQUIRED_REPLACES,
            "enableDns64": defaults(False),
            "enableResourceNameDnsARecordOnLaunch": defaults(False),
            "enableResourceNameDnsAaaaRecordOnLaunch": defaults(False),
            "ipv6Native": Field(default=False, replaces=ALWAYS),
            "mapPublicIpOnLaunch": defaults(False),
            "tags": GIVEN,
            "vpcId": REQUIRED_REPLACES,
            "arn": OUTPUT,
            "ownerId": OUTPUT,
        },
        create=_create_subnet,
        read=_read_subnet,
        update=_update_subnet,
        delete=_deleter("delete_subnet", "SubnetId", "InvalidSubnetID.NotFound", _subnet_used),
    ),
    Type(
        "aws:ec2/internetGateway:InternetGateway",
        "EC2 Internet Gateway",
        {"tags": GIVEN, "vpcId": COMPUTED, "arn": OUTPUT, "ownerId": OUTPUT},
        create=_create_gateway,
        read=_read_gateway,
        update=_update_gateway,
        delete=_delete_gateway,
    ),
    Type(
        "aws:ec2/natGateway:NatGateway",
        "EC2 NAT Gateway",
        {
            "allocationId": REPLACES,
            "connectivityType": Field(default="public", replaces=ALWAYS, check=one_of("private", "public")),
            "privateIp": COMPUTED_REPLACES,
            "subnetId": REQUIRED_REPLACES,
            "tags": GIVEN,
            "associationId": OUTPUT,
            "networkInterfaceId": OUTPUT,
            "publicIp": OUTPUT,
        },
        create=_create_nat,
        read=_read_nat,
        update=_only_tags,
        delete=_delete_nat,
    ),
    Type(
        "aws:ec2/eip:Eip",
        "EC2 EIP",
        {
            "domain": Field(computed=True, replaces=ALWAYS, check=one_of("vpc")),
            "tags": GIVEN,
            "allocationId": OUTPUT,
            "arn": OUTPUT,
            "associationId": OUTPUT,
            "publicDns": OUTPUT,
            "publicIp": OUTPUT,
        },
        create=_create_eip,
        read=_read_eip,
        update=_only_tags,
        delete=_deleter("release_address", "AllocationId", "InvalidAllocationID.NotFound"),
    ),
    Type(
        "aws:ec2/routeTable:RouteTable",
        "EC2 Route Table",
        {
            "routes": set_of({"cidrBlock": REQUIRED, "gatewayId": GIVEN, "natGatewayId": GIVEN}, computed=True),
            "tags": GIVEN,
            "vpcId": REQUIRED_REPLACES,
            "arn": OUTPUT,
            "ownerId": OUTPUT,
        },
        create=_create_route_table,
        read=_read_route_table,
        update=_update_route_table,
        delete=_delete_route_table,
    ),
    Type(
        "aws:ec2/route:Route",
        "EC2 Route",
        {
            "destinationCidrBlock": REQUIRED_REPLACES,
            "gatewayId": GIVEN,
            "natGatewayId": GIVEN,
            "routeTableId": REQUIRED_REPLACES,
            "origin": OUTPUT,
            "state": OUTPUT,
        },
        create=_create_route,
        read=_read_route,
        update=_update_route,
        delete=_delete_route,
    ),
    Type(
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "EC2 Route Table Association",
        {"gatewayId": REPLACES, "routeTableId": REQUIRED, "subnetId": REPLACES},
        create=_create_association,
        read=_read_association,
        update=_update_association,
        delete=_delete_association,
    ),
    Type(
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
        create=_create_group,
        read=_read_group,
        update=_update_group,
        delete=delete_security_group,
        named="name",
    ),
    Type(
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "VPC Security Group Rule",
        _GROUP_RULE,
        create=_rule_creator("ingress"),
        read=_read_rule,
        update=_update_rule,
        delete=_rule_deleter("ingress"),
        rule=_one_peer,
    ),
    Type(
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "VPC Security Group Rule",
        _GROUP_RULE,
        create=_rule_creator("egress"),
        read=_read_rule,
        update=_update_rule,
        delete=_rule_deleter("egress"),
        rule=_one_peer,
    ),
    Type(
        "aws:ec2/launchTemplate:LaunchTemplate",
        "EC2 Launch Template",
        {
            "blockDeviceMappings": list_of(
                {
                    "deviceName": GIVEN,
                    "ebs": block(
                        {
                            "deleteOnTermination": GIVEN,
                            "encrypted": GIVEN,
                            "iops": COMPUTED,
                            "kmsKeyId": GIVEN,
                            "throughput": COMPUTED,
                            "volumeSize": COMPUTED,
                            "volumeType": COMPUTED,
                        }
                    ),
                }
            ),
            "defaultVersion": COMPUTED,
            "description": GIVEN,
            "ebsOptimized": GIVEN,
            "imageId": GIVEN,
            "instanceType": GIVEN,
            "keyName": GIVEN,
            "metadataOptions": block(
                {
                    "httpEndpoint": COMPUTED,
                    "httpProtocolIpv6": COMPUTED,
                    "httpPutResponseHopLimit": COMPUTED,
                    "httpTokens": COMPUTED,
                    "instanceMetadataTags": COMPUTED,
                },
                computed=True,
            ),
            "monitoring": block({"enabled": GIVEN}),
            "name": COMPUTED_REPLACES,
            "namePrefix": COMPUTED_REPLACES,
            "tagSpecifications": list_of({"resourceType": GIVEN, "tags": GIVEN}),
            "tags": GIVEN,
            "updateDefaultVersion": GIVEN,
            "userData": GIVEN,
            "vpcSecurityGroupIds": set_of(),
            "arn": OUTPUT,
            "latestVersion": OUTPUT,
        },
        create=_create_template,
        read=_read_template,
        update=_update_template,
        delete=_deleter("delete_launch_template", "LaunchTemplateId", "InvalidLaunchTemplateId.NotFound"),
        named="name",
        longest=125,
        moved=("latestVersion", "defaultVersion"),
    ),
)
