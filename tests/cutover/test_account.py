"""What one reading of AWS makes of a route that is not there yet."""

from __future__ import annotations

import pytest

from cutover.account import Account
from cutover.gate import Group, judge
from cutover.live import Found, TargetGroup, WeightedRule
from tests.conftest import settings_of

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


def test_of_two_groups_of_a_cluster_the_one_in_the_rule_is_meant() -> None:
    new = TargetGroup("arn:another", "web", "v1-35", checked=True)
    found = Found({"web": WEB}, {"arn:another": new, **GROUPS}, None)
    assert found.group_of("web", "v1-35") == "arn:web:v1-35"
