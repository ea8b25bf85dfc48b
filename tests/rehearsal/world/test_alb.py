"""What an ALB decides."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from multidict import CIMultiDict, MultiDict

from rehearsal.cloud.targets import Target
from rehearsal.world import alb
from rehearsal.world.alb import FixedResponse, Forward, Health, HealthCheck, Redirect, Request

CHECK = HealthCheck("/healthz", "200", interval=15, timeout=5, healthy_threshold=3, unhealthy_threshold=2)
OLD, NEW = "arn:old", "arn:new"


def request(  # noqa: PLR0917 - what a condition can look at
    host: str = "app.example.com",
    path: str = "/",
    headers: tuple[tuple[str, str], ...] = (),
    query: tuple[tuple[str, str], ...] = (),
    method: str = "GET",
    source: str = "10.0.0.1",
) -> Request:
    return Request(host, path, CIMultiDict(headers), MultiDict(query), method, source)


def described(priority: str, *conditions: dict[str, Any], status: str = "200") -> dict[str, Any]:
    """Return a rule that answers with its own status, so that a test sees which rule it was."""
    action = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status, "ContentType": "text/plain"}}
    return {"RuleArn": f"arn:rule/{priority}", "Priority": priority, "Conditions": [*conditions], "Actions": [action]}


def holds(condition: dict[str, Any], asked: Request) -> bool:
    ordered = alb.rules([described("1", condition), described("default")])
    return alb.rule_for(asked, ordered).priority == 1


def hosts(*values: str) -> dict[str, Any]:
    return {"Field": "host-header", "HostHeaderConfig": {"Values": [*values]}}


def paths(*values: str) -> dict[str, Any]:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": [*values]}}


def header(name: str, *values: str) -> dict[str, Any]:
    return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": [*values]}}


def query(*values: dict[str, str]) -> dict[str, Any]:
    return {"Field": "query-string", "QueryStringConfig": {"Values": [*values]}}


def test_rules_are_asked_by_number_and_the_default_last() -> None:
    ordered = alb.rules([described("default"), described("40001"), described("9"), described("10")])
    assert [rule.arn for rule in ordered] == ["arn:rule/9", "arn:rule/10", "arn:rule/40001", "arn:rule/default"]


def test_the_first_rule_that_holds_takes_the_request() -> None:
    ordered = alb.rules(
        [
            described("1", hosts("other.example.com")),
            described("2", hosts("app.example.com"), paths("/api/*")),
            described("3", hosts("app.example.com")),
            described("default"),
        ]
    )
    assert alb.rule_for(request(path="/api/x"), ordered).priority == 2
    assert alb.rule_for(request(path="/x"), ordered).priority == 3
    assert alb.rule_for(request(host="third.example.com"), ordered).arn == "arn:rule/default"


@pytest.mark.parametrize(
    ("pattern", "host", "matched"),
    [
        ("app.example.com", "APP.Example.com", True),
        ("App.example.com", "app.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("app?.example.com", "app1.example.com", True),
        ("app?.example.com", "app.example.com", False),
        ("app.example.com", "appXexample.com", False),
        ("app.example.com", "app.example.com.evil.org", False),
    ],
)
def test_a_host_is_matched_whole_with_wildcards_and_in_any_case(pattern: str, host: str, *, matched: bool) -> None:
    assert holds(hosts(pattern), request(host=host)) is matched


@pytest.mark.parametrize(
    ("pattern", "path", "matched"),
    [
        ("/*", "/", True),
        ("/*", "/a/b", True),
        ("/img/*", "/img", False),
        ("/Img/*", "/img/a", False),
        ("/a?c", "/abc", True),
        ("/a[b]c", "/abc", False),
        ("/a.c", "/abc", False),
        ("/orders.v1.Orders/*", "/orders.v1.Orders/Get", True),
    ],
)
def test_a_path_is_matched_whole_with_wildcards_and_its_case(pattern: str, path: str, *, matched: bool) -> None:
    assert holds(paths(pattern), request(path=path)) is matched


def test_one_of_the_values_of_a_condition_is_enough() -> None:
    assert holds(paths("/a", "/b"), request(path="/b"))
    assert not holds(paths("/a", "/b"), request(path="/c"))


def test_a_header_is_found_in_any_case_and_its_value_too() -> None:
    wanted = header("X-Cutover-Cluster", "v1-36", "v1-3?-b")
    assert holds(wanted, request(headers=(("x-cutover-cluster", "V1-36"),)))
    assert holds(wanted, request(headers=(("X-Cutover-Cluster", "no"), ("X-Cutover-Cluster", "v1-37-b"))))
    assert not holds(wanted, request(headers=(("X-Cutover-Cluster", "v1-36.secret"),)))
    assert not holds(wanted, request())


def test_a_source_is_in_one_of_the_ranges() -> None:
    wanted = {"Field": "source-ip", "SourceIpConfig": {"Values": ["203.0.113.0/24", "2001:db8::/32"]}}
    assert holds(wanted, request(source="203.0.113.9"))
    assert holds(wanted, request(source="2001:db8::1"))
    assert not holds(wanted, request(source="203.0.114.9"))


def test_a_query_matches_a_pair_or_a_value_of_any_key() -> None:
    pair, value = query({"Key": "version", "Value": "v*"}), query({"Value": "blue"})
    assert holds(pair, request(query=(("a", "b"), ("Version", "V2"))))
    assert not holds(pair, request(query=(("other", "v2"),)))
    assert holds(value, request(query=(("colour", "blue"),)))
    assert not holds(value, request(query=(("blue", "colour"),)))


def test_a_backslash_takes_a_wildcard_for_itself() -> None:
    assert holds(query({"Value": r"a\*c"}), request(query=(("q", "a*c"),)))
    assert not holds(query({"Value": r"a\*c"}), request(query=(("q", "abc"),)))


def test_a_method_is_matched_as_it_is() -> None:
    wanted = {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET", "HEAD"]}}
    assert holds(wanted, request(method="HEAD"))
    assert not holds(wanted, request(method="POST"))


def test_the_older_form_of_a_condition_is_read_too() -> None:
    assert holds({"Field": "host-header", "Values": ["app.example.com"]}, request())


def test_what_is_not_emulated_is_an_error() -> None:
    with pytest.raises(ValueError, match="no condition on weather"):
        alb.rules([described("1", {"Field": "weather"})])
    with pytest.raises(ValueError, match="no action jwt-validation"):
        alb.rules([{**described("1"), "Actions": [{"Type": "jwt-validation"}]}])


def action(**described_action: Any) -> Any:
    return alb.rules([{**described("default"), "Actions": [described_action]}])[0].action


def test_a_forward_has_groups_weights_and_stickiness() -> None:
    groups = [{"TargetGroupArn": OLD, "Weight": 99}, {"TargetGroupArn": NEW, "Weight": 0}]
    off, on = {"Enabled": False, "DurationSeconds": 1}, {"Enabled": True, "DurationSeconds": 60}
    forward = {"TargetGroups": groups, "TargetGroupStickinessConfig": off}
    assert action(Type="forward", ForwardConfig=forward) == Forward(((OLD, 99), (NEW, 0)), None)
    sticky = {"TargetGroups": groups, "TargetGroupStickinessConfig": on}
    assert action(Type="forward", ForwardConfig=sticky) == Forward(((OLD, 99), (NEW, 0)), 60)
    assert action(Type="forward", TargetGroupArn=OLD) == Forward(((OLD, 1),))


def test_a_fixed_response_is_read_as_it_is() -> None:
    config = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "No route"}
    assert action(Type="fixed-response", FixedResponseConfig=config) == FixedResponse(404, "text/plain", "No route")


def test_a_redirect_keeps_what_it_does_not_change() -> None:
    redirect = action(Type="redirect", RedirectConfig={"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"})
    assert isinstance(redirect, Redirect)
    assert redirect.status == 301
    asked = request(path="/a/b", query=(("x", "1"), ("y", "2")))
    assert redirect.location("HTTP", 80, asked) == "https://app.example.com:443/a/b?x=1&y=2"
    assert redirect.location("HTTP", 80, request()) == "https://app.example.com:443/"


def test_requests_are_split_by_weight() -> None:
    forward = Forward(((OLD, 99), (NEW, 1)))
    chances = [step / 1000 for step in range(1000)]
    assert Counter(alb.group_for(forward, chance) for chance in chances) == {OLD: 990, NEW: 10}


def test_a_weight_is_a_share_of_the_sum_and_not_of_a_hundred() -> None:
    forward = Forward(((OLD, 1), (NEW, 3)))
    chances = [step / 1000 for step in range(1000)]
    assert Counter(alb.group_for(forward, chance) for chance in chances) == {OLD: 250, NEW: 750}


@pytest.mark.parametrize("chance", [0.0, 0.5, 1 - 2**-53])
def test_a_group_of_weight_0_gets_nothing(chance: float) -> None:
    assert alb.group_for(Forward(((OLD, 0), (NEW, 3))), chance) == NEW
    assert alb.group_for(Forward(((NEW, 3), (OLD, 0))), chance) == NEW


def test_nothing_gets_a_request_when_all_weights_are_0() -> None:
    assert alb.group_for(Forward(((OLD, 0), (NEW, 0))), 0.0) is None


def test_a_cookie_beats_the_weights_until_it_expires() -> None:
    forward = Forward(((OLD, 0), (NEW, 100)), sticky=60)
    cookie = alb.sticky_cookie(OLD, until=1000.0)
    assert alb.group_for(forward, 0.5, cookie, now=999.0) == OLD
    assert alb.group_for(forward, 0.5, cookie, now=1000.0) == NEW


def test_a_cookie_means_nothing_where_the_rule_is_not_sticky_or_lost_the_group() -> None:
    cookie = alb.sticky_cookie(OLD, until=1000.0)
    assert alb.group_for(Forward(((OLD, 0), (NEW, 100))), 0.5, cookie, now=0.0) == NEW
    assert alb.group_for(Forward(((NEW, 100),), sticky=60), 0.5, cookie, now=0.0) == NEW


@pytest.mark.parametrize("cookie", ["", "x", "bm90IGpzb24=", "NQ==", "WyJhcm46b2xkIiwgW11d", "\N{SNOWMAN}"])
def test_a_cookie_of_somebody_else_is_no_error(cookie: str) -> None:
    assert alb.group_for(Forward(((OLD, 0), (NEW, 100)), sticky=60), 0.5, cookie, now=0.0) == NEW


def targets(*states: str) -> list[Target]:
    return [Target(OLD, f"127.0.0.{number}", 80, state=state) for number, state in enumerate(states)]


def serving(*states: str) -> list[str]:
    return [target.state for target in alb.serving(targets(*states))]


def test_only_healthy_targets_get_requests() -> None:
    assert serving("healthy", "unhealthy", "initial", "draining", "healthy") == ["healthy", "healthy"]


def test_all_registered_targets_get_requests_where_none_is_healthy() -> None:
    assert serving("unhealthy", "initial", "draining") == ["unhealthy", "initial"]


def test_a_group_with_nothing_but_draining_targets_is_empty() -> None:
    assert serving("draining") == []
    assert serving() == []


def after(health: Health, *checks: bool) -> Health:
    for passed in checks:
        health = health.after(CHECK, passed=passed)
    return health


def test_a_new_target_is_healthy_after_its_first_pass() -> None:
    assert after(Health(), True).state == "healthy"
    assert after(Health(), False, True).state == "healthy"


def test_a_target_turns_unhealthy_after_the_threshold_of_failures_in_a_row() -> None:
    healthy = after(Health(), True)
    assert after(healthy, False).state == "healthy"
    assert after(healthy, False, True, False).state == "healthy"
    assert after(healthy, False, False).state == "unhealthy"
    assert after(Health(), False).state == "initial"
    assert after(Health(), False, False).state == "unhealthy"


def test_a_target_comes_back_after_the_threshold_of_passes_in_a_row() -> None:
    unhealthy = after(Health(), False, False)
    assert after(unhealthy, True, True).state == "unhealthy"
    assert after(unhealthy, True, True, False, True, True).state == "unhealthy"
    assert after(unhealthy, True, True, True).state == "healthy"


@pytest.mark.parametrize(
    ("matcher", "code", "accepted"),
    [("200", 200, True), ("200", 201, False), ("200,302", 302, True), ("200-299", 250, True), ("0-99", 0, True)],
)
def test_a_matcher_is_codes_and_ranges(matcher: str, code: int, *, accepted: bool) -> None:
    assert alb.matches(matcher, code) is accepted


GROUP = {
    "TargetGroupArn": NEW,
    "HealthCheckPort": "traffic-port",
    "HealthCheckEnabled": True,
    "HealthCheckPath": "/healthz",
    "HealthCheckIntervalSeconds": 15,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 3,
    "UnhealthyThresholdCount": 2,
    "ProtocolVersion": "HTTP1",
    "Matcher": {"HttpCode": "200"},
}


def test_a_target_group_is_read_with_its_health_check() -> None:
    assert alb.target_group(GROUP) == alb.TargetGroup(NEW, grpc=False, check=CHECK)
    elsewhere = alb.target_group({**GROUP, "HealthCheckPort": "8081"})
    assert elsewhere.check.port == 8081


def test_a_grpc_group_is_checked_by_grpc_codes() -> None:
    group = alb.target_group({**GROUP, "ProtocolVersion": "GRPC", "Matcher": {"GrpcCode": "0"}})
    assert group.grpc
    assert group.check.matcher == "0"


@pytest.mark.parametrize(("status", "code"), [(503, 14), (502, 14), (504, 14), (404, 12), (464, 2), (200, 2)])
def test_a_grpc_client_reads_a_code_from_an_http_status(status: int, code: int) -> None:
    assert alb.grpc_code(status) == code


def with_login(**config: Any) -> alb.Rule:
    """Return a rule whose users log in, as AWS describes it."""
    oidc = {"AuthorizationEndpoint": "https://login.example.com/a", "ClientId": "shop", **_LEFT_OUT, **config}
    login = {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": oidc}
    rule = described("1")
    (found,) = alb.rules([{**rule, "Actions": [login, *rule["Actions"]]}])
    return found


_LEFT_OUT = {
    "Scope": "openid email",
    "SessionCookieName": "AWSELBAuthSessionCookie",
    "OnUnauthenticatedRequest": "authenticate",
}


def test_who_has_not_logged_in_is_led_to_the_login_and_back() -> None:
    rule = with_login()
    assert rule.login
    assert rule.login.place("app.example.com", "s") == (
        "https://login.example.com/a?client_id=shop&redirect_uri=https%3A%2F%2Fapp.example.com%2Foauth2%2Fidpresponse"
        "&response_type=code&scope=openid+email&state=s"
    )


def test_a_session_is_told_by_the_cookie_of_the_rule() -> None:
    rule = with_login(SessionCookieName="Shop")
    assert rule.login
    assert alb.user_of(rule.login, {"Shop-0": "rehearsal-session-ann"}) == "ann"
    assert alb.user_of(rule.login, {"AWSELBAuthSessionCookie-0": "rehearsal-session-ann"}) is None
    assert alb.user_of(rule.login, {"Shop-0": "of somebody else"}) is None


@pytest.mark.parametrize(
    ("domain", "host"), [("shop", "shop.auth.eu-central-1.amazoncognito.com"), ("in.example.com", "in.example.com")]
)
def test_users_of_a_pool_log_in_at_its_domain(domain: str, host: str) -> None:
    pool = {"UserPoolArn": "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_A", **_LEFT_OUT}
    config = {**pool, "UserPoolClientId": "shop", "UserPoolDomain": domain}
    rule = described("1")
    login = {"Type": "authenticate-cognito", "AuthenticateCognitoConfig": config}
    (found,) = alb.rules([{**rule, "Actions": [login, *rule["Actions"]]}])
    assert found.login
    assert found.login.place("app.example.com", "s").startswith(f"https://{host}/oauth2/authorize?client_id=shop&")
