"""Rules of others on a listener: who answers what, from whom a route takes, and to whom it gives back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cutover.aws.listeners import listener_of as described
from cutover.rules import elsewhere, ground
from cutover.rules.account import Account
from cutover.rules.apart import Standing
from cutover.rules.evidence import Unproven
from cutover.rules.found import Found, TargetGroup
from cutover.rules.gate import judge
from cutover.rules.giver import barred, given, givers, opened, unanswered
from cutover.rules.ground import Ground
from cutover.rules.listener import Listener, Rule
from cutover.rules.move import Group
from tests.settings.editing import EXISTING, settings_of

if TYPE_CHECKING:
    from settings import Settings

BALANCER = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/shared/0123456789abcdef"
DEFAULT = Rule(arn="default", place=None, instead="fixed-response 404")
CATCH = Rule(arn="catch", place=1000, hosts=["app.example.com"], forwards={"old": 1})
NARROW = Rule(arn="narrow", place=900, hosts=["app.example.com"], paths=["/api/*"], forwards={"api": 1})


def _settings(**web: Any) -> Settings:
    shared = {"existing": {"name": "shared", "port": 443}, "rulePriorities": {"min": 100, "max": 300}}
    changes = {
        "network": EXISTING,
        "loadBalancers": {"shared": shared},
        **{f"routes.web.{key}": value for key, value in web.items()},
    }
    return settings_of("dev", changes)


def _listener(*rules: Rule) -> Listener:
    arn = BALANCER.replace("loadbalancer", "listener", 1) + "/0123456789abcdef"
    return Listener(arn=arn, load_balancer=BALANCER, port=443, protocol="HTTPS", rules=[*rules, DEFAULT])


def _found(*rules: Rule) -> Found:
    groups = {f"web {of}": TargetGroup(f"web {of}", "web", of, checked=True) for of in ("v1-35", "v1-36")}
    strangers = {arn: TargetGroup(arn, "", arn, checked=True) for rule in rules for arn in rule.forwards}
    return Found({}, groups, None, listeners=[_listener(*rules)], strangers=strangers)


def test_a_route_takes_from_every_rule_behind_it_until_one_answers_all_that_is_left() -> None:
    own = Rule(arn="own", place=299, hosts=["app.example.com"], forwards={"web v1-35": 1}, route="web")
    before = Rule(arn="before", place=10, paths=["/robots.txt"], instead="fixed-response 404")
    header = replace(CATCH, arn="header", place=800, besides=["http-header"])
    found = _found(before, own, header, NARROW, CATCH, replace(CATCH, arn="never", place=2000))
    assert [rule.arn for rule in givers(_settings(), found, "web")] == ["header", "narrow", "catch"]
    assert [rule.arn for rule in givers(_settings(hosts=["other.example.com"]), found, "web")] == ["default"]


def test_a_rule_is_named_by_its_place_what_it_asks_for_and_whose_it_is() -> None:
    assert str(replace(NARROW, besides=["source-ip"], owner="Terraform")) == (
        "rule 900 (app.example.com, /api/*, a source-ip, of Terraform)"
    )
    assert str(DEFAULT) == "the default action"


def test_several_rules_give_alike_since_nothing_tells_how_many_requests_each_has() -> None:
    two = Rule(arn="two", place=901, forwards={"a": 1, "b": 2})
    assert given([CATCH, two, DEFAULT]) == {"old": 3, "a": 1, "b": 2}
    assert given([DEFAULT]) == {}


def test_the_rule_that_answers_today_is_the_giver_and_no_group_takes_from_it_that_is_not_fit() -> None:
    settings, found = _settings(weights={"v1-35": 100, "v1-36": 0}), _found(CATCH)
    health = {"old": Group(cluster="old", units=3), "web v1-35": Group(cluster="v1-35", units=3)}

    def refusals(units: int) -> list[str]:
        there = {**health, "web v1-35": Group(cluster="v1-35", units=units)}
        account = Account(settings, found, there, {"web": Unproven("CloudWatch has nothing")})
        move = account.move("web", {"v1-35": 100, "v1-36": 0})
        assert move.live == {"old": 1}
        return [str(one) for one in judge([move], account.policy)]

    assert refusals(3) == []
    assert "v1-35 has 0 healthy targets" in refusals(0)[0]
    assert "v1-35 has 2 healthy targets and would need 3" in refusals(2)[0]
    assert "write what this route needs as its capacity" in refusals(2)[0]


def test_where_nobody_answers_today_a_first_rule_still_needs_healthy_targets() -> None:
    account = Account(_settings(), _found(), {"web v1-35": Group(cluster="v1-35", units=1)}, {})
    move = account.move("web", {"v1-35": 100, "v1-36": 0})
    assert move.live is None
    assert not move.first
    assert "v1-35 has 1 healthy target and would need 2" in judge([move], account.policy)[0].reason


def test_a_rule_that_asks_who_a_user_is_is_not_taken_from() -> None:
    login = replace(CATCH, before="authenticate-oidc")
    assert "would let everybody in" in barred([NARROW, login])
    assert barred([NARROW, CATCH]) == ""
    assert barred([NARROW, login], asks=True) == ""


def test_what_asks_who_a_user_is_goes_back_to_nobody_who_does_not() -> None:
    login = replace(CATCH, before="authenticate-oidc")
    assert opened([NARROW, login]) == (
        "rule 900 (app.example.com, /api/*) asks nobody who a user is, and would let everybody in"
    )
    assert "rule 900" in opened([NARROW, CATCH])
    assert "ask nobody" in opened([NARROW, CATCH])
    assert opened([DEFAULT, login]) == ""


@pytest.mark.parametrize(
    ("rules", "units", "why"),
    [
        ([CATCH], 1, ""),
        ([CATCH], 0, "forwards to old, where no target is known to be healthy"),
        ([DEFAULT], 1, "the default action forwards to nothing (fixed-response 404)"),
        # What others answer themselves, of a part of the route, is theirs to say.
        ([Rule(arn="page", place=900, paths=["/.well-known/*"], instead="fixed-response 404"), CATCH], 1, ""),
    ],
)
def test_requests_go_back_to_rules_that_answer_them(rules: list[Rule], units: int, why: str) -> None:
    said = unanswered(rules, {"old": Group(cluster="old", units=units)})
    assert why in said
    assert bool(why) == bool(said)


def _mistakes(settings: Settings, *listeners: Listener) -> list[str]:
    return [one.code for one in elsewhere.mistakes(settings, {"shared": listeners})]


@pytest.mark.parametrize(
    ("listener", "codes"),
    [
        (_listener(CATCH), []),
        (replace(_listener(), port=8443), ["CUT330"]),
        (replace(_listener(), kept="an Ingress shop"), ["CUT331"]),
        (replace(_listener(), protocol="TCP"), ["CUT332"]),
        (replace(_listener(), protocol="HTTP"), ["CUT333"]),  # the gRPC route
        (_listener(replace(CATCH, place=200, stack=True, owner="the stack pay/prod")), ["CUT334"]),
        (_listener(*(replace(CATCH, place=400 + number) for number in range(95))), ["CUT335"]),
        (_listener(replace(CATCH, forwards={str(number): 1 for number in range(97)})), ["CUT336"]),
    ],
)
def test_a_listener_that_is_not_there_or_not_free_is_refused(listener: Listener, codes: list[str]) -> None:
    assert _mistakes(_settings(), listener) == codes


def test_a_login_on_a_listener_of_others_without_tls_is_refused() -> None:
    pool = "arn:aws:cognito-idp:ap-northeast-1:123456789012:userpool/ap-northeast-1_AbCdEf"
    login = {"cognito": {"userPoolArn": pool, "userPoolClientId": "shop", "userPoolDomain": "shop"}}
    settings = _settings(authenticate=login)
    assert _mistakes(settings, _listener()) == []
    assert _mistakes(settings, replace(_listener(), protocol="HTTP")) == ["CUT414", "CUT333"]


def test_clusters_and_a_listener_that_stand_in_two_vpcs_are_refused() -> None:
    here, there = str(EXISTING["vpcId"]), "vpc-99999999"
    settings = settings_of(
        "dev",
        {
            "network": EXISTING,
            "loadBalancers": {
                "shared": {"existing": {"name": "shared", "port": 443}, "rulePriorities": {"min": 100, "max": 300}}
            },
            "clusters.blue": {"existing": {"name": "prod-blue"}},
            "weights.blue": 0,
            "routes.web.targetType": "ip",
            "routes.grpc-api.targetType": "ip",
        },
    )

    def said(vpc: str, blue: str | None) -> list[tuple[str, str]]:
        known = Ground(
            elsewhere={"shared": [replace(_listener(), vpc=vpc)]}, standing={"blue": Standing(blue) if blue else None}
        )
        return [(one.code, one.key) for one in ground.mistakes(settings, known)]

    assert said(here, here) == []
    assert said(here, there) == [("CUT326", "clusters.blue.existing.loadBalancerCidrs")]
    assert said(there, there) == [("CUT321", "network.vpcId")]
    assert said(here, None) == [("CUT320", "clusters.blue.existing.name")]


def test_a_cluster_in_which_auto_mode_registers_nothing_is_refused_where_the_file_relies_on_it() -> None:
    mode = {"loadBalancerController": {"managedBy": "autoMode"}}
    clusters = {f"clusters.{key}": {"existing": {"name": key}, **mode} for key in ("blue", "green")}
    changes = {**clusters, "weights.blue": 0, "weights.green": 0}
    standing = {"blue": Standing("", automatic=True), "green": Standing("", automatic=False)}
    (one,) = ground.mistakes(settings_of("dev", changes), Ground(standing=standing))
    assert (one.code, one.key) == ("CUT322", "clusters.green.loadBalancerController.managedBy")


def test_no_listener_at_all_is_told_as_no_load_balancer() -> None:
    (one,) = elsewhere.mistakes(_settings(), {"shared": []})
    assert "this account has no load balancer shared" in one.text


def test_rules_in_each_others_way_are_told_whether_a_route_is_live_or_not() -> None:
    first = Rule(arn="first", place=7, paths=["/*"], forwards={"old": 1}, owner="Terraform")
    some = Rule(arn="some", place=8, paths=["/robots.txt"], instead="fixed-response 404")
    told = [*elsewhere.shadows(_settings(), {"shared": [_listener(first, some, NARROW, CATCH)]})]
    assert "routes.web is shadowed by rule 7 (/*, of Terraform)" in told[0]
    assert "takes all of its requests" in told[0]
    assert "takes some of its requests" in told[1]
    assert told[2].startswith("routes.web takes all that rule 900 (app.example.com, /api/*) answers")
    quiet = [*elsewhere.shadows(_settings(live=False), {"shared": [_listener(NARROW, CATCH)]})]
    assert quiet[0].startswith("routes.web would take, once it is live, all that rule 900")
    assert [*elsewhere.shadows(_settings(), {"shared": [_listener(CATCH)]})] == []
    header = Rule(arn="header", place=800, besides=["http-header"], forwards={"canary": 1})
    part = [*elsewhere.shadows(_settings(), {"shared": [_listener(header, CATCH)]})]
    assert part[0].startswith("routes.web takes some of what rule 800 (a http-header) answers")


@pytest.mark.parametrize(("live", "told"), [(True, 0), (False, 1)])
def test_what_a_route_before_it_takes_is_not_told_of_a_route(live: bool, told: int) -> None:
    api = {
        "priority": 1,
        "hosts": ["app.example.com"],
        "paths": ["/api/*"],
        "targetType": "instance",
        "service": {"namespace": "api", "name": "api", "port": 80},
        "healthCheck": {"path": "/healthz"},
        "live": live,
    }
    settings = settings_of(
        "dev",
        {
            "network": EXISTING,
            "loadBalancers": {
                "shared": {"existing": {"name": "shared", "port": 443}, "rulePriorities": {"min": 100, "max": 400}}
            },
            "routes.api": api,
            "routes.web.priority": 3,
        },
    )
    said = [*elsewhere.shadows(settings, {"shared": [_listener(NARROW, CATCH)]})]
    assert sum(one.startswith("routes.web takes all that rule 900") for one in said) == told


def test_a_listener_is_read_as_elb_describes_it() -> None:
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "old", "Weight": 3}]}}
    rules = [
        {
            "RuleArn": "d",
            "IsDefault": True,
            "Priority": "default",
            "Actions": [{"Type": "redirect", "RedirectConfig": {}}],
        },
        {
            "RuleArn": "r",
            "IsDefault": False,
            "Priority": "12",
            "Conditions": [
                {"Field": "host-header", "HostHeaderConfig": {"Values": ["a.example.com"]}},
                {"Field": "path-pattern", "Values": ["/x"]},
                {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/y"]}},
                {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}},
            ],
            "Actions": [{"Type": "authenticate-cognito"}, forward],
        },
        {
            "RuleArn": "own",
            "IsDefault": False,
            "Priority": "11",
            "Conditions": [],
            "Actions": [{"Type": "forward", "TargetGroupArn": "g"}],
        },
    ]
    owner = settings_of("dev").owner
    tags = {
        BALANCER: {"ingress.k8s.aws/stack": "shop", "elbv2.k8s.aws/cluster": "blue"},
        "r": {"aws:cloudformation:stack-name": "web"},
        "own": {**owner.tags, "eks-cutover:route": "web", "eks-cutover:cluster": "v1-35"},
    }
    there = {"ListenerArn": "l", "LoadBalancerArn": BALANCER, "Port": 443, "Protocol": "HTTPS"}
    read = described(there, rules, tags, owner)
    own, rule, default = read.rules
    assert (own.own, own.route, own.cluster, own.forwards) == (True, "web", "v1-35", {"g": 1})
    assert (rule.place, rule.hosts, rule.paths) == (12, ("a.example.com",), ("/x",))
    assert rule.besides == ("path-pattern by regular expression", "source-ip")
    assert (rule.before, rule.forwards, rule.owner) == ("authenticate-cognito", {"old": 3}, "CloudFormation stack web")
    assert (default.place, default.instead) == (None, "redirect")
    assert read.kept == "an Ingress shop of the cluster blue"
