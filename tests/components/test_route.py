"""A route: its target groups, its preview rules, its weighted rule, and the order of rules on a listener."""

from __future__ import annotations

import json
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.route import Route, RouteArgs
from settings.authentication import Authentication
from settings.matching import Query
from settings.operation import Preview
from settings.priorities import EVERY_PLACE, MAX_ROUTE_PRIORITY
from settings.routes import Stickiness
from tests.conftest import PROJECT, record, settings_of

if TYPE_CHECKING:
    from settings.routes import Route as RouteSettings
    from tests.conftest import Recorder

WEIGHTS = {"v1-35": 100, "v1-36": 0}


def _recorded(
    route: RouteSettings | None = None,
    weights: dict[str, int] = WEIGHTS,
    preview: str = "{}",
    answers: dict[str, dict[str, Any]] | None = None,
    **changes: Any,
) -> Recorder:
    wanted = (route or settings_of("prod").routes["web"]).model_copy(update=changes)
    args = RouteArgs(
        route=wanted,
        weights=weights,
        serving={cluster for cluster, weight in weights.items() if weight and wanted.live},
        preview=Preview.model_validate_json(preview),
        previewed=set(weights),
        listener_arn="arn:listener",
        places=EVERY_PLACE,
        gives_back=False,
        names={},
        tags={"v1-35": {"more": "of it"}},
        vpc_id="vpc-1",
    )

    def declare() -> None:
        declared = Route("web", args)
        pulumi.export("weights", declared.weights)
        pulumi.export("rule", declared.rule_arn)

    return record(declare, answers=answers)


def _rule(recorder: Recorder, name: str) -> dict[str, Any]:
    return recorder.of("ListenerRule")[name].inputs


def _forward(recorder: Recorder, name: str) -> dict[str, Any]:
    return _rule(recorder, name)["actions"][0]["forward"]


def _window(first: int) -> list[str]:
    """Return every cluster that a stack may have beside one of version 1.``first``."""
    return [f"v1-{minor}{again}" for minor, again in product(range(first, first + 10), ("", "-b", "-c", "-d"))]


def test_what_narrows_a_route_stands_in_its_rules_and_who_previews_is_narrower_still() -> None:
    narrow: dict[str, Any] = {
        "headers": {"X-Beta": ("yes", "true")},
        "methods": ("GET",),
        "query": (Query.model_validate({"key": "v", "value": "2*"}), Query.model_validate({"value": "beta"})),
        "source_cidrs": ("10.0.0.0/8", "192.0.2.0/24"),
    }
    recorder = _recorded(preview='{"sourceCidrs": ["10.1.0.0/16", "203.0.113.0/24"]}', hosts=(), paths=(), **narrow)
    asked = [
        {"httpHeader": {"httpHeaderName": "X-Beta", "values": ["yes", "true"]}},
        {"httpRequestMethod": {"values": ["GET"]}},
        {"queryStrings": [{"key": "v", "value": "2*"}, {"value": "beta"}]},
    ]
    source = {"sourceIp": {"values": ["10.0.0.0/8", "192.0.2.0/24"]}}
    assert _rule(recorder, "web-weighted")["conditions"] == [*asked, source]
    assert _rule(recorder, "web-v1-36-preview")["conditions"] == [
        *asked,
        {"httpHeader": {"httpHeaderName": "X-Cutover-Cluster", "values": ["v1-36"]}},
        {"sourceIp": {"values": ["10.1.0.0/16"]}},
    ]


def test_targets_are_spoken_to_and_checked_as_the_route_says() -> None:
    check = settings_of("prod").routes["web"].health_check.model_copy(update={"port": 9090, "protocol": "HTTP"})
    group = _recorded(protocol="HTTPS", health_check=check).of("TargetGroup")["web-v1-36"].inputs
    assert (group["protocol"], group["healthCheck"]["protocol"], group["healthCheck"]["port"]) == (
        "HTTPS",
        "HTTP",
        "9090",
    )
    left_out = _recorded(protocol="HTTPS").of("TargetGroup")["web-v1-36"].inputs["healthCheck"]
    assert (left_out["protocol"], left_out["port"]) == ("HTTPS", "traffic-port")


@pytest.mark.parametrize("first", [30, 35, 41])
def test_no_two_rules_of_a_listener_share_a_priority_whatever_clusters_and_routes_there_are(first: int) -> None:
    routes = range(1, MAX_ROUTE_PRIORITY + 1)
    priorities = [EVERY_PLACE.preview(route, cluster) for route in routes for cluster in _window(first)]
    priorities += [EVERY_PLACE.weighted(route) for route in routes]
    assert len(set(priorities)) == len(priorities)
    assert min(priorities) >= 1
    assert max(priorities) <= 50000


def test_every_preview_rule_comes_before_every_weighted_rule_and_both_are_in_the_order_of_the_routes() -> None:
    routes = range(1, MAX_ROUTE_PRIORITY + 1)
    previews = [[EVERY_PLACE.preview(route, cluster) for cluster in _window(35)] for route in routes]
    for earlier, later in pairwise(previews):
        assert max(earlier) < min(later)
    weighted = [EVERY_PLACE.weighted(route) for route in routes]
    assert weighted == sorted(weighted)
    assert max(previews[-1]) < weighted[0]


def test_another_cluster_renumbers_no_rule_and_changes_nothing_but_the_weighted_rule() -> None:
    before, after = _recorded(), _recorded(weights={"v1-34": 0, **WEIGHTS, "v1-36-b": 0})
    kept = {(one.type, one.name): one.inputs for one in after.recorded}
    changed = {one.name for one in before.recorded if kept[one.type, one.name] != one.inputs}
    assert changed == {"web-weighted"}
    assert _rule(after, "web-weighted")["priority"] == _rule(before, "web-weighted")["priority"]


def test_the_weighted_rule_splits_over_every_cluster_zeros_included_in_the_order_of_the_versions() -> None:
    forward = _forward(_recorded(weights={"v1-36-b": 1, "v1-36": 0, "v1-35": 99}), "web-weighted")
    assert forward["targetGroups"] == [
        {"arn": "arn:web-v1-35", "weight": 99},
        {"arn": "arn:web-v1-36", "weight": 0},
        {"arn": "arn:web-v1-36-b", "weight": 1},
    ]


def test_stickiness_is_said_even_when_it_is_off() -> None:
    assert _forward(_recorded(), "web-weighted")["stickiness"] == {"enabled": False, "duration": 1}


def test_stickiness_keeps_clients_on_the_weighted_rule_and_never_on_a_preview() -> None:
    recorder = _recorded(stickiness=Stickiness(duration=600))
    assert _forward(recorder, "web-weighted")["stickiness"] == {"enabled": True, "duration": 600}
    assert _forward(recorder, "web-v1-36-preview")["stickiness"] == {"enabled": False, "duration": 1}


def test_a_preview_rule_reaches_exactly_one_cluster_by_header_on_the_routes_own_hosts_and_paths() -> None:
    recorder = _recorded(hosts=("app.example.com",), paths=("/api/*",))
    assert _forward(recorder, "web-v1-36-preview")["targetGroups"] == [{"arn": "arn:web-v1-36", "weight": 1}]
    assert _rule(recorder, "web-v1-36-preview")["conditions"] == [
        {"hostHeader": {"values": ["app.example.com"]}},
        {"pathPattern": {"values": ["/api/*"]}},
        {"httpHeader": {"httpHeaderName": "X-Cutover-Cluster", "values": ["v1-36"]}},
    ]
    assert _rule(recorder, "web-weighted")["conditions"] == _rule(recorder, "web-v1-36-preview")["conditions"][:2]


def test_a_preview_can_be_kept_to_source_ranges() -> None:
    recorder = _recorded(preview='{"sourceCidrs": ["192.0.2.0/24"]}')
    assert {"sourceIp": {"values": ["192.0.2.0/24"]}} in _rule(recorder, "web-v1-35-preview")["conditions"]


def test_a_preview_secret_is_asked_for_and_shown_nowhere() -> None:
    recorder = _recorded(preview='{"secret": "not-for-strangers"}')
    header = _rule(recorder, "web-v1-36-preview")["conditions"][-1]["httpHeader"]
    assert header["values"] == ["v1-36.not-for-strangers"]
    assert "not-for-strangers" not in recorder.plain_text


LOGIN = {
    "issuer": "https://login.example.com",
    "authorizationEndpoint": "https://login.example.com/authorize",
    "tokenEndpoint": "https://login.example.com/token",
    "userInfoEndpoint": "https://login.example.com/userinfo",
    "clientId": "shop",
    "clientSecret": "not-for-strangers",
}
POOL = "arn:aws:cognito-idp:ap-northeast-1:123456789012:userpool/ap-northeast-1_AbCdEf"


def _with_login(**by: dict[str, Any]) -> Recorder:
    return _recorded(authenticate=Authentication.model_validate_json(json.dumps(by)))


@pytest.mark.parametrize("rule", ["web-weighted", "web-v1-35-preview", "web-v1-36-preview"])
def test_a_login_stands_before_the_one_forward_of_every_rule_and_so_of_a_preview(rule: str) -> None:
    recorder = _with_login(oidc={**LOGIN, "scope": "openid email", "sessionTimeout": 3600})
    login, forward = _rule(recorder, rule)["actions"]
    assert login == {
        "type": "authenticate-oidc",
        "order": 1,
        "authenticateOidc": {
            **LOGIN,
            "scope": "openid email",
            "sessionTimeout": 3600,
            # Said even where the file leaves it out: a key that is left out may stay as it was.
            "sessionCookieName": "AWSELBAuthSessionCookie",
            "onUnauthenticatedRequest": "authenticate",
        },
    }
    assert (forward["type"], forward["order"]) == ("forward", 2)
    groups = [group["arn"] for group in forward["forward"]["targetGroups"]]
    assert groups == (["arn:web-v1-35", "arn:web-v1-36"] if rule == "web-weighted" else [f"arn:{rule[:-8]}"])
    assert recorder.exports["weights"] == WEIGHTS


def test_a_login_may_be_by_a_user_pool() -> None:
    pool = {"userPoolArn": POOL, "userPoolClientId": "shop", "userPoolDomain": "shop"}
    recorder = _with_login(cognito={**pool, "onUnauthenticatedRequest": "deny", "sessionCookieName": "Shop"})
    login, _ = _rule(recorder, "web-weighted")["actions"]
    assert (login["type"], login["order"]) == ("authenticate-cognito", 1)
    assert login["authenticateCognito"] == {
        **pool,
        "onUnauthenticatedRequest": "deny",
        "sessionCookieName": "Shop",
        "scope": "openid",
        "sessionTimeout": 604800,
    }


def test_a_rule_without_a_login_is_as_it_was() -> None:
    (action,) = _rule(_recorded(), "web-weighted")["actions"]
    assert "order" not in action


def test_a_route_that_is_not_live_has_target_groups_and_preview_rules_and_no_weighted_rule() -> None:
    recorder = _recorded(live=False)
    assert recorder.of("TargetGroup").keys() == {"web-v1-35", "web-v1-36"}
    assert recorder.of("ListenerRule").keys() == {"web-v1-35-preview", "web-v1-36-preview"}
    assert recorder.exports == {"weights": {}, "rule": None}
    assert not [one.name for one in recorder.recorded if one.protect]


def test_what_serves_is_protected_and_what_does_not_is_free_to_go() -> None:
    protected = {(one.type.split(":")[-1], one.name) for one in _recorded().recorded if one.protect}
    assert protected == {
        ("TargetGroup", "web-v1-35"),
        ("ListenerRule", "web-v1-35-preview"),
        ("ListenerRule", "web-weighted"),
    }


def test_the_weights_that_are_handed_out_are_those_of_the_rule_and_not_of_the_settings() -> None:
    groups = [{"arn": "arn:web-v1-36", "weight": 10}, {"arn": "arn:web-v1-35", "weight": 90}]
    live = {"actions": [{"type": "forward", "forward": {"targetGroups": groups}}]}
    recorder = _recorded(weights={"v1-35": 0, "v1-36": 100}, answers={"web-weighted": live})
    assert recorder.exports == {"weights": {"v1-35": 90, "v1-36": 10}, "rule": "arn:web-weighted"}


def test_target_groups_take_pods_or_nodes_as_the_route_says() -> None:
    dev, prod = settings_of("dev"), settings_of("prod")
    pods = _recorded(prod.routes["orders"]).of("TargetGroup")["web-v1-35"].inputs
    nodes = _recorded(dev.routes["web"]).of("TargetGroup")["web-v1-35"].inputs
    assert (pods["targetType"], nodes["targetType"]) == ("ip", "instance")
    assert (pods["deregistrationDelay"], pods["protocol"], pods["vpcId"]) == (120, "HTTP", "vpc-1")


def test_target_groups_have_no_name_of_their_own_so_that_a_replacement_fits_beside_what_it_replaces() -> None:
    assert "name" not in _recorded().of("TargetGroup")["web-v1-35"].inputs


def test_a_grpc_route_is_healthy_on_grpc_status_0_and_an_http_route_on_200() -> None:
    grpc = _recorded(settings_of("dev").routes["grpc-api"]).of("TargetGroup")["web-v1-36"].inputs
    assert grpc["protocolVersion"] == "GRPC"
    assert grpc["healthCheck"]["matcher"] == "0"
    assert grpc["healthCheck"]["path"] == "/grpc.health.v1.Health/Check"
    http = _recorded().of("TargetGroup")["web-v1-36"].inputs
    assert (http["protocolVersion"], http["healthCheck"]["matcher"]) == ("HTTP1", "200")
    assert http["slowStart"] == 30


def test_rules_and_target_groups_tell_their_stack_route_and_cluster() -> None:
    recorder = _recorded()
    whole = {"eks-cutover:project": PROJECT, "eks-cutover:stack": "dev", "eks-cutover:route": "web"}
    assert recorder.of("TargetGroup")["web-v1-36"].inputs["tags"] == {**whole, "eks-cutover:cluster": "v1-36"}
    assert _rule(recorder, "web-v1-36-preview")["tags"] == {**whole, "eks-cutover:cluster": "v1-36"}
    assert _rule(recorder, "web-weighted")["tags"] == whole
