"""What goes along when a stack gives something away: all that rests on it, and nothing else."""

from __future__ import annotations

from typing import Any

from cutover.rules.disown import given, keys, without
from tests.settings.editing import settings_of

ROUTE, BALANCER = "eks-cutover:route:Route", "eks-cutover:load_balancer:SharedLoadBalancer"


def _urn(kind: str, name: str) -> str:
    return f"urn:pulumi:prod::eks-cutover::{kind}::{name}"


def _resource(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"urn": _urn(kind, name), "type": kind, **fields}


CLUSTER, WAY = "eks-cutover:cluster:Cluster", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
STATE = [
    _resource("pulumi:pulumi:Stack", "prod"),
    _resource("pulumi:providers:aws", "aws"),
    _resource(BALANCER, "private"),
    _resource("lb", "private", parent=_urn(BALANCER, "private"), provider=f"{_urn('pulumi:providers:aws', 'aws')}::id"),
    _resource(BALANCER, "public"),
    _resource(CLUSTER, "v1-36"),
    _resource(WAY, "v1-36-from-private-8080-8080", propertyDependencies={"group": [_urn("lb", "private")], "no": None}),
    _resource(WAY, "v1-36-from-public-8080-8080"),
    _resource(ROUTE, "orders"),
    _resource("rule", "orders-weighted", parent=_urn(ROUTE, "orders"), dependencies=[_urn("lb", "private")]),
    _resource("binding", "orders-v1-36", dependencies=[_urn("rule", "orders-weighted")]),
    _resource("object", "orders", deletedWith=_urn("binding", "orders-v1-36")),
    _resource("kubernetes:core/v1:Namespace", "v1-36-orders"),
    _resource("kubernetes:core/v1:Namespace", "v1-36-web"),
    _resource(ROUTE, "web"),
    _resource("rule", "web-weighted", parent=_urn(ROUTE, "web")),
]


def _given(*gone: str) -> list[str]:
    """Return the names of what goes with keys of the stack file."""
    before = settings_of("prod")
    routes = {name: route for name, route in before.routes.items() if f"routes.{name}" not in gone}
    balancers = {name: one for name, one in before.load_balancers.items() if f"loadBalancers.{name}" not in gone}
    after = before.model_copy(update={"matched": routes, "load_balancers": balancers})
    urns = given(STATE, before, after)
    left = without({"resources": STATE, "more": 1}, urns)
    assert left["more"] == 1
    assert [one["urn"] for one in left["resources"]] == [one["urn"] for one in STATE if one["urn"] not in urns]
    return [urn.rpartition("::")[2] for urn in urns]


OF_ORDERS = ["v1-36-from-private-8080-8080", "orders", "orders-weighted", "orders-v1-36", "orders", "v1-36-orders"]


def test_the_way_from_a_listener_of_others_goes_along_although_nothing_of_it_is_in_the_state() -> None:
    state = [_resource(WAY, "v1-36-from-private-8080-8080"), _resource(WAY, "v1-36-from-public-8080-8080")]
    before = settings_of("prod")
    balancers = {name: one for name, one in before.load_balancers.items() if name != "private"}
    routes = {name: one for name, one in before.routes.items() if name != "orders"}
    after = before.model_copy(update={"matched": routes, "load_balancers": balancers})
    assert given(state, before, after) == [state[0]["urn"]]


def test_a_route_goes_with_all_that_rests_on_it_and_what_was_made_for_it_alone() -> None:
    assert _given("routes.orders") == OF_ORDERS
    assert _given("routes.web") == ["v1-36-from-public-8080-8080", "v1-36-web", "web", "web-weighted"]


def test_what_a_load_balancer_answers_itself_is_given_away_as_a_route_is() -> None:
    page = {"priority": 9, "loadBalancer": "private", "paths": ["/page"], "fixedResponse": {"code": "503"}}
    before = settings_of("prod", {"routes.page": page})
    assert keys(before, "page") == ["routes.page"]
    assert keys(before, "private") == ["loadBalancers.private", "routes.orders", "routes.page"]
    rule = _resource("rule", "page-answer", parent=_urn("eks-cutover:answer:Answer", "page"))
    state = [*STATE, _resource("eks-cutover:answer:Answer", "page"), rule]
    assert [urn.rpartition("::")[2] for urn in given(state, before, settings_of("prod"))] == ["page", "page-answer"]


def test_a_load_balancer_goes_with_its_routes_and_the_ways_from_it() -> None:
    assert _given("loadBalancers.private", "routes.orders") == ["private", "private", *OF_ORDERS]
    assert _given() == []


def test_the_keys_of_a_load_balancer_are_those_of_its_routes_too_and_a_cluster_has_none() -> None:
    settings = settings_of("prod")
    assert keys(settings, "web") == ["routes.web"]
    assert keys(settings, "private") == ["loadBalancers.private", "routes.orders"]
    assert keys(settings, "v1-35") is None
