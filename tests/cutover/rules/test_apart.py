"""Clusters in another VPC or account than a load balancer: what AWS refuses is told before it is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cutover.rules.apart import Standing, mistakes, warnings
from cutover.rules.ground import Ground
from cutover.rules.listener import Listener
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings import Settings

VPC, OTHER, ACCOUNT = "vpc-11111111", "vpc-22222222", "111111111111"
CIDRS: dict[str, Any] = {"existing": {"name": "prod-blue", "loadBalancerCidrs": ["10.0.0.0/20"]}}
ROLE: dict[str, Any] = {"iamRoleArnToAssume": f"arn:aws:iam::{ACCOUNT}:role/targets", "assumeRoleExternalId": "prod"}
AUTO: dict[str, Any] = {"loadBalancerController": {"managedBy": "autoMode"}}


def _listener(vpc: str) -> Listener:
    return Listener(arn="l", load_balancer="shared", port=443, protocol="HTTPS", rules=[], vpc=vpc)


def _settings(target_type: str = "ip", **blue: Any) -> Settings:
    shared = {"existing": {"name": "shared", "port": 443}, "rulePriorities": {"min": 100, "max": 300}}
    config = {
        "loadBalancers": {"shared": shared},
        "clusters": {"blue": {"existing": {"name": "prod-blue"}, **blue}},
        "weights": {"blue": 100},
        "routes.web.targetType": target_type,
    }
    gone = ["network", "serviceDiscovery", "mesh", "routes.grpc-api"]
    return settings_of("dev", config, drop=gone)


def _ground(vpc: str, account: str = ACCOUNT) -> Ground:
    standing = {"blue": Standing(vpc, automatic=True, account=account)}
    return Ground(elsewhere={"shared": [_listener(VPC)]}, standing=standing, account=ACCOUNT)


@pytest.mark.parametrize(
    ("settings", "ground", "says"),
    [
        (_settings(), _ground(VPC), {}),
        (_settings("instance", **AUTO), _ground(VPC), {}),
        (_settings(), _ground(OTHER), {"CUT326": "clusters.blue.existing.loadBalancerCidrs"}),
        (_settings(**CIDRS), _ground(OTHER), {}),
        (_settings(securityGroupRules="none"), _ground(OTHER), {}),
        (_settings("instance", **CIDRS), _ground(OTHER), {"CUT325": "routes.web.targetType"}),
        (_settings(**AUTO), _ground(OTHER), {"CUT324": "clusters.blue.loadBalancerController.managedBy"}),
        (
            _settings(),
            _ground(VPC, "222222222222"),
            {"CUT323": "clusters.blue.loadBalancerController.iamRoleArnToAssume"},
        ),
        (_settings(loadBalancerController=ROLE), _ground(VPC, "222222222222"), {}),
        (_settings(loadBalancerController=ROLE, **CIDRS), _ground(OTHER, "222222222222"), {}),
    ],
)
def test_what_stands_apart_and_would_never_serve_is_told_by_the_key_that_mends_it(
    settings: Settings, ground: Ground, says: Mapping[str, str]
) -> None:
    assert {one.code: one.key for one in mistakes(settings, ground)} == says


def test_both_places_are_named_so_that_a_reader_sees_what_is_apart() -> None:
    (one,) = mistakes(_settings(), _ground(VPC, "222222222222"))
    assert f"prod-blue is in {VPC} of account 222222222222, and the load balancer of shared in {VPC} of {ACCOUNT}" in (
        one.text
    )


def test_where_elb_tells_no_zone_the_gate_cannot_see_two_and_that_is_said() -> None:
    assert warnings(_settings(), _ground(VPC)) == []
    (beyond,) = warnings(_settings(**CIDRS), _ground(OTHER))
    (abroad,) = warnings(_settings(loadBalancerController=ROLE), _ground(VPC, "222222222222"))
    assert beyond == abroad
    assert beyond.startswith("The targets of blue lie outside the load balancer's VPC or account")


def test_of_a_listener_or_cluster_that_could_not_be_read_nothing_is_said() -> None:
    unread = Ground(elsewhere={"shared": [_listener("")]}, standing={"blue": Standing(OTHER)})
    assert list(mistakes(_settings(), unread)) == []
    assert list(mistakes(_settings(), Ground(standing={"blue": None}, elsewhere={"shared": [_listener(VPC)]}))) == []
