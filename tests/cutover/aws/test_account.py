"""What one reading of AWS asks for, and what it makes of a route that is not there yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest

from cutover.aws.account import read
from cutover.aws.live import Live
from cutover.rules.account import Account
from cutover.rules.found import Found, TargetGroup, WeightedRule
from cutover.rules.gate import judge
from cutover.rules.move import Group
from rehearsal.world.metrics import NAMESPACE, past
from tests.cutover.tagged import OWNER, reach, tagged
from tests.rehearsal.emulated import REGION, running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from settings import Settings

CLUSTERS = ("v1-35", "v1-36")
GROUPS = {
    f"arn:{route}:{cluster}": TargetGroup(f"arn:{route}:{cluster}", route, cluster, checked=True)
    for route in ("web", "grpc-api")
    for cluster in CLUSTERS
}
WEB = WeightedRule("arn:rule", "arn:balancer", {"arn:web:v1-35": 100, "arn:web:v1-36": 0})


def _account(old: Group) -> Account:
    """Return an account in which `web` serves from the old cluster, and `grpc-api` has no rule yet."""
    health = {"arn:web:v1-35": old, "arn:grpc-api:v1-35": Group(cluster="v1-35")}
    return Account(settings_of("dev"), Found({"web": WEB}, GROUPS, None), health, {})


@pytest.mark.parametrize(
    ("old", "first"),
    [
        (Group(cluster="v1-35"), True),
        (Group(cluster="v1-35", units=1), False),
        (Group(cluster="v1-35", unreadable="Throttling"), False),
    ],
)
def test_a_new_rule_needs_no_health_only_where_nothing_can_be_serving(old: Group, *, first: bool) -> None:
    account = _account(old)
    move = account.move("grpc-api", {"v1-35": 100, "v1-36": 0})
    assert (judge([move], account.policy) == []) is first


def test_beside_a_maintenance_page_no_rule_is_a_first_one() -> None:
    account = _account(Group(cluster="v1-35"))
    page = replace(WEB, weights={}, instead="fixed-response 503")
    account = replace(account, found=replace(account.found, rules={"web": page}))
    (refusal,) = judge([account.move("grpc-api", {"v1-35": 100, "v1-36": 0})], account.policy)
    assert "v1-35 has 0 healthy targets" in str(refusal)


def test_beside_a_route_that_the_file_has_no_more_no_rule_is_a_first_one(  # it was renamed, say, and still serves
) -> None:
    account = _account(Group(cluster="v1-35", units=1))
    account = replace(account, found=replace(account.found, rules={"shop": WEB}))
    (refusal,) = judge([account.move("grpc-api", {"v1-35": 100, "v1-36": 0})], account.policy)
    assert "v1-35 has 0 healthy targets" in str(refusal)


def test_of_two_groups_of_a_cluster_the_one_in_the_rule_is_meant() -> None:
    new = TargetGroup("arn:another", "web", "v1-35", checked=True)
    found = Found({"web": WEB}, {"arn:another": new, **GROUPS}, None)
    assert found.group_of("web", "v1-35") == "arn:web:v1-35"


@pytest.mark.parametrize(
    ("routes", "moving", "calls"),
    [
        (1, 1, {"DescribeTargetHealth": 2, "GetMetricData": 1}),
        (20, 20, {"DescribeTargetHealth": 40, "GetMetricData": 5}),
        (20, 1, {"DescribeTargetHealth": 2, "GetMetricData": 1}),
        (20, 0, {}),
    ],
)
def test_health_and_history_are_asked_only_of_routes_that_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, routes: int, moving: int, calls: dict[str, int]
) -> None:
    names = [f"r{number}" for number in range(routes)]
    with running(tmp_path) as cloud, tagged(cloud, names, {"v1-35": 100, "v1-36": 0}) as stack:
        reach(cloud, monkeypatch)
        for name in names[moving:]:
            stack.set_weights(name, {"v1-35": 90, "v1-36": 10})
        asked, session = Counter[str](), boto3.Session(region_name=REGION)
        session.events.register("before-call", lambda model, **_: asked.update([model.name]))
        account = read(Live(session, OWNER), _settings(names))
        assert set(account.found.rules) == set(names)
        found = {name: asked[name] for name in ("DescribeTargetHealth", "GetMetricData") if asked[name]}
        assert found == calls
        assert asked.total() - sum(calls.values()) <= 10


def test_a_declared_capacity_does_not_hide_that_a_cluster_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of("dev", {"weights": {"v1-35": 0, "v1-36": 100}, "routes.web.capacity": 2})
    with running(tmp_path) as cloud, tagged(cloud, ["web"], {"v1-35": 90, "v1-36": 10}) as stack:
        reach(cloud, monkeypatch)
        for cluster in CLUSTERS:
            stack.heal(cluster, 2)
        (balancer,) = cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
        now = datetime.now(UTC)
        for cluster, failures in (("v1-35", 0), ("v1-36", 3000)):
            points = past(balancer["LoadBalancerArn"], stack.groups["web", cluster], 2, [10.0], now)
            failed = {**points[0], "MetricName": "HTTPCode_Target_5XX_Count", "Value": failures}
            cloud.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[*points, failed])
        account = read(Live(boto3.Session(region_name=REGION), OWNER), settings)
    move = account.move("web", settings.weights_of("web"))
    (refusal,) = judge([move], account.policy)
    assert "it failed more than one request in twenty" in refusal.reason


def _settings(names: Sequence[str]) -> Settings:
    """Return the dev stack with these routes, at 90 and 10."""
    settings = settings_of("dev", {"weights": {"v1-35": 90, "v1-36": 10}})
    web = settings.routes["web"]
    return settings.model_copy(update={"matched": dict.fromkeys(names, web)})
