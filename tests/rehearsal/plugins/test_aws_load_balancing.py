"""Load balancers, target groups, listeners and rules over the emulated AWS, and what AWS refuses of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloud.api import complete_moto
from rehearsal.cloud.refused import Props, Refused
from rehearsal.plugins.aws.elbv2 import limits
from rehearsal.plugins.plugin import Diff

if TYPE_CHECKING:
    from tests.rehearsal.conftest import Account, Made, Network

LOAD_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
TARGET_GROUP = "aws:lb/targetGroup:TargetGroup"
LISTENER = "aws:lb/listener:Listener"
RULE = "aws:lb/listenerRule:ListenerRule"
NOT_FOUND: list[Props] = [
    {"type": "fixed-response", "fixedResponse": {"contentType": "text/plain", "statusCode": "404"}}
]


@pytest.fixture(scope="session")
def certificate(account: Account) -> str:
    arn = account.client("acm").request_certificate(DomainName="lb.example.com", ValidationMethod="DNS")
    wait_until_issued(account, arn["CertificateArn"])
    return arn["CertificateArn"]


@pytest.fixture(scope="session")
def balancer(account: Account, network: Network) -> Made:
    return account.create(LOAD_BALANCER, "public", subnets=network.subnet_ids)


@pytest.fixture(scope="session")
def listener(account: Account, balancer: Made, certificate: str) -> Made:
    return account.create(
        LISTENER,
        "https",
        loadBalancerArn=balancer.id,
        port=443,
        protocol="HTTPS",
        certificateArn=certificate,
        sslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        defaultActions=NOT_FOUND,
    )


def wait_until_issued(account: Account, arn: str) -> None:
    acm = account.client("acm")
    while acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] != "ISSUED":
        time.sleep(0.1)


def target_group(account: Account, network: Network, **changes: Any) -> Made:
    given = {"port": 80, "protocol": "HTTP", "vpcId": network.vpc.id, "healthCheck": {"path": "/healthz"}}
    return account.create(TARGET_GROUP, "web", **{**given, **changes})


def forward(*weights: tuple[Made, int]) -> list[Props]:
    groups = [{"arn": made.id, "weight": weight} for made, weight in weights]
    sticky = {"enabled": False, "duration": 1}
    return [{"type": "forward", "forward": {"targetGroups": groups, "stickiness": sticky}}]


def paths(*values: str) -> list[Props]:
    return [{"pathPattern": {"values": list(values)}}]


def live_weights(account: Account, rule: Made) -> dict[str, int]:
    found = account.client("elbv2").describe_rules(RuleArns=[rule.id])["Rules"][0]
    groups = found["Actions"][0]["ForwardConfig"]["TargetGroups"]
    return {group["TargetGroupArn"]: group["Weight"] for group in groups}


def test_a_load_balancer_shows_what_others_need_of_it(account: Account, balancer: Made, network: Network) -> None:
    assert balancer.state["arn"] == balancer.id
    assert balancer.state["arnSuffix"].startswith(f"app/{balancer.state['name']}/")
    assert balancer.state["dnsName"].endswith(".elb.amazonaws.com")
    assert balancer.state["vpcId"] == network.vpc.id
    assert balancer.state["subnets"] == network.subnet_ids
    assert balancer.state["tagsAll"] == {"Stack": "test"}
    assert account.diff(balancer, subnets=network.subnet_ids[::-1]) == Diff()


def test_a_load_balancer_changes_subnets_and_attributes_in_place(account: Account, network: Network) -> None:
    made = account.create(LOAD_BALANCER, "moving", subnets=network.subnet_ids[:2], tags={"a": "1"})
    wanted = {"subnets": network.subnet_ids, "idleTimeout": 120, "tags": {"b": "2"}}
    assert not any(change.replace for change in account.diff(made, **wanted).changes)
    made = account.update(made, **wanted)
    assert sorted(made.state["subnets"]) == sorted(network.subnet_ids)
    assert made.state["idleTimeout"] == 120
    assert made.state["tags"] == {"b": "2"}
    assert account.diff(made, **wanted) == Diff()
    account.delete(made)
    assert account.refresh(made) is None


def test_a_load_balancer_gets_addresses_of_ipv6_only_where_its_subnets_have_ranges(
    account: Account, network: Network
) -> None:
    with pytest.raises(Refused, match="You must specify subnets with an associated IPv6 CIDR block"):
        account.create(LOAD_BALANCER, "six", subnets=network.subnet_ids, ipAddressType="dualstack")
    made = account.create(LOAD_BALANCER, "four", subnets=network.subnet_ids)
    change = account.diff(made, subnets=network.subnet_ids, ipAddressType="dualstack")
    assert [(one.path, one.replace) for one in change.changes] == [("ipAddressType", False)]
    with pytest.raises(Refused, match="an associated IPv6 CIDR block"):
        account.update(made, subnets=network.subnet_ids, ipAddressType="dualstack")
    account.delete(made)


def test_a_load_balancer_in_one_zone_is_refused(account: Account, network: Network) -> None:
    with pytest.raises(Refused, match="At least two subnets in two different Availability Zones must be specified"):
        account.create(LOAD_BALANCER, "narrow", subnets=network.subnet_ids[:1])


def test_two_subnets_in_one_zone_are_refused(account: Account, network: Network) -> None:
    other = account.create(
        "aws:ec2/subnet:Subnet",
        "twin",
        vpcId=network.vpc.id,
        cidrBlock="10.20.9.0/24",
        availabilityZone=network.subnets[0].state["availabilityZone"],
    )
    with pytest.raises(Refused, match="cannot be attached to multiple subnets in the same Availability Zone"):
        account.create(LOAD_BALANCER, "twins", subnets=[*network.subnet_ids, other.id])


def test_a_second_load_balancer_of_the_same_name_is_refused(account: Account, network: Network) -> None:
    account.create(LOAD_BALANCER, "a", name="one-name", subnets=network.subnet_ids)
    with pytest.raises(Refused, match="DuplicateLoadBalancerName: A load balancer with the name 'one-name'"):
        account.create(LOAD_BALANCER, "b", name="one-name", subnets=network.subnet_ids)


def test_deletion_protection_is_not_lifted_by_a_deletion(account: Account, network: Network) -> None:
    made = account.create(LOAD_BALANCER, "kept", subnets=network.subnet_ids, enableDeletionProtection=True)
    with pytest.raises(Refused, match=r"OperationNotPermitted: Load balancer '.*' cannot be deleted because deletion"):
        account.delete(made)
    account.delete(account.update(made, subnets=network.subnet_ids, enableDeletionProtection=False))


def test_a_target_group_reads_back_as_it_was_asked_for(account: Account, network: Network) -> None:
    given = {"healthCheck": {"path": "/healthz", "matcher": "200-299"}, "deregistrationDelay": 15, "slowStart": 30}
    made = target_group(account, network, **given)
    assert made.state["healthCheck"] == {
        "enabled": True,
        "healthyThreshold": 3,
        "interval": 30,
        "matcher": "200-299",
        "path": "/healthz",
        "port": "traffic-port",
        "protocol": "HTTP",
        "timeout": 5,
        "unhealthyThreshold": 3,
    }
    assert made.state["deregistrationDelay"] == 15
    assert made.state["slowStart"] == 30
    assert made.state["arnSuffix"] == made.id.rsplit(":", 1)[1]
    fresh = account.refresh(made)
    assert fresh is not None
    assert fresh.state == made.state
    assert fresh.inputs == made.inputs


def test_a_target_group_without_a_health_check_has_the_api_s_thresholds(account: Account, network: Network) -> None:
    made = account.create(TARGET_GROUP, "bare", port=80, protocol="HTTP", vpcId=network.vpc.id)
    assert made.state["healthCheck"]["healthyThreshold"] == 5
    assert made.state["healthCheck"]["unhealthyThreshold"] == 2


def test_a_target_group_changes_its_health_check_in_place(account: Account, network: Network) -> None:
    made = target_group(account, network)
    given = {**made.inputs, "healthCheck": {"path": "/ready", "interval": 5}, "deregistrationDelay": 5}
    made = account.update(made, **{name: given[name] for name in given if name not in ("tagsAll", "__defaults")})
    assert (made.state["healthCheck"]["path"], made.state["healthCheck"]["interval"]) == ("/ready", 5)
    assert made.state["deregistrationDelay"] == 5


def test_a_rule_is_made_and_its_weights_are_moved(account: Account, network: Network, listener: Made) -> None:
    old, new = target_group(account, network), target_group(account, network)
    given = {"listenerArn": listener.id, "priority": 100, "conditions": paths("/moved/*")}
    rule = account.create(RULE, "web", **given, actions=forward((old, 99), (new, 1)))
    assert live_weights(account, rule) == {old.id: 99, new.id: 1}
    rule = account.update(rule, **given, actions=forward((old, 0), (new, 100)))
    assert live_weights(account, rule) == {old.id: 0, new.id: 100}
    assert rule.state["actions"][0]["forward"]["targetGroups"][1]["weight"] == 100
    assert rule.state["actions"][0]["forward"]["stickiness"] == {"enabled": False, "duration": 1}
    assert account.diff(rule, **given, actions=forward((new, 100), (old, 0))) == Diff()


def test_weights_that_somebody_moved_show_after_a_refresh_and_not_before(
    account: Account, network: Network, listener: Made
) -> None:
    old, new = target_group(account, network), target_group(account, network)
    given = {
        "listenerArn": listener.id,
        "priority": 101,
        "conditions": paths("/drift/*"),
        "actions": forward((old, 100), (new, 0)),
    }
    rule = account.create(RULE, "drift", **given)
    moved = [{"TargetGroupArn": new.id, "Weight": 70}, {"TargetGroupArn": old.id, "Weight": 30}]
    sticky = {"Enabled": False, "DurationSeconds": 1}
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": moved, "TargetGroupStickinessConfig": sticky}}
    account.client("elbv2").modify_rule(RuleArn=rule.id, Actions=[action])
    assert account.diff(rule, **given) == Diff()
    fresh = account.refresh(rule)
    assert fresh is not None
    assert [change.path for change in account.diff(fresh, **given).changes] == [
        "actions[0].forward.targetGroups[0].weight",
        "actions[0].forward.targetGroups[1].weight",
    ]


def test_conditions_of_every_kind_read_back(account: Account, listener: Made) -> None:
    conditions = [
        {"hostHeader": {"values": ["app.example.com"]}},
        {"httpHeader": {"httpHeaderName": "x-preview", "values": ["v1-36"]}},
        {"sourceIp": {"values": ["10.0.0.0/8"]}},
        {"queryStrings": [{"key": "a", "value": "b"}]},
        {"httpRequestMethod": {"values": ["GET"]}},
    ]
    rule = account.create(RULE, "all", listenerArn=listener.id, conditions=conditions, actions=NOT_FOUND)
    fresh = account.refresh(rule)
    assert fresh is not None
    assert fresh.state["conditions"] == conditions


def test_a_rule_that_was_deleted_out_there_is_gone(account: Account, listener: Made) -> None:
    rule = account.create(RULE, "gone", listenerArn=listener.id, conditions=paths("/gone"), actions=NOT_FOUND)
    account.client("elbv2").delete_rule(RuleArn=rule.id)
    assert account.refresh(rule) is None
    account.delete(rule)


def test_a_priority_in_use_is_refused_in_the_provider_s_words(account: Account, listener: Made) -> None:
    given = {"listenerArn": listener.id, "conditions": paths("/first"), "actions": NOT_FOUND}
    account.create(RULE, "first", **given, priority=200)
    other = account.create(RULE, "third", **given, priority=201)
    with pytest.raises(
        Refused,
        match=r"creating ELBv2 Listener Rule: operation error Elastic Load Balancing v2: CreateRule, https response "
        r"error StatusCode: 400, RequestID: \S+, PriorityInUse: Priority '200' is currently in use",
    ):
        account.create(RULE, "second", **given, priority=200)
    with pytest.raises(Refused, match=r"SetRulePriorities.* PriorityInUse: Priority '200' is currently in use"):
        account.update(other, **given, priority=200)


def test_a_rule_moves_to_a_free_priority(account: Account, listener: Made) -> None:
    given = {"listenerArn": listener.id, "conditions": paths("/free"), "actions": NOT_FOUND}
    rule = account.create(RULE, "free", **given, priority=210)
    assert account.update(rule, **given, priority=211).state["priority"] == 211


def test_more_than_five_condition_values_are_refused(account: Account, listener: Made) -> None:
    conditions = [*paths("/a", "/b", "/c"), {"hostHeader": {"values": ["a.example.com", "b.example.com", "c.com"]}}]
    with pytest.raises(Refused, match="A rule can only have '5' condition values"):
        account.create(RULE, "many", listenerArn=listener.id, conditions=conditions, actions=NOT_FOUND)


def test_a_rule_too_many_is_refused(account: Account, listener: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"listenerArn": listener.id, "conditions": paths("/"), "actions": NOT_FOUND}
    account.create(RULE, "last", **given)
    monkeypatch.setattr(limits, "RULES_PER_LOAD_BALANCER", 1)
    with pytest.raises(Refused, match=r"TooManyRules: The maximum number of rules on load balancer '.*' has been reac"):
        account.create(RULE, "more", **given)


def test_a_target_group_too_many_is_refused(
    account: Account, network: Network, listener: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TARGET_GROUPS_PER_LOAD_BALANCER", 1)
    groups = [(target_group(account, network), 1) for _ in range(2)]
    with pytest.raises(Refused, match="TooManyUniqueTargetGroupsPerLoadBalancer"):
        account.create(RULE, "x", listenerArn=listener.id, conditions=paths("/"), actions=forward(*groups))


def test_a_target_group_on_a_second_load_balancer_is_refused(
    account: Account, network: Network, listener: Made
) -> None:
    group = target_group(account, network)
    account.create(RULE, "here", listenerArn=listener.id, conditions=paths("/x"), actions=forward((group, 1)))
    other = account.create(LOAD_BALANCER, "other", subnets=network.subnet_ids)
    with pytest.raises(
        Refused,
        match="TargetGroupAssociationLimit: The following target groups cannot be associated with more than one load",
    ):
        account.create(LISTENER, "there", loadBalancerArn=other.id, port=80, defaultActions=forward((group, 1)))


def test_a_target_group_of_another_vpc_is_refused(account: Account, listener: Made) -> None:
    elsewhere = account.create("aws:ec2/vpc:Vpc", "elsewhere", cidrBlock="10.99.0.0/16")
    group = account.create(TARGET_GROUP, "far", port=80, protocol="HTTP", vpcId=elsewhere.id)
    with pytest.raises(Refused, match=r"Target group '.*' is in a different VPC than load balancer '.*'"):
        account.create(RULE, "far", listenerArn=listener.id, conditions=paths("/"), actions=forward((group, 1)))


def test_a_target_group_that_does_not_exist_is_refused(account: Account, network: Network, listener: Made) -> None:
    group = target_group(account, network)
    account.delete(group)
    with pytest.raises(Refused, match=r"TargetGroupNotFound: Target group '.*' not found"):
        account.create(RULE, "none", listenerArn=listener.id, conditions=paths("/"), actions=forward((group, 1)))


def test_grpc_needs_an_https_listener(account: Account, network: Network, balancer: Made, listener: Made) -> None:
    group = target_group(account, network, protocolVersion="GRPC", healthCheck={"path": "/grpc", "matcher": "0"})
    assert group.state["healthCheck"]["matcher"] == "0"
    plain = account.create(LISTENER, "plain", loadBalancerArn=balancer.id, port=8080, defaultActions=NOT_FOUND)
    given = {"conditions": paths("/grpc/*"), "actions": forward((group, 1))}
    with pytest.raises(
        Refused, match="Listener protocol 'HTTP' is not supported with a target group with the protocol-version 'GRPC'"
    ):
        account.create(RULE, "grpc", listenerArn=plain.id, **given)
    account.create(RULE, "grpc", listenerArn=listener.id, **given)


def test_a_target_group_that_a_rule_names_cannot_be_deleted(account: Account, network: Network, listener: Made) -> None:
    group = target_group(account, network)
    rule = account.create(RULE, "uses", listenerArn=listener.id, conditions=paths("/u"), actions=forward((group, 0)))
    with pytest.raises(Refused, match=r"ResourceInUse: .*is currently in use by a listener or a rule"):
        account.delete(group)
    account.delete(rule)
    account.delete(group)
    assert account.refresh(group) is None


def test_an_https_listener_without_a_certificate_is_refused(account: Account, balancer: Made) -> None:
    with pytest.raises(Refused, match="A certificate must be specified for HTTPS listeners"):
        account.create(
            LISTENER, "open", loadBalancerArn=balancer.id, port=444, protocol="HTTPS", defaultActions=NOT_FOUND
        )


def test_a_certificate_that_is_not_there_or_not_issued_is_refused(account: Account, balancer: Made) -> None:
    given = {"loadBalancerArn": balancer.id, "port": 445, "protocol": "HTTPS", "defaultActions": NOT_FOUND}
    missing = "arn:aws:acm:ap-northeast-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    with pytest.raises(Refused, match=f"CertificateNotFound: Certificate '{missing}' not found"):
        account.create(LISTENER, "missing", **given, certificateArn=missing)
    pending = account.client("acm").request_certificate(DomainName="pending.example.com")["CertificateArn"]
    with pytest.raises(Refused, match="UnsupportedCertificate: The certificate"):
        account.create(LISTENER, "pending", **given, certificateArn=pending)


def test_a_second_listener_on_a_port_is_refused(account: Account, balancer: Made, listener: Made) -> None:
    with pytest.raises(Refused, match="DuplicateListener: A listener already exists on this port"):
        account.create(
            LISTENER,
            "again",
            loadBalancerArn=balancer.id,
            port=listener.state["port"],
            protocol="HTTP",
            defaultActions=NOT_FOUND,
        )


def test_a_listener_changes_its_default_action_and_policy_in_place(
    account: Account, network: Network, certificate: str
) -> None:
    balancer = account.create(LOAD_BALANCER, "changing", subnets=network.subnet_ids)
    given = {"loadBalancerArn": balancer.id, "port": 443, "protocol": "HTTPS", "certificateArn": certificate}
    made = account.create(LISTENER, "https", **given, defaultActions=NOT_FOUND, routingHttpResponseServerEnabled=False)
    assert made.state["sslPolicy"] == "ELBSecurityPolicy-2016-08"
    redirect = [{"type": "redirect", "redirect": {"statusCode": "HTTP_301", "port": "8443"}}]
    made = account.update(made, **given, sslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06", defaultActions=redirect)
    assert made.state["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    shown = made.state["defaultActions"][0]["redirect"]
    assert (shown["statusCode"], shown["port"], shown["host"]) == ("HTTP_301", "8443", "#{host}")
    fresh = account.refresh(made)
    assert fresh is not None
    assert account.diff(fresh, **given, defaultActions=redirect) == Diff()
    account.delete(made)
    assert account.refresh(made) is None


def test_a_listener_takes_further_certificates(account: Account, listener: Made) -> None:
    arn = account.client("acm").request_certificate(DomainName="second.example.com")["CertificateArn"]
    wait_until_issued(account, arn)
    made = account.create(
        "aws:lb/listenerCertificate:ListenerCertificate", "second", listenerArn=listener.id, certificateArn=arn
    )
    assert made.id == f"{listener.id}_{arn}"
    assert account.refresh(made) is not None
    account.delete(made)
    assert account.refresh(made) is None


LOGIN: Props = {
    "issuer": "https://login.example.com",
    "authorizationEndpoint": "https://login.example.com/authorize",
    "tokenEndpoint": "https://login.example.com/token",
    "userInfoEndpoint": "https://login.example.com/userinfo",
    "clientId": "shop",
    "clientSecret": "not-for-strangers",
}


def logged_in(*weights: tuple[Made, int], **login: Any) -> list[Props]:
    """Return the actions of a rule whose users log in."""
    oidc: Props = {"type": "authenticate-oidc", "order": 1, "authenticateOidc": {**LOGIN, **login}}
    return [oidc, {**forward(*weights)[0], "order": 2}]


@pytest.fixture
def complete(account: Account) -> Account:
    """Return an account whose AWS refuses of logins what AWS does."""
    complete_moto()
    return account


def test_a_login_keeps_its_secret_which_aws_tells_nobody(complete: Account, listener: Made, network: Network) -> None:
    old, new = (target_group(complete, network) for _ in "ab")
    given = {"listenerArn": listener.id, "priority": 700, "conditions": paths("/in/*")}
    made = complete.create(RULE, "in", **given, actions=logged_in((old, 100), (new, 0)))
    oidc, _ = complete.client("elbv2").describe_rules(RuleArns=[made.id])["Rules"][0]["Actions"]
    assert oidc["AuthenticateOidcConfig"]["Scope"] == "openid"
    assert "ClientSecret" not in oidc["AuthenticateOidcConfig"]
    fresh = complete.refresh(made)
    assert fresh is not None
    assert fresh.state["actions"][0]["authenticateOidc"]["clientSecret"] == "not-for-strangers"
    shift = complete.diff(fresh, **given, actions=logged_in((old, 90), (new, 10)))
    assert {change.path for change in shift.changes} == {
        "actions[1].forward.targetGroups[0].weight",
        "actions[1].forward.targetGroups[1].weight",
    }
    secret = complete.diff(fresh, **given, actions=logged_in((old, 100), (new, 0), clientSecret="another"))
    assert [change.path for change in secret.changes] == ["actions[0].authenticateOidc.clientSecret"]
    made = complete.update(fresh, **given, actions=logged_in((old, 90), (new, 10), sessionTimeout=60))
    oidc, _ = complete.client("elbv2").describe_rules(RuleArns=[made.id])["Rules"][0]["Actions"]
    assert oidc["AuthenticateOidcConfig"]["SessionTimeout"] == 60
    complete.delete(made)


def test_what_elb_refuses_of_a_login_is_refused(complete: Account, listener: Made, network: Network) -> None:
    elb, group = complete.client("elbv2"), target_group(complete, network)
    grpc = target_group(complete, network, protocolVersion="GRPC", healthCheck={"path": "/a.B/c", "matcher": "0"})
    given = {"listenerArn": listener.id, "priority": 701, "conditions": paths("/in/*")}

    def tried(actions: list[Props], says: str) -> None:
        with pytest.raises(Refused, match=says):
            complete.create(RULE, "in", **given, actions=actions)

    login, last = logged_in((group, 1))
    tried([{**login, "order": 2}, last], "order of each action of a rule must be unique")
    tried([{**login, "order": 3}, last], "exactly one routing action, which must be the last")
    tried([login], "exactly one routing action")
    tried(logged_in((grpc, 1)), "protocol version GRPC takes forward actions only")
    tried([{"type": "authenticate-oidc", "order": 1}, last], 'of type "authenticate-oidc" needs "authenticateOidc"')
    made = complete.create(RULE, "in", **given, actions=logged_in((group, 1)))
    actions = elb.describe_rules(RuleArns=[made.id])["Rules"][0]["Actions"]
    with pytest.raises(ClientError, match="ClientSecret must be specified"):
        elb.modify_rule(RuleArn=made.id, Actions=actions)
    actions[0]["AuthenticateOidcConfig"]["UseExistingClientSecret"] = True
    elb.modify_rule(RuleArn=made.id, Actions=actions)
    elb.modify_rule(RuleArn=made.id, Actions=actions[1:])
    with pytest.raises(ClientError, match="ClientSecret must be specified"):  # there is none any more
        elb.modify_rule(RuleArn=made.id, Actions=actions)
    complete.delete(made)


def test_a_login_on_a_listener_without_tls_is_refused(complete: Account, balancer: Made, network: Network) -> None:
    plain = complete.create(
        LISTENER, "plain", loadBalancerArn=balancer.id, port=8181, protocol="HTTP", defaultActions=NOT_FOUND
    )
    with pytest.raises(Refused, match="for HTTPS listeners only"):
        complete.create(
            RULE,
            "in",
            listenerArn=plain.id,
            priority=1,
            conditions=paths("/*"),
            actions=logged_in((target_group(complete, network), 1)),
        )
    complete.delete(plain)
