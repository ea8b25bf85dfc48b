"""What of a stack file a rehearsal plays otherwise, so that anybody's file can be played."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from cutover.rules.run import Run, Step
from rehearsal.play import elsewhere, stackfile
from rehearsal.play.acts import acts, acts_beside_others
from rehearsal.play.beforehand import make_zones, played, prepare
from settings import dialect
from settings.imports import LISTENER_RULE
from tests.conftest import ROOT
from tests.rehearsal.emulated import REGION, running

if TYPE_CHECKING:
    from pathlib import Path

    from rehearsal.engine.sandbox import Sandbox
    from rehearsal.play.brownfield import Brownfield
    from rehearsal.play.stackfile import Config

PROGRAM = ROOT


@pytest.fixture
def config() -> Config:
    """Return what the dev stack file says."""
    return stackfile.read(PROGRAM, "dev")


def _clusters(config: Config, *keys: str) -> None:
    one = config["eks-cutover:clusters"]["v1-35"]
    config["eks-cutover:clusters"] = {key: dict(one) for key in keys}
    config["eks-cutover:weights"] = dict.fromkeys(keys, 1)


def test_public_and_private_zones_are_made_as_the_file_names_them(config: Config, tmp_path: Path) -> None:
    balancers = config["eks-cutover:loadBalancers"]
    balancers["private"] = {**balancers["public"], "zone": {"name": "example.com", "private": True}}
    with running(tmp_path) as cloud:
        account = cast("Sandbox", SimpleNamespace(aws=cloud.client))
        for _ in range(2):
            make_zones(account, config)
        zones = cloud.client("route53").list_hosted_zones()["HostedZones"]
    assert sorted((zone["Name"], zone["Config"]["PrivateZone"]) for zone in zones) == [
        ("example.com.", False),
        ("example.com.", True),
    ]


def test_probes_that_nobody_inside_could_ask_are_left_out_and_said(config: Config) -> None:
    routes = config["eks-cutover:routes"]
    routes["web"]["probes"], routes["grpc-api"]["probes"] = [{"path": "/"}], [{}]
    found, said = played(config)
    assert ["probes" in route for route in found["eks-cutover:routes"].values()] == [True, False]
    assert any(text.startswith("routes.grpc-api.probes: left out") for text in said)
    config["eks-cutover:preview"] = {"sourceCidrs": ["203.0.113.0/24"]}
    assert not any("probes" in route for route in played(config)[0]["eks-cutover:routes"].values())


def test_targets_are_checked_at_the_one_port_that_a_pod_has(config: Config) -> None:
    config["eks-cutover:routes"]["web"]["healthCheck"]["port"] = 15021
    found, said = played(config)
    assert "port" not in found["eks-cutover:routes"]["web"]["healthCheck"]
    assert any(text.startswith("routes.web.healthCheck.port: left out") for text in said)


def test_acts_with_probes_have_a_gateway_that_answers_404_and_others_have_not(config: Config) -> None:
    titles = [act.title for act in acts(config, "dev")]
    config["eks-cutover:routes"]["web"]["probes"] = [{"path": "/"}]
    probed = acts(config, "dev")
    assert {act.title for act in probed} - set(titles) == {
        "v1-36 answers 404 for everything, and is healthy",
        "v1-36 answers",
    }
    assert [act.weights for act in probed if "404" in act.title] == [{"v1-35": 100, "v1-36": 0}]


def test_an_environment_of_pulumi_cloud_is_left_out_and_said(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(f"environment: [shop/dev]\n{(PROGRAM / file.name).read_text()}")
    with running(tmp_path) as cloud:
        _, said = prepare(cast("Sandbox", SimpleNamespace(aws=cloud.client, project=tmp_path)), "dev")
    assert "environment" not in dialect.load(file.read_bytes())
    assert any(one.startswith("environment: left out") for one in said)


def test_a_next_cluster_is_made_where_there_is_only_one_and_it_is_said(config: Config) -> None:
    _clusters(config, "v1-29")
    config["eks-cutover:clusters"]["v1-29"]["name"] = "shop"
    found, (said,) = played(config)
    assert found["eks-cutover:clusters"]["v1-30"]["version"] == "1.30"
    assert "name" not in found["eks-cutover:clusters"]["v1-30"]
    assert found["eks-cutover:weights"] == {"v1-29": 100, "v1-30": 0}
    assert said == "v1-30 is made for the rehearsal, a copy of v1-29, which is the only cluster in the file."


def test_of_several_clusters_it_goes_from_the_oldest_to_the_newest(config: Config) -> None:
    _clusters(config, "v1-35", "v1-36", "v1-34-b")
    found, (said,) = played(config)
    assert list(found["eks-cutover:clusters"]) == ["v1-36", "v1-34-b"]
    assert said == "v1-35: left out; it goes from v1-34-b to v1-36."


def test_what_only_its_account_and_backend_know_has_something_in_its_place(config: Config) -> None:
    config |= {
        "aws:profile": "shop",
        "aws:assumeRoles": [{"roleArn": "arn:aws:iam::111122223333:role/deploy"}],
        "eks-cutover:preview": {"secret": {"secure": "v1:sealed"}, "sourceCidrs": ["203.0.113.0/24"]},
    }
    found, said = played(config)
    assert not found.keys() & {"aws:profile", "aws:assumeRoles"}
    assert found["eks-cutover:preview"] == {"secret": "rehearsal-of-a-secret", "sourceCidrs": ["127.0.0.0/8"]}
    assert said[0].startswith("aws:profile, aws:assumeRoles: left out")


def test_routes_move_together_and_nothing_passes_by_order(config: Config) -> None:
    web: dict[str, Any] = config["eks-cutover:routes"]["web"]
    web |= {"capacity": 12, "weights": {"v1-35": 1, "v1-36": 0}}
    config["eks-cutover:gate"] = {"override": {"weights": {"v1-36": 1}, "reason": "a trial"}, "minHealthy": 3}
    found, (said,) = played(config)
    assert not found["eks-cutover:routes"]["web"].keys() & {"capacity", "weights"}
    assert found["eks-cutover:gate"] == {"minHealthy": 3}
    assert said.startswith("routes.web.capacity, routes.web.weights, gate.override: left out")


def test_the_stack_files_that_ship_are_played_as_they_stand_but_for_who_may_ask() -> None:
    assert [played(stackfile.read(PROGRAM, stack))[1] for stack in ("dev", "prod")] == [
        [],
        ["preview.sourceCidrs: the rehearsal's own clients."],
    ]


def _example(name: str) -> Config:
    return dialect.load((PROGRAM / "examples" / f"Pulumi.{name}.yaml").read_bytes())["config"]


def test_a_login_is_played_with_a_secret_whether_its_file_has_one_or_not() -> None:
    for given in ({}, {"clientSecret": {"secure": "v1:sealed"}}):
        config = _example("shop")
        config["eks-cutover:routes"]["admin"]["authenticate"]["oidc"] |= given
        found, _ = played(config)
        assert found["eks-cutover:routes"]["admin"]["authenticate"]["oidc"]["clientSecret"] == "rehearsal-of-a-secret"


def test_what_was_made_elsewhere_is_played_from_what_the_file_names(tmp_path: Path) -> None:
    config = _example("shared-listener")
    listener = (
        "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/edge/0123456789abcdef/0123456789abcdef"
    )
    config["eks-cutover:loadBalancers"]["shared"]["existing"] = {"listenerArn": listener}
    found, said = played(config)
    assert any("its listener on 443 stands for it" in one for one in said)
    assert list(elsewhere.clusters(found)) == ["blue", "green"]
    with running(tmp_path) as cloud:
        account = cast("Sandbox", SimpleNamespace(aws=cloud.client, region=REGION, store=cloud.store, folder=tmp_path))
        with elsewhere.standing(account, found) as (there,):
            elb = cloud.client("elbv2")
            (edge,) = elb.describe_load_balancers(Names=["edge"])["LoadBalancers"]
            (listens,) = elb.describe_listeners(LoadBalancerArn=edge["LoadBalancerArn"])["Listeners"]
            rules = elb.describe_rules(ListenerArn=there.listener)["Rules"]
            assert set(cloud.client("eks").list_clusters()["clusters"]) >= {"blue", "green"}
    places = [int(rule["Priority"]) for rule in rules if not rule["IsDefault"]]
    assert listens["Port"] == 443
    assert len(places) == 10
    assert min(places) > found["eks-cutover:loadBalancers"]["shared"]["rulePriorities"]["max"]


def test_a_start_from_one_cluster_of_others_gets_a_second_and_grpc_is_left_to_nobody() -> None:
    config = _example("gitops")
    config["eks-cutover:clusters"].pop("green")
    config["eks-cutover:routes"]["calls"] = {**config["eks-cutover:routes"]["web"], "protocolVersion": "GRPC"}
    found, said = played(config)
    assert list(found["eks-cutover:clusters"]) == ["blue", "blue-b"]
    assert list(found["eks-cutover:routes"]) == ["web"]
    assert "routes.calls: left out" in " ".join(said)


def test_a_start_from_what_exists_begins_and_ends_with_who_answers_today() -> None:
    found, _ = played(_example("next-cluster"))
    every = acts_beside_others(found, cast("Brownfield", None), "next")
    assert [act.weights for act in (every[0], every[-1])] == [{"before": 100}, {"before": 100}]
    first = dict(found)
    every[0].edit(first)
    assert not any(route["live"] for route in first["eks-cutover:routes"].values())
    made = Step("create", LISTENER_RULE, "web-blue-preview")
    assert every[0].faults(Run((made,), (), 0.0)) == []
    for step in (
        Step("create", LISTENER_RULE, "web-weighted"),
        Step("create", "aws:route53/record:Record", "app"),
        Step("update", "aws:lb/targetGroup:TargetGroup", "web-blue"),
    ):
        assert every[0].faults(Run((step,), (), 0.0)), step
