"""What `cutover adopt` shows of an account that somebody else furnished, and the stack file that it writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from cutover.commands.app import app
from cutover.commands.terminal import Code, results
from cutover.rules.adoption import Behind, candidates, free
from cutover.rules.listener import Listener, Rule
from settings import parse
from settings.priorities import Places
from tests.conftest import PROJECT
from tests.cutover.documents import as_documented
from tests.cutover.tagged import reach
from tests.rehearsal.emulated import REGION, running

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from typer.testing import Result

    from tests.rehearsal.emulated import Cloud

_LISTENER = ("--listener", "web:80")
_BEHIND = Behind(
    name="old-web", target_type="ip", protocol_version="HTTP1", health_path="/", matcher="200", deregistration_delay=30
)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cloud]:
    """Return an account with a load balancer, on which somebody else has rules, and two clusters."""
    monkeypatch.setattr(results, "width", 200)
    with running(tmp_path) as made:
        reach(made, monkeypatch)
        elb, eks = made.client("elbv2"), made.client("eks")
        old = {"Name": "Old-Web-of-Team", "TargetType": "ip", "HealthCheckPath": "/up", "VpcId": made.vpc}
        group = elb.create_target_group(Protocol="HTTP", Port=80, **old)["TargetGroups"][0]
        forward = _forward(group["TargetGroupArn"])
        _rule(made, 300, {"Field": "host-header", "Values": ["app.example.com"]}, forward)
        _rule(made, 310, {"Field": "path-pattern", "Values": ["/api/*"]}, _forward(made.group("ip")))
        header = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Team", "Values": ["a"]}}
        _rule(made, 320, header, forward)
        _rule(made, 50, {"Field": "path-pattern", "Values": ["/robots.txt"]}, _fixed())
        elb.add_tags(ResourceArns=[made.balancer], Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "edge"}])
        subnets = [one["SubnetId"] for one in made.client("ec2").describe_subnets()["Subnets"]]
        for name in ("prod-blue", "prod-green"):
            role = f"arn:aws:iam::123456789012:role/{name}"
            eks.create_cluster(name=name, version="1.33", roleArn=role, resourcesVpcConfig={"subnetIds": subnets[:2]})
        yield made


def _forward(group: str) -> dict[str, Any]:
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": 1}]}}


def _fixed() -> dict[str, Any]:
    return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}


def _rule(cloud: Cloud, place: int, condition: dict[str, Any], action: dict[str, Any]) -> None:
    cloud.client("elbv2").create_rule(
        ListenerArn=cloud.listener, Priority=place, Conditions=[condition], Actions=[action]
    )


def _adopt(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["adopt", "--region", REGION, *arguments])


@pytest.mark.usefixtures("cloud")
def test_a_listener_is_shown_with_whose_it_is_what_can_be_taken_and_where_there_is_room() -> None:
    said = _adopt(*_LISTENER, "--clusters", "prod-blue,gone")
    assert said.exit_code == 0, said.stderr
    text = " ".join(said.stdout.split())
    for part in (
        "CloudFormation stack edge",
        "old-web-of",
        "stays: rule 50 (/robots.txt): it forwards to nothing (fixed-response 404)",
        "stays: rule 320 (a http-header): it asks for more than hosts and paths (http-header)",
        "places: 136 to 299 are free, before the rules that answer today",
        "prod-blue 1.33",
    ):
        assert part in text
    assert "No cluster found for name: gone" in text


@pytest.mark.usefixtures("cloud")
def test_the_file_that_is_written_is_one_that_the_settings_take_with_every_route_quiet(tmp_path: Path) -> None:
    said = _adopt(*_LISTENER, "--clusters", "prod-blue,prod-green", "--write", "prod", "-C", str(tmp_path))
    assert said.exit_code == 0, said.stderr
    text = (tmp_path / "Pulumi.prod.yaml").read_text()
    settings = parse(yaml.safe_load(text)["config"], PROJECT, "prod")
    assert not any(route.live for route in settings.routes.values())
    assert settings.weights == {"prod-blue": 100, "prod-green": 0}
    assert settings.routes["old-web-of"].health_check.path == "/up"
    assert settings.load_balancers["shared"].places == Places(136, 299)
    assert text.count("DECIDE") >= 5
    again = _adopt(*_LISTENER, "--clusters", "prod-blue,prod-green", "--write", "prod", "-C", str(tmp_path))
    assert again.exit_code == Code.USAGE
    assert (tmp_path / "Pulumi.prod.yaml").read_text() == text


def test_a_listener_that_a_controller_keeps_is_shown_and_not_written(cloud: Cloud, tmp_path: Path) -> None:
    tags = [{"Key": "ingress.k8s.aws/stack", "Value": "shop"}, {"Key": "elbv2.k8s.aws/cluster", "Value": "blue"}]
    cloud.client("elbv2").add_tags(ResourceArns=[cloud.balancer], Tags=tags)
    said = _adopt(*_LISTENER, "--clusters", "prod-blue", "--write", "prod", "-C", str(tmp_path))
    assert said.exit_code == Code.REFUSED
    assert "kept by a controller for an Ingress shop of the cluster blue" in " ".join(said.stderr.split())
    assert not (tmp_path / "Pulumi.prod.yaml").exists()


def test_what_may_not_be_read_is_named_with_the_statement_that_grants_it(cloud: Cloud) -> None:
    denied = {"code": "AccessDenied", "message": "not authorized", "status": 403, "remaining": 100}
    cloud.fault("DescribeTags", **denied)
    cloud.fault("DescribeTargetHealth", **denied)
    said = _adopt(*_LISTENER)
    assert said.exit_code == 0
    assert '"elasticloadbalancing:DescribeTags",' in said.stderr
    assert '"elasticloadbalancing:DescribeTargetHealth"' in said.stderr
    assert "old-web-of" in said.stdout


def test_an_account_is_listed_also_where_there_is_nothing_and_where_there_is_much(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    elb, ec2 = cloud.client("elbv2"), cloud.client("ec2")
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]][:2]
    for number in range(60):
        elb.create_load_balancer(Name=f"other-{number}", Subnets=subnets)
    many = _adopt()
    assert "11 more are not shown" in " ".join(many.stderr.split())
    assert len(json.loads(_adopt("--json").stdout)["loadBalancers"]) == 61
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    empty = CliRunner().invoke(app, ["adopt", "--region", "eu-west-1"])
    assert "no Application Load Balancer here" in " ".join(empty.stderr.split())


@pytest.mark.usefixtures("cloud")
def test_json_has_what_is_shown() -> None:
    as_documented("adopt", json.loads(_adopt(*_LISTENER, "--clusters", "prod-blue", "--json").stdout))


@pytest.mark.parametrize("listener", ["web", "web:https", ":80"])
def test_a_listener_that_is_none_is_a_mistake_of_usage(listener: str) -> None:
    said = _adopt("--listener", listener)
    assert said.exit_code == Code.USAGE
    assert "names no listener" in said.stderr


def _listener(*places: int) -> Listener:
    rules = [Rule(arn=str(place), place=place, hosts=[f"h{place}.test"], forwards={"g": 1}) for place in places]
    return Listener(arn="l", load_balancer="a/b/c", port=443, protocol="HTTPS", rules=rules)


@pytest.mark.parametrize(
    ("places", "room", "taken"),
    [
        ((1000,), Places(918, 999), 1),
        ((500, 501), Places(336, 499), 2),  # twice as much as two routes need
        ((42,), Places(1, 41), 1),
        ((41,), None, 0),
        ((1, 2, 3), None, 0),
        ((10, 11, 401, 402, 1000), Places(155, 400), 3),  # those of the first two stay: nothing is free before them
        ((100, 150), Places(18, 99), 2),
    ],
)
def test_room_is_looked_for_before_as_many_rules_as_can_be_taken(
    places: tuple[int, ...], room: Places | None, taken: int
) -> None:
    listener = _listener(*places)
    routes, left = candidates(listener, {"g": _BEHIND})
    assert (len(routes), left) == (len(places), {})
    assert len({one.name for one in routes}) == len(places)
    found, kept = free(listener, routes)
    assert found == room
    assert [one.rule.place for one in kept] == [*places][len(places) - taken :]
