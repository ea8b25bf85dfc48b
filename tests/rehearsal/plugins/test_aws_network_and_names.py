"""Network, certificates, DNS records and Cloud Map over the emulated AWS, and what AWS refuses of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.refused import Refused
from rehearsal.plugins.plugin import Diff

if TYPE_CHECKING:
    from tests.rehearsal.conftest import Account, Made, Network

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
CERTIFICATE = "aws:acm/certificate:Certificate"
RECORD = "aws:route53/record:Record"
NAMESPACE = "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"
SERVICE = "aws:servicediscovery/service:Service"


def zone(account: Account, name: str) -> str:
    made = account.client("route53").create_hosted_zone(Name=name, CallerReference=name)
    return made["HostedZone"]["Id"].rsplit("/", 1)[-1]


def assert_same_after_refresh(account: Account, made: Made) -> None:
    fresh = account.refresh(made)
    assert fresh is not None
    assert fresh.state == made.state
    assert fresh.inputs == made.inputs


def test_a_vpc_and_its_subnets_read_back(account: Account, network: Network) -> None:
    assert network.vpc.id.startswith("vpc-")
    assert network.vpc.state["enableDnsHostnames"] is True
    assert network.vpc.state["defaultSecurityGroupId"].startswith("sg-")
    assert network.vpc.state["mainRouteTableId"].startswith("rtb-")
    assert network.subnets[0].state["availabilityZoneId"]
    for made in (network.vpc, *network.subnets):
        assert_same_after_refresh(account, made)


def test_tags_change_in_place_and_default_tags_stay_apart(account: Account) -> None:
    made = account.create(VPC, "tagged", cidrBlock="10.30.0.0/16", tags={"a": "1", "b": "2"})
    assert made.state["tags"] == {"a": "1", "b": "2"}
    assert made.state["tagsAll"] == {"Stack": "test", "a": "1", "b": "2"}
    made = account.update(made, cidrBlock="10.30.0.0/16", tags={"a": "3"})
    assert made.state["tagsAll"] == {"Stack": "test", "a": "3"}
    fresh = account.refresh(made)
    assert fresh is not None
    assert fresh.state["tags"] == {"a": "3"}


def test_a_private_subnet_reaches_the_internet_through_a_nat_gateway(account: Account) -> None:
    vpc = account.create(VPC, "nat", cidrBlock="10.31.0.0/16")
    subnet = account.create(SUBNET, "nat", vpcId=vpc.id, cidrBlock="10.31.0.0/24", mapPublicIpOnLaunch=True)
    gateway = account.create("aws:ec2/internetGateway:InternetGateway", "nat", vpcId=vpc.id)
    address = account.create("aws:ec2/eip:Eip", "nat", domain="vpc")
    nat = account.create("aws:ec2/natGateway:NatGateway", "nat", subnetId=subnet.id, allocationId=address.id)
    table = account.create("aws:ec2/routeTable:RouteTable", "nat", vpcId=vpc.id)
    route = account.create(
        "aws:ec2/route:Route",
        "nat",
        routeTableId=table.id,
        destinationCidrBlock="0.0.0.0/0",
        natGatewayId=nat.id,
    )
    joined = account.create(
        "aws:ec2/routeTableAssociation:RouteTableAssociation", "nat", routeTableId=table.id, subnetId=subnet.id
    )
    assert subnet.state["mapPublicIpOnLaunch"] is True
    assert address.state["publicIp"] == nat.state["publicIp"]
    assert route.id.startswith(f"r-{table.id}")
    for made in (subnet, gateway, nat, table, route, joined):
        assert_same_after_refresh(account, made)

    with pytest.raises(Refused, match=rf"api error DependencyViolation: The subnet '{subnet.id}' has dependencies"):
        account.delete(subnet)
    given = {"routeTableId": table.id, "destinationCidrBlock": "0.0.0.0/0"}
    route = account.update(route, **given, gatewayId=gateway.id)
    assert route.state["gatewayId"] == gateway.id
    assert "natGatewayId" not in route.state
    other = account.create("aws:ec2/routeTable:RouteTable", "other", vpcId=vpc.id)
    joined = account.update(joined, routeTableId=other.id, subnetId=subnet.id)
    assert_same_after_refresh(account, joined)

    with pytest.raises(Refused, match=rf"deleting EC2 VPC \({vpc.id}\): .* DependencyViolation: The vpc '{vpc.id}'"):
        account.delete(vpc)
    for made in (joined, other, route, table, nat, address, gateway, subnet, vpc):
        account.delete(made)
        assert account.refresh(made) is None
        account.delete(made)


def test_a_route_table_can_hold_its_routes(account: Account) -> None:
    vpc = account.create(VPC, "inline", cidrBlock="10.32.0.0/16")
    gateway = account.create("aws:ec2/internetGateway:InternetGateway", "inline", vpcId=vpc.id)
    routes = [{"cidrBlock": "0.0.0.0/0", "gatewayId": gateway.id}]
    table = account.create("aws:ec2/routeTable:RouteTable", "inline", vpcId=vpc.id, routes=routes)
    found = account.client("ec2").describe_route_tables(RouteTableIds=[table.id])["RouteTables"][0]["Routes"]
    assert gateway.id in [route.get("GatewayId") for route in found]


def test_a_security_group_starts_without_egress_and_keeps_to_its_rules(account: Account, network: Network) -> None:
    ec2 = account.client("ec2")
    group = account.create(SECURITY_GROUP, "closed", vpcId=network.vpc.id)
    assert group.state["description"] == "Managed by Pulumi"
    assert ec2.describe_security_groups(GroupIds=[group.id])["SecurityGroups"][0]["IpPermissionsEgress"] == []

    given = {"securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": 443, "toPort": 443}
    rule = account.create(INGRESS_RULE, "https", **given, cidrIpv4="0.0.0.0/0", description="clients")
    out = account.create(EGRESS_RULE, "out", securityGroupId=group.id, ipProtocol="-1", cidrIpv4="0.0.0.0/0")
    assert rule.id.startswith("sgr-")
    rule = account.update(rule, **given, cidrIpv4="10.0.0.0/8", description="clients")
    found = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule.id])["SecurityGroupRules"][0]
    assert (found["CidrIpv4"], found["FromPort"]) == ("10.0.0.0/8", 443)
    for made in (rule, out):
        assert_same_after_refresh(account, made)
        account.delete(made)
        assert account.refresh(made) is None
    account.delete(group)
    assert account.refresh(group) is None


def test_a_security_group_can_hold_its_rules(account: Account, network: Network) -> None:
    inline: dict[str, Any] = {"fromPort": 80, "toPort": 80, "protocol": "tcp", "cidrBlocks": ["10.0.0.0/8"]}
    group = account.create(SECURITY_GROUP, "inline", vpcId=network.vpc.id, ingress=[inline])
    group = account.update(group, vpcId=network.vpc.id, ingress=[{**inline, "toPort": 81}])
    found = account.client("ec2").describe_security_groups(GroupIds=[group.id])["SecurityGroups"][0]
    assert [rule["ToPort"] for rule in found["IpPermissions"]] == [81]


def test_a_security_group_that_another_names_cannot_be_deleted(account: Account, network: Network) -> None:
    named = account.create(SECURITY_GROUP, "named", vpcId=network.vpc.id)
    naming = account.create(SECURITY_GROUP, "naming", vpcId=network.vpc.id)
    given = {"ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "referencedSecurityGroupId": named.id}
    rule = account.create(INGRESS_RULE, "naming", securityGroupId=naming.id, **given)
    with pytest.raises(Refused, match=rf"api error DependencyViolation: resource {named.id} has a dependent object"):
        account.delete(named)
    account.delete(rule)
    account.delete(named)


def test_a_security_group_of_a_load_balancer_cannot_be_deleted(account: Account, network: Network) -> None:
    group = account.create(SECURITY_GROUP, "alb", vpcId=network.vpc.id)
    balancer = account.create(
        "aws:lb/loadBalancer:LoadBalancer", "grouped", subnets=network.subnet_ids, securityGroups=[group.id]
    )
    with pytest.raises(Refused, match=rf"DependencyViolation: resource {group.id} has a dependent object"):
        account.delete(group)
    with pytest.raises(Refused, match=r"DependencyViolation: The subnet 'subnet-\w+' has dependencies"):
        account.delete(network.subnets[0])
    account.delete(balancer)
    account.delete(group)


def test_a_security_group_rule_has_one_peer(account: Account) -> None:
    given = {"securityGroupId": "sg-1", "ipProtocol": "-1"}
    with pytest.raises(Refused, match=r"exactly one of cidrIpv4, .* must be specified, got none"):
        account.create(INGRESS_RULE, "none", **given)
    with pytest.raises(Refused, match=r'"10.0.0.0/99" is not a valid CIDR block'):
        account.create(INGRESS_RULE, "wrong", **given, cidrIpv4="10.0.0.0/99")


def test_a_security_group_holds_sixty_rules_of_one_direction(account: Account, network: Network) -> None:
    group = account.create(SECURITY_GROUP, "full", vpcId=network.vpc.id)
    rules = [
        {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": f"192.0.2.{n}/32"}]}
        for n in range(60)
    ]
    account.client("ec2").authorize_security_group_ingress(GroupId=group.id, IpPermissions=rules)
    one = {"securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": "0.0.0.0/0"}
    with pytest.raises(Refused, match="RulesPerSecurityGroupLimitExceeded: The maximum number of rules"):
        account.create(INGRESS_RULE, "over", **one)
    account.create(EGRESS_RULE, "other-way", **one)


@pytest.mark.parametrize("cidr", ["169.254.0.0/16", "224.0.0.0/16", "127.0.0.0/16"])
def test_a_range_that_leads_nowhere_makes_no_vpc(account: Account, cidr: str) -> None:
    with pytest.raises(Refused, match=r"InvalidVpc\.Range: The CIDR"):
        account.create(VPC, "nowhere", cidrBlock=cidr)


def test_a_certificate_has_ten_names_and_a_short_first_one(account: Account) -> None:
    names = [f"n{number}.example.com" for number in range(11)]
    with pytest.raises(Refused, match="LimitExceededException: Certificate has too many domains"):
        account.create(CERTIFICATE, "many", domainName=names[0], subjectAlternativeNames=names[1:])
    account.create(CERTIFICATE, "enough", domainName=names[0], subjectAlternativeNames=names[1:10])
    long = f"{'l' * 53}.example.com"
    with pytest.raises(Refused, match="no longer than 64 characters"):
        account.create(CERTIFICATE, "long", domainName=long)
    account.create(CERTIFICATE, "long-later", domainName=names[0], subjectAlternativeNames=[long])


def test_a_launch_template_gets_a_new_version_for_new_data(account: Account) -> None:
    kind = "aws:ec2/launchTemplate:LaunchTemplate"
    given: dict[str, Any] = {
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"encrypted": "true", "volumeSize": 20}}],
        "tagSpecifications": [{"resourceType": "instance", "tags": {"Name": "node"}}],
    }
    made = account.create(kind, "nodes", **given)
    assert (made.state["latestVersion"], made.state["defaultVersion"]) == (1, 1)
    assert_same_after_refresh(account, made)
    made = account.update(made, **given, userData="aGVsbG8=")
    assert (made.state["latestVersion"], made.state["defaultVersion"]) == (2, 1)
    account.delete(made)
    assert account.refresh(made) is None


def test_a_certificate_is_issued_once_its_records_stand(account: Account) -> None:
    hosted = zone(account, "issued.example.com")
    names = ["app.issued.example.com", "api.issued.example.com"]
    certificate = account.create(
        "aws:acm/certificate:Certificate",
        "cert",
        domainName=names[0],
        subjectAlternativeNames=names[1:],
        validationMethod="DNS",
    )
    options = certificate.state["domainValidationOptions"]
    assert {option["domainName"] for option in options} == set(names)

    given = {"certificateArn": certificate.id}
    with pytest.raises(Refused, match="timeout while waiting for state to become 'ISSUED'"):
        account.create("aws:acm/certificateValidation:CertificateValidation", "early", **given)
    records = [
        account.create(
            RECORD,
            option["domainName"],
            zoneId=hosted,
            name=option["resourceRecordName"],
            type=option["resourceRecordType"],
            ttl=60,
            records=[option["resourceRecordValue"]],
        )
        for option in options
    ]
    with pytest.raises(Refused, match=r"missing .* DNS validation record"):
        account.create(
            "aws:acm/certificateValidation:CertificateValidation",
            "short",
            **given,
            validationRecordFqdns=[records[0].state["fqdn"]],
        )
    validation = account.create(
        "aws:acm/certificateValidation:CertificateValidation",
        "whole",
        **given,
        validationRecordFqdns=[record.state["fqdn"] for record in records],
    )
    assert_same_after_refresh(account, validation)
    fresh = account.refresh(certificate)
    assert fresh is not None
    assert fresh.state["status"] == "ISSUED"
    wanted = {"domainName": names[0], "subjectAlternativeNames": names[1:], "validationMethod": "DNS"}
    assert account.diff(fresh, **wanted) == Diff()
    assert_same_after_refresh(account, records[0])
    for made in (validation, *records, certificate):
        account.delete(made)
    assert account.refresh(certificate) is None
    assert account.refresh(records[0]) is None


def test_a_certificate_of_one_name_stays_as_it_is_after_a_refresh(account: Account) -> None:
    given = {"domainName": "one.example.com", "subjectAlternativeNames": [], "validationMethod": "DNS"}
    fresh = account.refresh(account.create("aws:acm/certificate:Certificate", "one", **given))
    assert fresh is not None
    assert account.diff(fresh, **given) == Diff()


def test_an_alias_record_is_made_changed_and_read_back(account: Account) -> None:
    hosted = zone(account, "alias.example.com")
    target = {"zoneId": "Z14GRHDCWA56QT", "evaluateTargetHealth": True}
    given = {"zoneId": hosted, "name": "App.alias.example.com", "type": "A"}
    made = account.create(RECORD, "app", **given, aliases=[{**target, "name": "One.elb.amazonaws.com"}])
    assert made.id == f"{hosted}_app.alias.example.com_A"
    assert made.state["fqdn"] == "app.alias.example.com"
    assert_same_after_refresh(account, made)
    made = account.update(made, **given, aliases=[{**target, "name": "two.elb.amazonaws.com"}])
    assert made.state["aliases"][0]["name"] == "two.elb.amazonaws.com"
    with pytest.raises(Refused, match="but it already exists"):
        account.create(RECORD, "again", **given, aliases=[{**target, "name": "two.elb.amazonaws.com"}])
    account.delete(made)
    assert account.refresh(made) is None
    account.delete(made)


def test_a_record_is_either_an_alias_or_has_values(account: Account) -> None:
    with pytest.raises(Refused, match="exactly one of aliases, records must be specified"):
        account.create(RECORD, "empty", zoneId="Z1", name="x", type="A")


def test_a_zone_is_found_by_its_name_or_not_at_all(account: Account) -> None:
    hosted = zone(account, "found.example.com")
    found = account.provider.invoke("aws:route53/getZone:getZone", {"name": "found.example.com."})
    assert found["zoneId"] == hosted
    with pytest.raises(Refused, match="no matching Route 53 Hosted Zone found"):
        account.provider.invoke("aws:route53/getZone:getZone", {"name": "missing.example.com"})


def test_cloud_map_deletes_nothing_that_is_in_use(account: Account, network: Network) -> None:
    discovery = account.client("servicediscovery")
    namespace = account.create(NAMESPACE, "a", name="a.example.com", vpc=network.vpc.id)
    assert namespace.id.startswith("ns-")
    dns = {"namespaceId": namespace.id, "dnsRecords": [{"ttl": 10, "type": "A"}]}
    given = {"name": "grpc-api", "dnsConfig": dns}
    service = account.create(SERVICE, "grpc-api", **given, healthCheckCustomConfig={})
    assert service.id.startswith("srv-")
    for made in (namespace, service):
        assert_same_after_refresh(account, made)
    with pytest.raises(Refused, match="ServiceAlreadyExists"):
        account.create(SERVICE, "twin", **given)

    slower = {**given, "dnsConfig": {**dns, "dnsRecords": [{"ttl": 30, "type": "A"}]}, "healthCheckCustomConfig": {}}
    assert not any(change.replace for change in account.diff(service, **slower).changes)
    service = account.update(service, **slower)
    assert service.state["dnsConfig"]["dnsRecords"] == [{"ttl": 30, "type": "A"}]

    with pytest.raises(Refused, match="ResourceInUse: Namespace contains registered services"):
        account.delete(namespace)
    discovery.register_instance(
        ServiceId=service.id, InstanceId="10.0.0.1", Attributes={"AWS_INSTANCE_IPV4": "10.0.0.1"}
    )
    with pytest.raises(Refused, match="ResourceInUse: Service contains registered instances"):
        account.delete(service)
    account.delete(account.update(service, **slower, forceDestroy=True))
    account.delete(namespace)
    zones = account.client("route53").list_hosted_zones()["HostedZones"]
    assert namespace.state["hostedZone"] not in [one["Id"].rsplit("/", 1)[-1] for one in zones]
    for made in (namespace, service):
        assert account.refresh(made) is None
        account.delete(made)
