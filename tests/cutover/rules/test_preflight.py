"""Whether a cluster is ready: the rules over facts, and the reads that can be tried.

The emulated AWS has subnets, load balancers and roles. Quotas of EC2 and upgrade insights are stubbed, and what stands
inside the clusters is made here: the emulated clusters have no API server.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import date, timedelta
from ipaddress import IPv4Address, IPv4Network
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from cutover.aws import borders, surroundings, way
from cutover.aws.rights import RightsReads
from cutover.inside import objects
from cutover.inside.lists import InsideError
from cutover.rules.account import Account
from cutover.rules.borders import Border, Borders
from cutover.rules.facts import Answer, Facts, Insight, Insights, Processors, Subnet
from cutover.rules.found import Found, TargetGroup, WeightedRule
from cutover.rules.move import Group
from cutover.rules.preflight import free_blocks, judge
from cutover.rules.rights import Answered, Rights
from cutover.rules.support import Support
from cutover.rules.verdict import Row, Unread, Verdict
from cutover.rules.way import Side, Target, Way
from settings.bindings import CONTROLLERS
from settings.operation import Checks
from settings.owner import STACK_TAG, Owner
from tests.cutover.tagged import reach, tagged
from tests.rehearsal.emulated import REGION, running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

OLD, NEW = "v1-35", "v1-36"
TODAY = date(2026, 11, 24)
BALANCER = "arn:aws:elasticloadbalancing:ap-northeast-1:1:loadbalancer/app/public-1/abc"
NOT_SEEN = Unread("not allowed")
_FACTS = ("subnets", "limits", "rules", "processors", "insights", "trusted", "way", "borders", "rights")
SETTINGS = settings_of("prod", {"routes.web.capacity": 10, "routes.orders.capacity": 10})


def _account(old: int = 100, new: int = 0, *, healthy: int = 12, settings: Any = SETTINGS) -> Account:
    """Return the prod stack with two routes at the same weights, and as many healthy pods in each group of NEW."""
    zones = frozenset({"a", "c"})
    groups = {
        f"{route}-{cluster}": TargetGroup(f"{route}-{cluster}", route, cluster, checked=True)
        for route in settings.routes
        for cluster in (OLD, NEW)
    }
    rules = {
        route: WeightedRule(route, BALANCER, {f"{route}-{OLD}": old, f"{route}-{NEW}": new})
        for route in settings.routes
    }
    health = {
        arn: Group(cluster=group.cluster, units=healthy if group.cluster == NEW else 12, zones=zones)
        for arn, group in groups.items()
    }
    return Account(settings, Found(rules, groups, None), health, {})


def _deployment(namespace: str, name: str, image: str = "app:1", replicas: int = 12) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}},
        },
        "status": {"replicas": replicas},
    }


def _named(name: str, **metadata: Any) -> dict[str, Any]:
    namespace, _, last = name.rpartition("/")
    return {"metadata": {"name": last, **({"namespace": namespace} if namespace else {}), **metadata}}


def _webhook(*ready: bool) -> dict[str, Any]:
    service = "aws-load-balancer-webhook-service"
    return {
        **_named(f"kube-system/{service}-abc", labels={"kubernetes.io/service-name": service}),
        "endpoints": [{"conditions": {"ready": one}} for one in ready] or None,
    }


def _binding(route: str, cluster: str = NEW, port: int = 80, name: str = "") -> dict[str, Any]:
    reference = {"name": route, "port": port}
    return {
        **_named(f"{route}/{name or route}"),
        "spec": {"serviceRef": reference, "targetGroupARN": f"{route}-{cluster}"},
    }


def _inside() -> dict[str, Any]:
    """Return a cluster that runs both routes of the prod stack."""
    served = [("web", "web"), ("orders", "orders")]
    return {
        "services": [
            {
                **_named(f"{namespace}/{name}"),
                "spec": {"type": "ClusterIP", "ports": [{"port": 80}], "selector": {"app": name}},
            }
            for namespace, name in served
        ],
        "endpointslices": [
            {
                **_named(f"{namespace}/{name}-abc", labels={"kubernetes.io/service-name": name}),
                "endpoints": [{"conditions": {"ready": True}}] * 12,
                "ports": [{"port": 8080}],
            }
            for namespace, name in served
        ]
        + [_webhook(True)],
        "bindings": [_binding(name) for _, name in served],
        "deployments": [_deployment(namespace, name) for namespace, name in served],
        "statefulsets": [],
        "daemonsets": [],
        "autoscalers": [],
        "volumes": [],
        "imports": [],
        "exports": [],
        "accounts": [_named("web/web")],
        "configmaps": [_named("web/settings")],
        "secrets": [_named("web/password")],
        "definitions": [_named("certificates.cert-manager.io")],
        "storageclasses": [_named("gp3")],
        "identities": [{"namespace": "web", "serviceAccount": "web", "roleArn": "arn:aws:iam::1:role/web"}],
        "addons": [{"addonName": "vpc-cni"}],
    }


def _rule(group: str = "", first: int = 8080, last: int = 8080, **more: Any) -> dict[str, Any]:
    pairs = [{"GroupId": group}] if group else []
    return {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, "UserIdGroupPairs": pairs, **more}


_ALL_OUT = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def _target(*groups: str) -> Target:
    held = frozenset(groups or ("sg-pods",))
    return Target(route="web", port=8080, address="10.1.0.7", subnet="subnet-2", groups=held, balancer="alb")


def _side(*out: dict[str, Any], ranges: Sequence[str] = ("10.0.0.0/20",)) -> Side:
    subnets = ["subnet-1"]
    return Side(name="alb", groups=frozenset({"sg-alb"}), subnets=subnets, ranges=ranges, out=out or (_ALL_OUT,))


def _entry(number: int, action: str, cidr: str, *ports: int, out: bool, protocol: str = "6") -> dict[str, Any]:
    had = {"PortRange": {"From": ports[0], "To": ports[-1]}} if ports else {}
    said = {"RuleNumber": number, "RuleAction": action, "CidrBlock": cidr, "Protocol": protocol, "Egress": out}
    return {**said, **had}


_LET = [_entry(100, "allow", "0.0.0.0/0", out=out, protocol="-1") for out in (True, False)]
_STOP = [_entry(32767, "deny", "0.0.0.0/0", out=out, protocol="-1") for out in (True, False)]
_OURS, _THEIRS = "10.0.0.0/20", "10.1.0.0/24"


def _via(to: str, over: str = "pcx-1", state: str = "active") -> dict[str, Any]:
    kind = {"pcx-1": "VpcPeeringConnectionId", "tgw-1": "TransitGatewayId", "nat-1": "NatGatewayId"}[over]
    return {"DestinationCidrBlock": to, kind: over, "State": state}


def _border(name: str, cidr: str, routes: Sequence[Any], entries: Sequence[Any] = (*_LET, *_STOP)) -> Border:
    own = {"DestinationCidrBlock": cidr, "GatewayId": "local", "State": "active"}
    return Border(id=name, cidr=IPv4Network(cidr), routes=[own, *routes], entries=entries)


def _borders(
    ours: Sequence[Any] = (), theirs: Sequence[Any] = (), *, out: Sequence[Any] = (), into: Sequence[Any] = ()
) -> Borders:
    """Return a load balancer's subnet and a target's: with routes, and with ACL entries before those that let pass."""
    here = _border("subnet-1", _OURS, ours or [_via("10.1.0.0/16")], [*out, *_LET, *_STOP])
    there = _border("subnet-2", _THEIRS, theirs or [_via("10.0.0.0/16")], [*into, *_LET, *_STOP])
    return Borders(balancers={"alb": [here]}, targets={"subnet-2": there})


def _processors(limit: int) -> Processors:
    return Processors(code="L-1216C47A", limit=limit, used=20, own=24, most=12, full=48, per_node=4)


_MAY = Rights(
    who="arn:aws:iam::1:role/ops",
    answers=[Answered(action=f"ssm:{one}Parameter", by="") for one in ("Put", "Delete")],
)


def _facts(**changes: Any) -> Facts:
    """Return facts of which nothing speaks against NEW."""
    well = Facts(
        account=_account(),
        key=NEW,
        peer=OLD,
        today=TODAY,
        subnets=[Subnet(id="subnet-1", zone="a", cidr=IPv4Network("10.0.0.0/24"), free=200)],
        limits={"rules-per-application-load-balancer": 100, "targets-per-application-load-balancer": 1000},
        rules={BALANCER: 6},
        processors=[_processors(100)],
        insights=Insights([Insight(version="1.36", name="Deprecated APIs", status="PASSING")], fresh=True),
        support=Support(
            cluster=NEW, version="1.36", policy="EXTENDED", standard=date(2027, 8, 2), extended=date(2028, 8, 2)
        ),
        here=_inside(),
        there=_inside(),
        trusted={},
        cli="aws-cli/2.30.0 Python/3.13.7",
        answers=[Answer("web", "https://www.example.com/healthz", 200)],
        way=Way(targets=[_target()], lost=0, into={"sg-pods": [_rule("sg-alb")]}, balancers={"alb": _side()}),
        borders=_borders(),
        rights=_MAY,
    )
    return replace(well, **changes)


def _with(kind: str, *objects: Any) -> dict[str, Any]:
    """Return the inside of a cluster with other objects of a kind."""
    return {**_inside(), kind: list(objects)}


def _row(check: str, facts: Facts) -> Row:
    return next(row for row in judge(facts) if row.check == check)


def _said(check: str, facts: Facts) -> tuple[str, str]:
    row = _row(check, facts)
    assert bool(row.cure) is (row.verdict is not Verdict.OK)
    return row.verdict.value, row.evidence


def test_a_cluster_like_the_other_one_is_ready() -> None:
    assert {(row.check, row.verdict.value) for row in judge(_facts()) if row.verdict is not Verdict.OK} == set()


def test_no_fact_that_could_not_be_read_counts_as_well() -> None:
    blind = _facts(
        account=replace(
            _account(), health={arn: replace(one, unreadable="no") for arn, one in _account().health.items()}
        ),
        **dict.fromkeys(_FACTS, NOT_SEEN),
        support=Support(cluster=NEW, version="1.36", policy="EXTENDED", unread="not allowed"),
        here=dict.fromkeys(_inside(), NOT_SEEN),
        there=dict.fromkeys(_inside(), NOT_SEEN),
        answers=[Answer("web", "https://www.example.com/", NOT_SEEN)],
    )
    rows = judge(blind)
    assert {row.check for row in rows if row.verdict is not Verdict.UNKNOWN} == {"aws CLI", "keys"}, "which ask nobody"
    assert all(row.cure for row in rows if row.verdict is Verdict.UNKNOWN)


@pytest.mark.parametrize(
    ("slices", "evidence"),
    [
        ([_webhook()], "no pod of aws-load-balancer-controller is ready: targets of v1-36 stay as they are"),
        ([_webhook(False)], "no pod of aws-load-balancer-controller is ready: targets of v1-36 stay as they are"),
        ([], "not installed: aws-load-balancer-controller"),
    ],
)
def test_a_controller_that_does_not_answer_is_bad(slices: list[Any], evidence: str) -> None:
    assert _said("controllers", _facts(here=_with("endpointslices", *slices))) == ("bad", evidence)


def _controller(*args: str) -> dict[str, Any]:
    container = {"name": "controller", "args": ["--cluster-name=prod", *args]}
    return {
        "metadata": {
            "namespace": "kube-system",
            "name": "lbc",
            "labels": {"app.kubernetes.io/name": "aws-load-balancer-controller"},
        },
        "spec": {"replicas": 1, "template": {"metadata": {}, "spec": {"containers": [container]}}},
    }


@pytest.mark.parametrize(
    ("controllers", "unwatched"),
    [
        ([], ""),
        ([_controller()], ""),
        ([_controller("--watch-namespace=")], ""),
        ([_controller("--watch-namespace=web"), _controller("--watch-namespace=orders")], ""),
        ([_controller("--watch-namespace=web")], "that of orders in orders"),
        ([_controller("--watch-namespace=ops")], "that of web in web; that of orders in orders"),
    ],
)
def test_a_controller_that_is_held_to_a_namespace_does_not_look_at_bindings_elsewhere(
    controllers: list[Any], unwatched: str
) -> None:
    verdict, said = _said("controllers", _facts(here=_with("deployments", *controllers)))
    assert (verdict, said.partition("every binding: ")[2]) == ("bad" if unwatched else "ok", unwatched)


@pytest.mark.parametrize(
    ("web", "evidence"),
    [
        ([], "web has none"),
        ([_binding("web", OLD)], "that of web is for another target group"),
        ([_binding("web"), _binding("web", name="by-hand")], "web shares its target group with web/by-hand"),
        ([_binding("web", port=81)], "that of web is edited to web:81, not web:80"),
    ],
)
def test_bindings_stand_as_the_stack_file_says(web: list[Any], evidence: str) -> None:
    assert _said("bindings", _facts(here=_with("bindings", _binding("orders"), *web))) == ("bad", evidence)


def test_a_check_may_fail_where_the_stack_file_says_why_and_one_that_is_well_has_no_excuse() -> None:
    ignored = Checks(ignore={"CUT002": "the chart is installed by hand", "CUT003": "a slip"})
    settings = _account().settings.model_copy(update={"checks": ignored})
    facts = _facts(account=replace(_account(), settings=settings), here=_with("services"))
    assert _row("Services", facts).ignored == "the chart is installed by hand"
    assert {row.check for row in judge(facts) if row.ignored} == {"Services"}


def test_the_only_cluster_is_compared_with_nothing() -> None:
    checks = {row.check for row in judge(_facts(peer=None, there={}))}
    assert "target health" in checks
    assert not checks & {"workloads", "upgrade insights", "state"}


@pytest.mark.parametrize(
    ("account", "verdict", "said"),
    [
        (_account(healthy=12), "ok", "web 12 healthy, needs 2 now and 10 at 100%"),
        (_account(healthy=2), "warn", "web 2 healthy, needs 2 now and 10 at 100%"),
        (_account(healthy=1), "bad", "web 1 healthy, needs 2 now"),
        (_account(50, 50, healthy=4), "bad", "web 4 healthy, needs 5 now"),
        (_account(50, 50, healthy=5), "warn", "web 5 healthy, needs 5 now and 10 at 100%"),
    ],
)
def test_target_health_is_held_against_the_share_of_now_and_everything(
    account: Account, verdict: str, said: str
) -> None:
    found, evidence = _said("target health", _facts(account=account))
    assert found == verdict
    assert said in evidence


def test_pods_in_one_zone_are_not_enough_for_everything() -> None:
    account = _account()
    lone = {
        arn: replace(group, zones=frozenset("a")) if group.cluster == NEW else group
        for arn, group in account.health.items()
    }
    assert _said("target health", _facts(account=replace(account, health=lone)))[0] == "warn"


def test_targets_that_nobody_checks_are_not_ready() -> None:
    account = _account()
    blind = {arn: replace(group, checked=group.cluster == OLD) for arn, group in account.health.items()}
    assert _said("target health", _facts(account=replace(account, health=blind)))[0] == "bad"


def test_a_route_without_a_target_group_of_the_cluster_is_not_up() -> None:
    account = _account()
    groups = {arn: group for arn, group in account.found.groups.items() if arn != f"orders-{NEW}"}
    found = _said("target health", _facts(account=replace(account, found=replace(account.found, groups=groups))))
    assert found == ("bad", "orders has no target group for v1-36")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "ok"), (302, "ok"), (401, "ok"), (404, "bad"), (500, "warn"), (502, "bad"), (503, "bad"), (504, "bad")],
)
def test_the_answer_through_the_preview_rule_comes_from_a_pod(status: int, verdict: str) -> None:
    facts = _facts(answers=[Answer("web", "https://www.example.com/", status)])
    assert _said("preview of web", facts) == (
        verdict, f"GET https://www.example.com/ is answered with {status}"
    )  # fmt: skip


def test_a_strange_certificate_is_bad_and_a_load_balancer_out_of_reach_is_not() -> None:
    strange = Answer("web", "https://www.example.com/", Unread("hostname mismatch"), untrusted=True)
    away = Answer("web", "https://www.example.com/", Unread("timed out", "Go there"))
    assert _said("preview of web", _facts(answers=[strange]))[0] == "bad"
    assert _row("preview of web", _facts(answers=[away])).verdict is Verdict.UNKNOWN
    assert _row("preview of web", _facts(answers=[away])).cure == "Go there"


# --- addresses and quotas ---------------------------------------------------------------------------------------------


def _subnet(free: int, *used: str, prefixes: tuple[str, ...] = (), cidr: str = "10.0.0.0/26") -> Subnet:
    return Subnet(
        id="subnet-1",
        zone="a",
        cidr=IPv4Network(cidr),
        free=free,
        used=[IPv4Address(one) for one in used],
        prefixes=[IPv4Network(one) for one in prefixes],
    )


@pytest.mark.parametrize(
    ("subnet", "blocks"),
    [
        (_subnet(59), 2),  # the first and the last hold AWS's own addresses
        (_subnet(58, "10.0.0.17"), 1),
        (_subnet(43, prefixes=("10.0.0.32/28",)), 1),
        (_subnet(42, "10.0.0.17", prefixes=("10.0.0.32/28",)), 0),
        (_subnet(251, cidr="10.0.1.0/24"), 14),
    ],
)
def test_a_block_is_free_when_nothing_has_an_address_in_it(subnet: Subnet, blocks: int) -> None:
    assert free_blocks(subnet) == blocks


_DELEGATING = {
    **_named("kube-system/aws-node"),
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {"name": "aws-node", "image": "cni", "env": [{"name": "ENABLE_PREFIX_DELEGATION", "value": "true"}]}
                ]
            }
        }
    },
}


@pytest.mark.parametrize(("free", "verdict"), [(16, "ok"), (15, "warn"), (6, "warn"), (5, "bad")])
def test_every_subnet_has_the_addresses_that_eks_asks_for(free: int, verdict: str) -> None:
    assert _said("free addresses", _facts(subnets=[_subnet(free)]))[0] == verdict


def test_pods_that_still_have_to_come_need_an_address_each() -> None:
    empty = _with("deployments")
    assert _said("free addresses", _facts(here=empty, subnets=[_subnet(24)]))[0] == "ok"
    verdict, evidence = _said("free addresses", _facts(here=empty, subnets=[_subnet(23)]))
    assert verdict == "bad"
    assert "v1-36 runs 24 pods less than v1-35" in evidence


def test_under_prefix_delegation_only_whole_blocks_count() -> None:
    scattered = _subnet(42, "10.0.0.17", prefixes=("10.0.0.32/28",))
    assert _said("free addresses", _facts(subnets=[scattered]))[0] == "ok"
    verdict, evidence = _said("free addresses", _facts(subnets=[scattered], here=_with("daemonsets", _DELEGATING)))
    assert (verdict, evidence) == ("bad", "subnet-1 (a) 42, 0 whole /28")


def test_too_few_addresses_are_too_few_although_the_cluster_cannot_be_asked() -> None:
    away = dict.fromkeys(_inside(), NOT_SEEN)
    assert _said("free addresses", _facts(subnets=[_subnet(5)], here=away))[0] == "bad"
    assert _said("free addresses", _facts(subnets=[_subnet(50)], here=away))[0] == "unknown"


@pytest.mark.parametrize(("count", "verdict"), [(90, "ok"), (91, "warn"), (100, "bad")])
def test_rules_stay_below_their_quota(count: int, verdict: str) -> None:
    assert _said("quota of rules", _facts(rules={BALANCER: count})) == (verdict, f"public-1 {count} of 100")


@pytest.mark.parametrize(("limit", "verdict"), [(66, "ok"), (56, "warn"), (55, "bad")])
def test_targets_at_100_percent_stay_below_their_quota(limit: int, verdict: str) -> None:
    """Both routes have 12 targets in the old cluster and 6 in the new one, which would need 10."""
    facts = _facts(account=_account(healthy=6), limits={"targets-per-application-load-balancer": limit - 12})
    assert _said("quota of targets", facts) == (verdict, f"with v1-36 at 100%: public-1 44 of {limit - 12}")


@pytest.mark.parametrize(("limit", "verdict"), [(44, "ok"), (43, "warn"), (24, "warn"), (23, "bad")])
def test_nodes_may_grow_to_their_maximum(limit: int, verdict: str) -> None:
    """Six nodes of four vCPU run, and twelve may."""
    assert _said("quota of vCPU", _facts(processors=[_processors(limit)])) == (
        verdict, f"20 of {limit} used; v1-36 at maxSize 12: 44"
    )  # fmt: skip


# --- versions and tools -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "standard", "extended", "verdict"),
    [
        ("EXTENDED", 91, 456, "ok"),
        ("EXTENDED", 90, 455, "warn"),
        ("EXTENDED", -200, 91, "warn"),
        ("EXTENDED", -200, 90, "bad"),
        ("STANDARD", 91, 456, "ok"),
        ("STANDARD", 90, 455, "bad"),
    ],
)
def test_the_end_of_support_is_held_against_the_upgrade_policy(
    policy: str, standard: int, extended: int, verdict: str
) -> None:
    ends = (TODAY + timedelta(days=standard), TODAY + timedelta(days=extended))
    support = Support(cluster=NEW, version="1.36", policy=policy, standard=ends[0], extended=ends[1])
    assert _said("end of support", _facts(support=support))[0] == verdict


@pytest.mark.parametrize(
    ("insight", "verdict"),
    [
        (Insight(version="1.36", name="APIs", status="ERROR", deprecated=True, recommendation="Use v1"), "bad"),
        (Insight(version="1.37", name="APIs", status="WARNING", deprecated=True, recommendation="Use v1"), "warn"),
        (Insight(version="1.36", name="Kubelet skew", status="ERROR", recommendation="Upgrade nodes"), "warn"),
        (Insight(version="1.36", name="APIs", status="UNKNOWN", recommendation="Wait"), "unknown"),
    ],
)
def test_apis_that_go_away_stop_a_cluster_and_what_only_an_upgrade_in_place_meets_does_not(
    insight: Insight, verdict: str
) -> None:
    row = _row("upgrade insights", _facts(insights=Insights([insight], fresh=True)))
    assert (row.verdict.value, row.cure) == (verdict, insight.recommendation)
    assert f"{insight.version} {insight.name}: {insight.status}" in row.evidence


def test_insights_that_eks_did_not_refresh_say_so() -> None:
    old = Insights([Insight(version="1.36", name="APIs", status="PASSING")], fresh=False)
    assert "up to a day old" in _said("upgrade insights", _facts(insights=old))[1]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("aws-cli/2.7.0 Python/3.11", "ok"),
        ("aws-cli/2.6.9 Python/3.11", "bad"),
        ("aws-cli/1.24.0 Python/3.11", "ok"),
        ("aws-cli/1.23.9 Python/3.11", "bad"),
        ("", "bad"),
        ("command failed", "bad"),
    ],
)
def test_the_aws_cli_is_new_enough_to_make_tokens(said: str, verdict: str) -> None:
    row = _row("aws CLI", _facts(cli=said))
    assert row.verdict == verdict
    assert not row.cure or ("2.7" in row.cure and "1.24" in row.cure)


# --- inside the clusters ----------------------------------------------------------------------------------------------


def _changed(kind: str, change: Any) -> dict[str, Any]:
    """Return the inside of a cluster with the first object of a kind changed."""
    inside = copy.deepcopy(_inside())
    change(inside[kind][0])
    return inside


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        (_with("services"), "web: no Service web/web"),
        (_changed("services", lambda one: one["spec"].update(ports=[{"port": 81}])), "has no port 80"),
        (
            _changed("endpointslices", lambda one: one.update(endpoints=[])),
            "web: Service web/web has no ready endpoint",
        ),
        (
            _changed("endpointslices", lambda one: one.update(endpoints=[{"conditions": {"ready": False}}])),
            "web: Service web/web has no ready endpoint",
        ),
        (
            _changed("endpointslices", lambda one: one.update(ports=[{"port": 9}])),
            "pods of web/web listen on 9, not on",
        ),
    ],
)
def test_every_route_has_a_service_with_a_ready_endpoint(inside: Any, said: str) -> None:
    verdict, evidence = _said("Services", _facts(here=inside))
    assert verdict == "bad"
    assert said in evidence


def test_node_targets_need_a_node_port() -> None:
    settings = settings_of("dev")
    services = [
        {**_named(name), "spec": {"type": kind, "ports": [{"port": port}]}}
        for name, kind, port in (("web/web", "ClusterIP", 80), ("api/grpc-api", "NodePort", 9000))
    ]
    verdict, evidence = _said(
        "Services", _facts(account=_account(settings=settings), here=_with("services", *services))
    )
    assert verdict == "bad"
    assert "web: Service web/web has no node port" in evidence
    assert "api/grpc-api has no node port" not in evidence


_STATEFUL = {**_deployment("data", "db"), "metadata": {"namespace": "data", "name": "db"}}
_SYSTEM = _deployment("kube-system", "coredns")
_LOAD_BALANCED = {**_named("web/legacy"), "spec": {"type": "LoadBalancer", "ports": []}}
_BOUND = {**_named("data/disk"), "status": {"phase": "Bound"}}
_WEB, _ORDERS = _inside()["deployments"]


@pytest.mark.parametrize(
    ("check", "here", "there", "verdict", "said"),
    [
        ("workloads", _with("deployments", _WEB), _inside(), "bad", "not in v1-36: Deployment orders/orders"),
        ("workloads", _inside(), _with("deployments", _WEB, _SYSTEM), "ok", "1 of v1-35"),
        (
            "images",
            _with("deployments", _deployment("web", "web", "app:2"), _ORDERS),
            _inside(),
            "warn",
            "not as in v1-35: Deployment web/web",
        ),
        (
            "replicas",
            _with("deployments", _deployment("web", "web", replicas=3), _ORDERS),
            _inside(),
            "warn",
            "Deployment web/web 3 of 12",
        ),
        ("ConfigMaps", _with("configmaps"), _inside(), "warn", "not in v1-36: web/settings"),
        ("Secrets", _with("secrets"), _inside(), "warn", "not in v1-36: web/password"),
        (
            "Secrets",
            _inside(),
            _with(
                "secrets",
                _named("web/sh.helm.release.v1.web.v3"),
                _named("web/token-x", annotations={"kubernetes.io/service-account.name": "web"}),
            ),
            "ok",
            "0 of v1-35",
        ),
        ("definitions (CRDs)", _with("definitions"), _inside(), "warn", "certificates.cert-manager.io"),
        ("storage classes", _with("storageclasses"), _inside(), "warn", "not in v1-36: gp3"),
        ("state", _inside(), _with("statefulsets", _STATEFUL), "warn", "in v1-35: StatefulSet data/db"),
        ("state", _inside(), _with("volumes", _BOUND), "warn", "in v1-35: volume data/disk"),
        ("other entrances", _inside(), _with("services", _LOAD_BALANCED), "warn", "Services in v1-35: web/legacy"),
    ],
)
def test_what_the_other_cluster_has_is_looked_for(check: str, here: Any, there: Any, verdict: str, said: str) -> None:
    found, evidence = _said(check, _facts(here=here, there=there))
    assert found == verdict
    assert said in evidence


def _autoscaler(least: int) -> dict[str, Any]:
    target = {"kind": "Deployment", "name": "web"}
    return {**_named("web/web"), "spec": {"scaleTargetRef": target, "minReplicas": least}}


@pytest.mark.parametrize(("least", "verdict"), [(10, "ok"), (9, "warn")])
def test_an_autoscaler_that_starts_too_low_is_named_with_the_minimum_that_the_gate_will_ask_for(
    least: int, verdict: str
) -> None:
    row = _row("least replicas", _facts(here=_with("autoscalers", _autoscaler(least))))
    assert row.verdict.value == verdict
    assert f"web {least}, needs 5 at 50% and 10 at 100%" in row.evidence
    assert ("web 10" in row.cure) is (verdict == "warn")


def test_what_an_autoscaler_scales_is_not_compared_by_its_replicas() -> None:
    here = {**_with("deployments", _deployment("web", "web", replicas=3), _ORDERS), "autoscalers": [_autoscaler(12)]}
    assert _said("replicas", _facts(here=here))[0] == "ok"


_ANNOTATED = _named("web/web", annotations={"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/web"})


@pytest.mark.parametrize(
    ("here", "trusted", "verdict", "said"),
    [
        (_with("identities"), {}, "bad", "without a role in v1-36: web/web"),
        (
            _with("identities", {"namespace": "web", "serviceAccount": "web", "roleArn": "arn:other"}),
            {},
            "warn",
            "another role than in v1-35: web/web",
        ),
        (
            {**_with("accounts", _ANNOTATED), "identities": []},
            {"arn:aws:iam::1:role/web": False},
            "bad",
            "their role does not trust v1-36: web/web",
        ),
        (
            {**_with("accounts", _ANNOTATED), "identities": []},
            {"arn:aws:iam::1:role/web": True},
            "ok",
            "1 with the same",
        ),
        ({**_with("accounts", _ANNOTATED), "identities": []}, NOT_SEEN, "unknown", "not allowed"),
    ],
)
def test_service_accounts_keep_their_roles(here: Any, trusted: Any, verdict: str, said: str) -> None:
    found, evidence = _said("ServiceAccount roles", _facts(here=here, trusted=trusted))
    assert found == verdict
    assert said in evidence


def test_the_stacks_own_controllers_have_a_role_of_their_own_in_each_cluster() -> None:
    here, there = (
        _with(
            "identities",
            *_inside()["identities"],
            {"namespace": "mesh", "serviceAccount": "mesh", "roleArn": f"arn:{key}", "tags": {STACK_TAG: "dev"}},
        )
        for key in (NEW, OLD)
    )
    assert _said("ServiceAccount roles", _facts(here=here, there=there)) == ("ok", "1 with the same role as in v1-35")


def test_a_role_that_is_associated_needs_no_issuer_whatever_the_annotation_names() -> None:
    annotated = _named("web/web", annotations={"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/former"})
    both = _with("accounts", annotated)
    facts = _facts(here=both, there=both, trusted={"arn:aws:iam::1:role/former": False})
    assert _said("ServiceAccount roles", facts)[0] == "ok"


@pytest.mark.parametrize(
    ("kind", "one", "said"),
    [
        (
            "secrets",
            _named("istio-system/remote", labels={"istio/multiCluster": "true"}),
            "Istio multi-cluster in v1-35",
        ),
        ("secrets", _named("kube-system/cilium-clustermesh"), "Cilium Cluster Mesh in v1-35"),
        ("definitions", _named("links.multicluster.linkerd.io"), "Linkerd multicluster in v1-35"),
        ("definitions", _named("clusters.submariner.io"), "Submariner in v1-35"),
        ("exports", _named("web/web"), "multi-cluster Services in v1-35"),
    ],
)
def test_a_mesh_over_clusters_makes_weights_lie(kind: str, one: Any, said: str) -> None:
    assert _said("multi-cluster mesh", _facts(there=_with(kind, one))) == ("warn", said)


# --- reads ------------------------------------------------------------------------------------------------------------


def test_a_cluster_is_compared_with_the_one_that_serves_most() -> None:
    assert surroundings.peer_of(_account(99, 1), NEW) == OLD
    assert surroundings.peer_of(_account(0, 100), OLD) == NEW
    assert surroundings.peer_of(_account(settings=settings_of("prod")), NEW) == OLD


class _Stubbed(boto3.Session):
    """An account in which some services answer what they are told, and the others are the emulated ones."""

    def __init__(self, **answers: list[tuple[str, Any]]) -> None:
        super().__init__("somebody", "somebody", region_name=REGION)
        self._answers = answers

    def client(self, service_name: Any, **options: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        made: Any = super().client(service_name, **options)
        if service_name.replace("-", "_") in self._answers:
            stub = Stubber(made)
            for call, answer in self._answers[service_name.replace("-", "_")]:
                if answer is None:
                    stub.add_client_error(call, "AccessDeniedException", "not allowed")
                else:
                    stub.add_response(call, answer)
            stub.activate()
        return made


def _insight(status: str, name: str = "1") -> dict[str, Any]:
    return {"id": name, "name": "APIs", "kubernetesVersion": "1.36", "insightStatus": {"status": status}}


def test_insights_are_refreshed_and_asked_for_every_minor_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings.time, "sleep", lambda _: None)
    details = {"deprecationDetails": [{"usage": "/apis/policy/v1beta1"}]}
    aws = _Stubbed(
        eks=[
            ("start_insights_refresh", {"status": "IN_PROGRESS", "message": ""}),
            ("describe_insights_refresh", {"status": "IN_PROGRESS"}),
            ("describe_insights_refresh", {"status": "COMPLETED"}),
            ("list_insights", {"insights": [_insight("PASSING"), _insight("ERROR", "2")]}),
            ("describe_insight", {"insight": {"recommendation": "Use v1", "categorySpecificSummary": details}}),
        ]
    )
    found = surroundings.Reads(aws, _account(), NEW).insights(OLD)
    assert found == Insights(
        [
            Insight(version="1.36", name="APIs", status="PASSING"),
            Insight(version="1.36", name="APIs", status="ERROR", deprecated=True, recommendation="Use v1"),
        ],
        fresh=True,
    )


def test_insights_are_read_although_nobody_may_refresh_them() -> None:
    aws = _Stubbed(eks=[("start_insights_refresh", None), ("list_insights", {"insights": []})])
    assert surroundings.Reads(aws, _account(), NEW).insights(OLD) == Insights([], fresh=False)


def test_there_is_no_insight_on_the_way_back() -> None:
    assert surroundings.Reads(_Stubbed(eks=[]), _account(), OLD).insights(NEW) == Insights((), fresh=True)


def test_processors_are_counted_of_the_same_kind_of_instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota = {"Quota": {"Value": 64.0}}
    with running(tmp_path) as cloud:
        reach(cloud, monkeypatch)
        ec2 = cloud.client("ec2")
        before = surroundings.Reads(
            _Stubbed(service_quotas=[("get_service_quota", quota)]), _account(), NEW
        ).processors()
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "eks:cluster-name", "Value": f"prod-{NEW}"}]}]
        image = "ami-12345678"
        made = ec2.run_instances(
            ImageId=image, InstanceType="m5.xlarge", MinCount=2, MaxCount=2, TagSpecifications=tags
        )
        ec2.run_instances(ImageId=image, InstanceType="p3.2xlarge", MinCount=1, MaxCount=1)
        after = surroundings.Reads(
            _Stubbed(service_quotas=[("get_service_quota", quota)]), _account(), NEW
        ).processors()
        ec2.terminate_instances(InstanceIds=[one["InstanceId"] for one in made["Instances"]])
    (one,), (other,) = before, after
    assert (other.used - one.used, other.own - one.own, other.limit, other.per_node) == (8, 8, 64, 4)
    assert (other.most, other.full) == (12, 48)


def test_groups_that_are_bought_otherwise_have_a_quota_of_their_own() -> None:
    spot = replace(_processors(30), code="L-34B43A08", used=0, own=0, most=2, full=8)
    both = _facts(processors=[_processors(100), spot])
    assert _said("quota of vCPU of L-1216C47A", both)[0] == "ok"
    assert _said("quota of vCPU of L-34B43A08", both) == ("ok", "0 of 30 used; v1-36 at maxSize 2: 8")


def test_subnets_come_with_what_network_interfaces_have_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as cloud:
        reach(cloud, monkeypatch)
        ec2 = cloud.client("ec2")
        subnet = ec2.create_subnet(VpcId=cloud.vpc, CidrBlock="10.20.9.0/24", AvailabilityZone=f"{REGION}a")["Subnet"]
        ec2.create_network_interface(SubnetId=subnet["SubnetId"], PrivateIpAddress="10.20.9.20")
        cluster = {"cluster": {"resourcesVpcConfig": {"subnetIds": [subnet["SubnetId"]]}}}
        aws = _Stubbed(eks=[("describe_cluster", cluster)])
        (found,) = surroundings.Reads(aws, _account(), NEW).subnets()
    assert (found.id, found.zone, found.cidr) == (subnet["SubnetId"], f"{REGION}a", IPv4Network("10.20.9.0/24"))
    assert list(found.used) == [IPv4Address("10.20.9.20")]
    assert found.free == 250


def test_a_role_trusts_the_cluster_whose_issuer_its_policy_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = "oidc.eks.ap-northeast-1.amazonaws.com/id/NEW"
    cluster = {"cluster": {"identity": {"oidc": {"issuer": f"https://{issuer}"}}}}
    with running(tmp_path) as cloud:
        reach(cloud, monkeypatch)
        iam = cloud.client("iam")
        roles = [
            iam.create_role(
                Path="/apps/",
                RoleName=f"preflight-{name}",
                AssumeRolePolicyDocument=json.dumps(
                    {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Action": "sts:AssumeRoleWithWebIdentity",
                                "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{of}"},
                            }
                        ],
                    }
                ),
            )["Role"]["Arn"]
            for name, of in (("new", issuer), ("old", "oidc.eks.ap-northeast-1.amazonaws.com/id/OLD"))
        ]
        aws = _Stubbed(eks=[("describe_cluster", cluster)])
        assert surroundings.Reads(aws, _account(), NEW).trusted(set(roles)) == {roles[0]: True, roles[1]: False}
        for name in ("new", "old"):
            iam.delete_role(RoleName=f"preflight-{name}")


class _Inside:
    """A cluster that lists services and nothing else."""

    def __init__(self, *_: object) -> None: ...

    def list(self, path: str, *, only_metadata: bool) -> list[Any]:
        if path == "/api/v1/services" and not only_metadata:
            return [_named("web/web")]
        raise InsideError(f"no list of {path}, metadata {only_metadata}")


def test_what_cannot_be_listed_hides_nothing_else_that_stands_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = {"namespace": "web", "serviceAccount": "web", "roleArn": "arn:web"}
    aws = _Stubbed(
        eks=[
            ("list_pod_identity_associations", {"associations": [{"associationId": "a-1"}]}),
            ("describe_pod_identity_association", {"association": identity}),
        ]
    )
    monkeypatch.setattr(objects, "Inside", _Inside)
    found = objects.read(aws, f"prod-{NEW}", CONTROLLERS)
    assert found["services"] == [_named("web/web")]
    assert str(found["secrets"]) == "no list of /api/v1/secrets, metadata True"
    assert found["identities"] == [identity]
    assert found.keys() == _inside().keys()


def test_limits_and_rules_are_those_of_the_load_balancers_of_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as cloud, tagged(cloud, ["web", "orders"], {OLD: 100, NEW: 0}):
        reach(cloud, monkeypatch)
        (listener,) = cloud.client("elbv2").describe_listeners(ListenerArns=[cloud.listener])["Listeners"]
        rules = {"web": WeightedRule("web", listener["LoadBalancerArn"], {})}
        account = replace(_account(), found=Found(rules, {}, None))
        reads = surroundings.Reads(_Stubbed(), account, NEW)
        assert reads.limits()["rules-per-application-load-balancer"] == 100
        assert reads.rules() == {listener["LoadBalancerArn"]: 2}


@pytest.mark.parametrize(
    ("target", "into", "side", "verdict", "says"),
    [
        (_target(), {"sg-pods": [_rule("sg-alb")]}, _side(), Verdict.OK, "1 of web on 8080"),
        (_target("sg-a", "sg-b"), {"sg-a": [], "sg-b": [_rule("sg-alb", 0, 65535)]}, _side(), Verdict.OK, "1 of web"),
        (_target(), {"sg-pods": [_rule("sg-other")]}, _side(), Verdict.BAD, "let nobody of alb in on 8080"),
        (_target(), {"sg-pods": [_rule("sg-alb", 80, 443)]}, _side(), Verdict.BAD, "let nobody of alb in"),
        (_target(), {"sg-pods": [_rule("sg-alb", IpProtocol="udp")]}, _side(), Verdict.BAD, "let nobody of alb in"),
        (_target(), {"sg-pods": [_rule(IpRanges=[{"CidrIp": "10.0.0.0/16"}])]}, _side(), Verdict.OK, "1 of web"),
        (
            _target(),
            {"sg-pods": [_rule(IpRanges=[{"CidrIp": "10.0.0.0/20"}])]},
            _side(ranges=["10.0.0.0/20", "10.0.16.0/20"]),
            Verdict.BAD,
            "let nobody of alb in",
        ),
        (_target(), {"sg-pods": [_rule(PrefixListIds=[{"PrefixListId": "pl-1"}])]}, _side(), Verdict.OK, "1 of web"),
        (_target(), {"sg-pods": [_rule("sg-alb")]}, _side(_rule("sg-pods")), Verdict.OK, "1 of web"),
        (_target(), {"sg-pods": [_rule("sg-alb")]}, _side(_rule("sg-nodes")), Verdict.BAD, "alb lets nothing out to 1"),
    ],
)
def test_a_target_that_security_groups_keep_from_its_load_balancer_is_told_on_which_side(
    target: Target, into: dict[str, Any], side: Side, verdict: Verdict, says: str
) -> None:
    row = _row("security groups", _facts(way=Way(targets=[target], lost=0, into=into, balancers={"alb": side})))
    assert row.verdict is verdict, row.evidence
    assert says in row.evidence


def test_targets_without_a_network_interface_are_counted_and_none_at_all_is_no_verdict() -> None:
    some = Way(targets=[_target()], lost=2, into={"sg-pods": [_rule("sg-alb")]}, balancers={"alb": _side()})
    assert "of 2 more EC2 tells no network interface" in _row("security groups", _facts(way=some)).evidence
    none = _row("security groups", _facts(way=Way(targets=[], lost=0, into={}, balancers={})))
    assert (none.verdict, none.evidence) == (Verdict.UNKNOWN, "no target is registered")


def test_the_groups_of_targets_are_those_of_the_interface_that_has_their_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as cloud:
        reach(cloud, monkeypatch)
        ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
        subnet = ec2.create_subnet(VpcId=cloud.vpc, CidrBlock="10.20.9.0/24", AvailabilityZone=f"{REGION}a")["Subnet"]
        pods = ec2.create_security_group(GroupName="pods", Description="p", VpcId=cloud.vpc)["GroupId"]
        ec2.create_network_interface(SubnetId=subnet["SubnetId"], PrivateIpAddress="10.20.9.20", Groups=[pods])
        group = cloud.group("ip")
        forward = {"Type": "forward", "TargetGroupArn": group}
        condition = {"Field": "path-pattern", "Values": ["/way"]}
        elb.create_rule(ListenerArn=cloud.listener, Priority=77, Conditions=[condition], Actions=[forward])
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.20.9.20", "Port": 8080}, {"Id": "10.20.9.21"}])
        seen: Any = SimpleNamespace(
            settings=SimpleNamespace(routes=["web"]), found=SimpleNamespace(group_of=lambda *_: group)
        )
        found = way.read(seen, NEW, cloud.vpc, (elb, ec2), ec2)
    (target,) = found.targets
    assert (target.address, target.port, target.groups, found.lost) == ("10.20.9.20", 8080, {pods}, 1)
    assert list(found.into) == [pods]
    assert found.balancers[target.balancer].ranges


@pytest.mark.parametrize(
    ("changes", "verdict", "says"),
    [
        ({}, Verdict.OK, "subnet-1 and subnet-2 reach each other"),
        ({"ours": [_via("0.0.0.0/0", "nat-1")]}, Verdict.BAD, "subnet-1 has no active route to 10.1.0.0/24"),
        ({"ours": [_via("0.0.0.0/0", "tgw-1")]}, Verdict.OK, ""),
        (
            {"ours": [_via("10.1.0.0/16"), _via("10.1.0.0/24", state="blackhole")]},
            Verdict.BAD,
            "subnet-1 has no active",
        ),
        ({"theirs": [_via("10.2.0.0/16")]}, Verdict.BAD, "subnet-2 has no active route back to 10.0.0.0/20"),
        ({"theirs": [{"DestinationPrefixListId": "pl-1", "TransitGatewayId": "tgw-1"}]}, Verdict.OK, ""),
        ({"theirs": [{"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}]}, Verdict.BAD, "no active route back"),
        ({"out": [_entry(1, "deny", "10.1.0.0/16", 8080, out=True)]}, Verdict.BAD, "subnet-1 lets nothing out to 10.1"),
        ({"into": [_entry(1, "deny", "10.0.8.0/24", out=False)]}, Verdict.BAD, "subnet-2 lets nothing in from 10.0"),
        ({"into": [_entry(1, "deny", _OURS, 1024, 32767, out=True)]}, Verdict.BAD, "subnet-2 lets no answers out"),
        ({"out": [_entry(1, "deny", _THEIRS, 60000, 65535, out=False)]}, Verdict.BAD, "subnet-1 lets no answers in"),
        ({"out": [_entry(1, "deny", "0.0.0.0/0", 3389, out=False)]}, Verdict.OK, ""),  # as baselines have it
        ({"out": [_entry(1, "deny", "0.0.0.0/0", out=True, protocol="17")]}, Verdict.OK, ""),
        ({"out": [_entry(1, "deny", "10.1.0.9/32", out=True)]}, Verdict.OK, ""),  # somebody else's address
    ],
)
def test_a_target_that_routes_or_network_acls_keep_from_its_load_balancer_is_told_at_which_subnet(
    changes: dict[str, Any], verdict: Verdict, says: str
) -> None:
    row = _row("routes and network ACLs", _facts(borders=_borders(**changes)))
    assert row.verdict is verdict, row.evidence
    assert says in row.evidence


def test_an_acl_may_let_pass_in_several_entries_and_is_not_asked_within_one_subnet() -> None:
    halves = [_entry(1, "allow", half, 8080, out=False) for half in ("10.0.0.0/21", "10.0.8.0/21")]
    back = [_entry(2, "allow", _OURS, *ports, out=True) for ports in ((1024, 9999), (10000, 65535))]
    here, there = (
        _border("subnet-1", _OURS, [_via("10.1.0.0/16")]),
        _border("subnet-2", _THEIRS, [_via("10.0.0.0/16")], [*halves, *back, *_STOP]),
    )
    for entries, verdict in ((there.entries, Verdict.OK), (there.entries[1:], Verdict.BAD)):
        both = Borders(balancers={"alb": [here]}, targets={"subnet-2": replace(there, entries=entries)})
        assert _row("routes and network ACLs", _facts(borders=both)).verdict is verdict
    within = replace(here, entries=_STOP, cidr=IPv4Network("10.1.0.0/24"))
    same = Borders(balancers={"alb": [within]}, targets={"subnet-2": within})
    assert _row("routes and network ACLs", _facts(borders=same)).verdict is Verdict.OK


def test_a_subnet_has_the_route_table_that_it_names_or_the_main_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as cloud:
        reach(cloud, monkeypatch)
        ec2 = cloud.client("ec2")
        zone = f"{REGION}a"
        ids = [
            ec2.create_subnet(VpcId=cloud.vpc, CidrBlock=f"10.20.{at}.0/24", AvailabilityZone=zone)["Subnet"][
                "SubnetId"
            ]
            for at in (7, 8)
        ]
        table = ec2.create_route_table(VpcId=cloud.vpc)["RouteTable"]["RouteTableId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=cloud.vpc)
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        ec2.associate_route_table(RouteTableId=table, SubnetId=ids[0])
        side = replace(_side(), subnets=ids)
        targets = [replace(_target(), subnet=ids[1])]
        found = borders.read(Way(targets=targets, lost=0, into={}, balancers={"alb": side}), ec2, ec2)
    routes = [{one["GatewayId"] for one in border.routes} for border in found.balancers["alb"]]
    assert routes == [{"local", gateway}, {"local"}]
    assert found.targets[ids[1]].entries


@pytest.mark.parametrize(
    ("answer", "verdict", "says"),
    [
        (Answered(action="ssm:PutParameter", by="by the organization"), Verdict.WARN, "may not ssm:PutParameter (by"),
        (Answered(action="ssm:PutParameter", by="no", missing=["aws:SourceIp"]), Verdict.UNKNOWN, "on aws:SourceIp"),
        (Answered(action="ssm:PutParameter", by=""), Verdict.OK, "arn:aws:iam::1:role/ops may ssm:PutParameter"),
    ],
)
def test_who_asks_learns_by_day_whether_a_rollback_could_leave_its_hold(
    answer: Answered, verdict: Verdict, says: str
) -> None:
    row = _row("rights to roll back", _facts(rights=replace(_MAY, answers=[answer])))
    assert row.verdict is verdict, row.evidence
    assert says in row.evidence


@pytest.mark.parametrize(
    ("told", "by"),
    [
        ({"EvalDecision": "allowed"}, ""),
        ({"EvalDecision": "explicitDeny"}, "denied by a policy"),
        ({"EvalDecision": "implicitDeny"}, "no policy allows it"),
        (
            {"EvalDecision": "explicitDeny", "OrganizationsDecisionDetail": {"AllowedByOrganizations": False}},
            "by the organization",
        ),
        (
            {
                "EvalDecision": "implicitDeny",
                "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False},
            },
            "by its permissions boundary",
        ),
    ],
)
def test_iam_is_asked_of_the_role_of_a_session_with_the_tags_that_the_stack_gives(
    told: dict[str, Any], by: str
) -> None:
    one = {"EvalActionName": "ssm:PutParameter", "MissingContextValues": [], **told}
    role = {"Path": "/ops/", "RoleName": "on-call", "RoleId": "AROA" + "0" * 17, "CreateDate": "2026-01-01T00:00:00Z"}
    account = _Stubbed(
        sts=[("get_caller_identity", {"Arn": "arn:aws:sts::111111111111:assumed-role/on-call/me"})],
        iam=[
            ("get_role", {"Role": {**role, "Arn": "arn:aws:iam::111111111111:role/ops/on-call"}}),
            ("simulate_principal_policy", {"EvaluationResults": [one], "IsTruncated": False}),
        ],
    )
    rights = RightsReads(account).read(Owner("eks-cutover", "prod"), {"team": "shop"}, [])
    assert (rights.who, [answer.by for answer in rights.answers]) == (
        "arn:aws:iam::111111111111:role/ops/on-call",
        [by],
    )


def test_the_emulated_iam_reads_the_policies_of_a_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = {"Effect": "Allow", "Action": "ssm:Put*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": "elasticloadbalancing:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed, denied]})
    with running(tmp_path) as cloud:
        reach(cloud, monkeypatch)
        iam = cloud.client("iam")
        role = iam.create_role(RoleName="on-call-of-rights", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        iam.put_role_policy(RoleName="on-call-of-rights", PolicyName="own", PolicyDocument=policy)
        reads = RightsReads(boto3.Session("somebody", "somebody", region_name=REGION))
        monkeypatch.setattr(reads, "_principal", lambda: role)
        rule, pool = (
            "arn:aws:elasticloadbalancing:r:1:listener-rule/app/a/b/c/d",
            "arn:aws:cognito-idp:r:1:userpool/r_A",
        )
        rights = reads.read(Owner("eks-cutover", "prod"), {}, [rule], [pool])
        iam.delete_role_policy(RoleName="on-call-of-rights", PolicyName="own")
        iam.delete_role(RoleName="on-call-of-rights")
    assert {one.action: one.by for one in rights.answers} == {
        "ssm:PutParameter": "",
        "ssm:DeleteParameter": "no policy allows it",
        "elasticloadbalancing:ModifyRule": "denied by a policy",
        "cognito-idp:DescribeUserPoolClient": "no policy allows it",
    }


def test_an_add_on_that_the_cluster_that_serves_has_and_the_other_lacks_is_told() -> None:
    both = [{"addonName": "vpc-cni"}, {"addonName": "aws-ebs-csi-driver"}]
    said = _said("add-ons", _facts(there=_with("addons", *both)))
    assert said == ("warn", "not in v1-36: aws-ebs-csi-driver")
    assert _said("add-ons", _facts(here=_with("addons", *both)))[0] == "ok"


def test_what_the_file_says_of_the_cluster_that_serves_alone_is_told_by_key() -> None:
    group = {"instanceTypes": ["m7i.large"], "minSize": 1, "desiredSize": 1, "maxSize": 2}
    changes = {
        "clusters.v1-35.karpenter": {},
        "clusters.v1-35.tags": {"team": "data"},
        "clusters.v1-36.tags": {"team": "shop"},
        "clusters.v1-35.nodes": {"nodes": {**group, "labels": {"pool": "web"}}, "batch": group},
        "clusters.v1-36.nodes": group,
        "clusters.v1-35.name": "old",
    }
    verdict, evidence = _said("keys", _facts(account=_account(settings=settings_of("prod", changes))))
    assert verdict == "warn"
    assert set(evidence.removeprefix("of v1-35 and not of v1-36: ").split(", ")) == {
        "karpenter",
        "nodes.nodes.labels",
        "nodes.batch",
    }
    assert _said("keys", _facts())[0] == "ok"
    assert _said("keys", _facts(peer="blue"))[0] == "ok"
