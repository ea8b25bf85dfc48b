"""The shared load balancer: listeners, certificate, records, and who may connect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi_aws as aws
from pulumi import ResourceOptions

from components.load_balancer import SharedLoadBalancer, SharedLoadBalancerArgs
from settings.load_balancers import LoadBalancer
from tests.conftest import record

if TYPE_CHECKING:
    from tests.conftest import Recorder


def _recorded(protect: bool = False, ingress: tuple[str, ...] = ("0.0.0.0/0",), **wanted: Any) -> Recorder:
    balancer = LoadBalancer.model_validate_json(json.dumps({"scheme": "internet-facing", **wanted}))

    def declare() -> None:
        args = SharedLoadBalancerArgs(
            load_balancer=balancer,
            vpc_id="vpc-1",
            subnet_ids=["s-1", "s-2"],
            ingress_cidrs=ingress,
            zone_ids=dict.fromkeys(balancer.names, "Z-EXAMPLE"),
            zones=aws.Provider("zones"),
        )
        SharedLoadBalancer("public", args, ResourceOptions(protect=protect))

    return record(declare)


def _named(**wanted: Any) -> Recorder:
    return _recorded(zone="example.com", names=("app.example.com", "grpc.example.com"), **wanted)


def test_https_speaks_the_recommended_tls_policy_and_answers_404_where_no_rule_fits() -> None:
    listener = _named().of("Listener")["public-443"].inputs
    assert listener["protocol"] == "HTTPS"
    assert listener["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    assert listener["certificateArn"] == "arn:public-certificate"
    assert listener["defaultActions"][0]["fixedResponse"]["statusCode"] == "404"
    assert listener["routingHttpResponseServerEnabled"] is False


_LOGS = {"bucket": "shop-logs", "prefix": "shop/public"}
_ACL = "arn:aws:wafv2:ap-northeast-1:123456789012:regional/webacl/shop/1234abcd"
_MORE = "arn:aws:acm:ap-northeast-1:123456789012:certificate/2"


def test_what_a_load_balancer_is_told_of_connections_headers_and_logs_it_has_and_nothing_else() -> None:
    wanted: dict[str, Any] = {"idleTimeout": 120, "clientKeepAlive": 600, "forwardedFor": "preserve"}
    wanted |= {"preserveHostHeader": True}
    told = _recorded(**wanted, accessLogs=_LOGS, connectionLogs={"bucket": "shop-logs"}).of(":LoadBalancer")["public"]
    asked = {
        "idleTimeout": 120,
        "clientKeepAlive": 600,
        "xffHeaderProcessingMode": "preserve",
        "preserveHostHeader": True,
        "accessLogs": {**_LOGS, "enabled": True},
        "connectionLogs": {"bucket": "shop-logs", "enabled": True},
    }
    assert {key: told.inputs[key] for key in asked} == asked
    assert asked.keys().isdisjoint(_recorded().of(":LoadBalancer")["public"].inputs)


def test_a_web_acl_and_more_certificates_come_and_go_whatever_is_protected() -> None:
    recorder = _recorded(
        protect=True, names=("a.example.com",), zone="example.com", webAclArn=_ACL, certificateArns=[_MORE]
    )
    association, certificate = (
        recorder.of("WebAclAssociation")["public"],
        recorder.of("ListenerCertificate")["public-2"],
    )
    assert (association.inputs["webAclArn"], certificate.inputs["certificateArn"]) == (_ACL, _MORE)
    assert {association.protect, certificate.protect} == {False}


def test_another_tls_policy_takes_the_place_of_the_recommended_one() -> None:
    listeners = _named(tlsPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06").of("Listener")
    assert listeners["public-443"].inputs["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-3-2021-06"
    assert "sslPolicy" not in listeners["public-80"].inputs


def test_http_sends_the_client_to_https() -> None:
    listener = _named().of("Listener")["public-80"].inputs
    redirect = {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}
    assert listener["defaultActions"] == [{"type": "redirect", "redirect": redirect}]


def test_a_load_balancer_without_a_certificate_speaks_plain_http() -> None:
    recorder = _recorded()
    listeners = recorder.of("Listener")
    assert list(listeners) == ["public-80"]
    assert listeners["public-80"].inputs["defaultActions"][0]["type"] == "fixed-response"
    assert "sslPolicy" not in listeners["public-80"].inputs
    assert list(recorder.of("SecurityGroupIngressRule")) == ["public-80-0.0.0.0/0"]


def test_records_are_written_by_the_provider_of_the_zones_account_and_nothing_else_is() -> None:
    recorder = _named()
    theirs = {one.name for one in recorder.recorded if "::zones::" in one.provider}
    assert theirs == set(recorder.of("Record"))
    assert theirs


def test_a_certificate_is_made_for_all_names_and_validated_in_their_zone() -> None:
    recorder = _named()
    certificate = recorder.of("certificate:Certificate")["public-certificate"].inputs
    assert (certificate["domainName"], certificate["subjectAlternativeNames"]) == (
        "app.example.com",
        ["grpc.example.com"],
    )
    validation = recorder.of("Record")["public-validation-grpc.example.com"].inputs
    assert (validation["name"], validation["records"], validation["zoneId"]) == (
        "_grpc.example.com",
        ["grpc.example.com.acm"],
        "Z-EXAMPLE",
    )
    assert "public-certificate" in recorder.waits_for(recorder.of("Listener")["public-443"])
    assert "public-validation-app.example.com" in recorder.waits_for(recorder.of("Listener")["public-443"])


def test_a_certificate_that_is_given_is_used_and_none_is_made() -> None:
    recorder = _named(certificateArn="arn:aws:acm:ap-northeast-1:123456789012:certificate/1")
    listener = recorder.of("Listener")["public-443"].inputs
    assert listener["certificateArn"] == "arn:aws:acm:ap-northeast-1:123456789012:certificate/1"
    assert not recorder.of("certificate:Certificate")
    assert not [name for name in recorder.of("Record") if "validation" in name]


def test_a_dualstack_load_balancer_is_reached_by_ipv6_and_its_second_records_may_go_while_it_serves() -> None:
    ingress = ("0.0.0.0/0", "::/0")
    recorder = _recorded(True, ingress, zone="example.com", names=("app.example.com",), ipAddressType="dualstack")
    assert recorder.of("LoadBalancer")["public"].inputs["ipAddressType"] == "dualstack"
    records = recorder.of("Record")
    first, second = records["public-app.example.com"], records["public-app.example.com-aaaa"]
    assert {**first.inputs, "type": "AAAA"} == second.inputs
    assert (bool(first.protect), bool(second.protect)) == (True, False)
    rules = recorder.of("SecurityGroupIngressRule")
    assert "cidrIpv4" not in rules["public-443-::/0"].inputs
    assert rules["public-443-::/0"].inputs["cidrIpv6"] == "::/0"
    assert "cidrIpv6" not in rules["public-443-0.0.0.0/0"].inputs


def test_every_name_is_an_alias_of_the_load_balancer() -> None:
    records = _named().of("Record")
    alias = {"name": "public.elb.test", "zoneId": "Z-ELB", "evaluateTargetHealth": False}
    for name in ("app.example.com", "grpc.example.com"):
        assert records[f"public-{name}"].inputs == {
            "zoneId": "Z-EXAMPLE",
            "name": name,
            "type": "A",
            "aliases": [alias],
        }


def test_records_that_others_keep_are_not_made_and_clients_are_told_the_names_all_the_same() -> None:
    recorder = _named(dns={"managedBy": "external"})
    assert set(recorder.of("Record")) == {
        "public-validation-app.example.com",
        "public-validation-grpc.example.com",
    }
    assert "443" in "".join(recorder.of("Listener"))
    given = _named(
        dns={"managedBy": "external"}, certificateArn="arn:aws:acm:ap-northeast-1:123456789012:certificate/1"
    )
    assert not given.of("Record")


def test_only_the_ranges_that_are_named_may_connect_on_both_ports() -> None:
    rules = _named(ingress=("10.0.0.0/8", "192.0.2.0/24")).of("SecurityGroupIngressRule").values()
    assert {(rule.inputs["cidrIpv4"], rule.inputs["fromPort"], rule.inputs["toPort"]) for rule in rules} == {
        ("10.0.0.0/8", 80, 80),
        ("10.0.0.0/8", 443, 443),
        ("192.0.2.0/24", 80, 80),
        ("192.0.2.0/24", 443, 443),
    }


def test_an_internal_load_balancer_is_internal() -> None:
    assert _recorded(scheme="internal").of("LoadBalancer")["public"].inputs["internal"] is True
    assert _recorded().of("LoadBalancer")["public"].inputs["internal"] is False


def test_requests_with_broken_headers_are_dropped() -> None:
    assert _recorded().of("LoadBalancer")["public"].inputs["dropInvalidHeaderFields"] is True


def test_deletion_protection_covers_what_clients_hold_on_to_and_leaves_names_and_ranges_editable() -> None:
    recorder = _named(protect=True, deletionProtection=True)
    assert recorder.of("LoadBalancer")["public"].inputs["enableDeletionProtection"] is True
    replaceable = {one.name for one in recorder.recorded if not one.protect and one.name != "zones"}
    assert replaceable == {
        "public-certificate",
        "public-validation-app.example.com",
        "public-validation-grpc.example.com",
        "public-80-0.0.0.0/0",
        "public-443-0.0.0.0/0",
    }
