"""What `cutover adopt` shows of an account that somebody else furnished, and the stack file that it writes."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from cutover.commands import adopt
from cutover.commands.app import app
from cutover.commands.terminal import Code, results
from cutover.inside.lists import InsideError
from cutover.rules.adoption import NOWHERE, Balancer, Behind, Cluster, candidates, room, written
from cutover.rules.listener import Listener, Rule
from settings import dialect, parse
from settings.bindings import CONTROLLERS
from settings.priorities import Places
from tests.conftest import PROJECT
from tests.cutover.documents import as_documented
from tests.cutover.tagged import reach
from tests.rehearsal.emulated import REGION, running

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from typer.testing import Result

    from settings import Settings
    from tests.rehearsal.emulated import Cloud

OWN = "111111111111"
_LISTENER = ("--listener", "web:80")
_BEHIND = Behind(
    name="old-web", target_type="ip", protocol_version="HTTP1", health_path="/", matcher="200", deregistration_delay=30
)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cloud]:
    """Return an account with a load balancer, on which somebody else has rules, and two clusters."""
    monkeypatch.setattr(results, "width", 200)
    monkeypatch.setattr(
        adopt, "Inside", lambda _, name: SimpleNamespace(silent=lambda: False, list=partial(_crds, name))
    )
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


def _crds(cluster: str, path: str, named: str) -> list[dict[str, Any]]:
    """Return the CRD of a controller of 2.13 in blue, of the newest in green; nobody may read that of red."""
    assert (path.rpartition("/")[2], named) == ("customresourcedefinitions", "targetgroupbindings.elbv2.k8s.aws")
    if cluster == "prod-red":
        raise InsideError("it may not be read")
    fields = CONTROLLERS.at((2, 13) if cluster == "prod-blue" else (3, 5)).known
    schema = {"openAPIV3Schema": {"properties": {"spec": {"properties": {field: {} for field in fields}}}}}
    return [{"spec": {"versions": [{"name": "v1beta1", "schema": schema}]}}]


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
    assert "EKS has none of that name there" in text


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
    assert [settings.crd_level(key) for key in settings.clusters] == ["2.12", None]
    again = _adopt(*_LISTENER, "--clusters", "prod-blue,prod-green", "--write", "prod", "-C", str(tmp_path))
    assert again.exit_code == Code.USAGE
    assert (tmp_path / "Pulumi.prod.yaml").read_text() == text


@pytest.mark.parametrize("owner", ["app.example.com", "a-app.example.com", "cname-app.example.com"])
def test_records_that_lead_there_are_found_with_who_keeps_them(cloud: Cloud, owner: str) -> None:
    route53, there = cloud.client("route53"), cloud.client("elbv2").describe_load_balancers()["LoadBalancers"][0]
    zone = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    alias = {"HostedZoneId": "Z1", "DNSName": f"dualstack.{there['DNSName']}.", "EvaluateTargetHealth": False}
    records: list[dict[str, Any]] = [
        {"Name": "app.example.com", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": there["DNSName"]}]},
        {"Name": owner, "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"heritage=external-dns"'}]}
        if owner != "app.example.com"
        else {"Name": "x.example.com", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "elsewhere.test"}]},
        {"Name": "example.com", "Type": "A", "AliasTarget": alias},
    ]
    changes = [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    said = _adopt(*_LISTENER)
    kept = "" if owner == "app.example.com" else " (kept by external-dns)"
    assert f"records: example.com, app.example.com{kept}" in " ".join(said.stdout.split())


def test_a_listener_is_found_by_its_arn_too(cloud: Cloud) -> None:
    said = _adopt("--listener", cloud.listener)
    assert "old-web-of" in said.stdout, said.stderr


def test_a_listener_that_a_controller_keeps_is_shown_and_not_written(cloud: Cloud, tmp_path: Path) -> None:
    tags = [{"Key": "ingress.k8s.aws/stack", "Value": "shop"}, {"Key": "elbv2.k8s.aws/cluster", "Value": "blue"}]
    cloud.client("elbv2").add_tags(ResourceArns=[cloud.balancer], Tags=tags)
    said = _adopt(*_LISTENER, "--clusters", "prod-blue", "--write", "prod", "-C", str(tmp_path))
    assert said.exit_code == Code.REFUSED
    assert "kept by a controller for an Ingress shop of the cluster blue" in " ".join(said.stderr.split())
    assert not (tmp_path / "Pulumi.prod.yaml").exists()


def test_where_the_crd_of_a_cluster_cannot_be_read_somebody_has_to_decide_of_which_version_it_is(
    cloud: Cloud, tmp_path: Path
) -> None:
    subnets = [one["SubnetId"] for one in cloud.client("ec2").describe_subnets()["Subnets"]][:2]
    arn = "arn:aws:iam::123456789012:role/red"
    eks = cloud.client("eks")
    eks.create_cluster(name="prod-red", version="1.33", roleArn=arn, resourcesVpcConfig={"subnetIds": subnets})
    said = _adopt(*_LISTENER, "--clusters", "prod-red", "--write", "prod", "-C", str(tmp_path))
    assert said.exit_code == 0, said.stderr
    assert "# DECIDE: loadBalancerController.crdLevel" in (tmp_path / "Pulumi.prod.yaml").read_text()


def test_what_may_not_be_read_is_named_with_the_statement_that_grants_it(cloud: Cloud, tmp_path: Path) -> None:
    denied = {"code": "AccessDenied", "message": "not authorized", "status": 403, "remaining": 100}
    cloud.fault("DescribeTargetHealth", **denied)
    cloud.fault("DescribeTags", **denied)
    said = _adopt(*_LISTENER, "--clusters", "prod-blue", "--write", "prod", "-C", str(tmp_path))
    assert said.exit_code == Code.REFUSED
    assert "nothing tells whether a controller keeps web" in " ".join(said.stderr.split())
    assert not (tmp_path / "Pulumi.prod.yaml").exists()
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


def _listener(*rules: Rule) -> Listener:
    return Listener(arn="l", load_balancer="a/b/c", port=443, protocol="HTTPS", rules=rules)


def _rules(*places: int) -> list[Rule]:
    return [Rule(arn=str(place), place=place, hosts=[f"h{place}.test"], forwards={"g": 1}) for place in places]


@pytest.mark.parametrize(
    ("places", "free", "taken"),
    [
        ((1000,), Places(918, 999), 1),
        ((500, 501), Places(336, 499), 2),  # twice as much as two routes need
        ((42,), Places(1, 41), 1),
        ((41,), NOWHERE, 0),
        ((1, 2, 3), NOWHERE, 0),
        ((10, 11, 401, 402, 1000), Places(155, 400), 3),  # those of the first two stay: nothing is free before them
        ((100, 150), Places(18, 99), 2),
    ],
)
def test_room_is_looked_for_before_as_many_rules_as_can_be_taken(
    places: tuple[int, ...], free: Places, taken: int
) -> None:
    listener = _listener(*_rules(*places))
    routes, left = candidates(listener, {"g": _BEHIND})
    assert (len(routes), left) == (len(places), {})
    assert len({one.name for one in routes}) == len(places)
    found = room(listener, routes)
    assert found.places == free
    assert [one.rule.place for one in found.routes] == [*places][len(places) - taken :]
    assert len(found.left) == len(places) - taken


def test_a_route_is_not_put_before_a_rule_that_stays_and_answers_some_of_its_requests() -> None:
    page = Rule(arn="page", place=400, hosts=["h500.test"], paths=["/admin/*"], instead="fixed-response 503")
    routes, _ = candidates(listener := _listener(page, *_rules(500, 600)), {"g": _BEHIND})
    found = room(listener, routes)
    # Behind the page there is room for both.
    assert (found.places, len(found.routes)) == (Places(418, 499), 2)
    tight = _listener(replace(page, place=490), *_rules(500, 600))
    found = room(tight, routes)
    assert [one.rule.place for one in found.routes] == [600]
    assert found.left == {"rule 500 (h500.test)": "the free places from which most rules can be taken lie behind it"}
    behind = room(_listener(replace(page, place=490), *_rules(500)), routes[:1])
    assert behind.left == {
        "rule 500 (h500.test)": "rule 490 (h500.test, /admin/*) stays before it, and answers some of the same requests"
    }
    header = Rule(arn="canary", place=490, besides=["http-header"], forwards={"g": 1})
    # What asks for a header alone may answer any host.
    assert [one.rule.place for one in room(_listener(header, *_rules(500, 600)), routes).routes] == [600]


def test_clusters_of_another_account_and_vpc_are_written_with_what_they_need_there() -> None:
    here = replace(_listener(*_rules(1000)), load_balancer=f"arn:aws:elasticloadbalancing:eu-west-1:{OWN}:app/x/1")
    routes, _ = candidates(here, {"g": replace(_BEHIND, target_type="instance")})
    role = "arn:aws:iam::222222222222:role/there"

    def read(*clusters: Cluster, ranges: tuple[str, ...] = ("10.0.0.0/20",)) -> Settings:
        balancer = Balancer("x", "internal", "vpc-1", "?", ranges=ranges)
        text = written(balancer, here, room(here, routes), clusters, region="eu-west-1", rule_quota=None)
        return parse(dialect.shared(text.encode())["config"], PROJECT, "prod")

    both = read(Cluster("a", vpc="vpc-2", role=role, automatic=True), Cluster("b", vpc="vpc-1"))
    a, b = both.existing_clusters.values()
    assert (a.role, a.let_in) == (role, ("10.0.0.0/20",))
    assert a.registers_as["iamRoleArnToAssume"].startswith(f"arn:aws:iam::{OWN}:role/")
    assert (b.role, b.let_in, b.registers_as) == (None, (), {})
    assert {one.target_type for one in both.routes.values()} == {"ip"}
    unread = read(Cluster("a", vpc="vpc-2", automatic=True), ranges=())
    assert unread.existing_clusters["a"].security_group_rules == "none"
    assert unread.existing_clusters["a"].binding_api is CONTROLLERS
    same = read(Cluster("a", vpc="vpc-1", role=f"arn:aws:iam::{OWN}:role/reader"))
    assert same.existing_clusters["a"].registers_as == {}
    assert {one.target_type for one in same.routes.values()} == {"instance"}


@pytest.mark.usefixtures("cloud")
def test_a_cluster_that_is_not_there_is_told_and_no_file_is_written_for_it(tmp_path: Path) -> None:
    said = _adopt(*_LISTENER, "--clusters", "prod-blue,prod-red", "--write", "prod", "-C", str(tmp_path))
    assert said.exit_code == Code.REFUSED
    assert "EKS has none of that name there" in said.stdout
    assert "EKS has no cluster prod-red there" in " ".join(said.stderr.split())
    assert "--clusters prod-red=arn:aws:iam::ACCOUNT:role/NAME" in " ".join(said.stderr.split())
    assert not list(tmp_path.glob("Pulumi.*.yaml"))
    denied = _adopt("--clusters", "prod-red=arn:aws:iam::222222222222:role/there")
    assert "not authorized to perform: sts:AssumeRole" in denied.stdout
    assert _adopt("--clusters", "prod-red=there").exit_code == Code.USAGE


@pytest.mark.parametrize("name", ["no", "Null", "123", "y"])
def test_names_that_yaml_takes_for_something_else_stay_names(name: str) -> None:
    listener = _listener(*_rules(1000))
    routes, _ = candidates(listener, {"g": replace(_BEHIND, name=name)})
    text = written(
        Balancer(name, "internal", "vpc-1", "?"),
        replace(listener, load_balancer=f"app/x/{name}"),
        room(listener, routes),
        [Cluster(name), Cluster("b", automatic=True)],
        region="eu-west-1",
        rule_quota=200,
    )
    read = dialect.shared(text.encode())["config"]
    assert list(read["eks-cutover:clusters"]) == list(read["eks-cutover:weights"]) == [f"r-{name.lower()}", "b"]
    assert read["eks-cutover:clusters"][f"r-{name.lower()}"]["existing"] == {"name": name}
    assert read["eks-cutover:loadBalancers"]["shared"]["existing"] == {"name": name, "port": 443}
    settings = parse(read, PROJECT, "prod")
    assert settings.existing_clusters["b"].load_balancer_controller.managed_by == "autoMode"
    assert list(settings.routes) == [f"r-{name.lower()}"]
    assert settings.load_balancers["shared"].rule_quota == 200
