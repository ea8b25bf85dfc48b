"""Two projects with one stack name in one account, marks of older versions, and what goes away while it is read."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cutover.aws import leftovers, support
from cutover.aws.hold import hold_name, hold_names
from cutover.aws.live import Live
from cutover.aws.session import LiveError
from cutover.aws.writes import Writes
from cutover.commands import moving, rollback, rollback_plan
from cutover.commands.app import app
from cutover.engine.hooks import RefusedError, _Gate, unshown  # pyright: ignore[reportPrivateUsage]
from cutover.engine.project import Project
from cutover.rules.found import Found, WeightedRule
from cutover.rules.move import Hold
from settings.owner import CLUSTER_TAG, PROJECT_TAG, ROUTE_TAG, STACK_TAG, Owner
from tests.conftest import stack_config
from tests.cutover.fake_engine import Engine
from tests.cutover.tagged import OWNER, STACK, Tagged, reach, tagged
from tests.rehearsal.emulated import REGION, running
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.rehearsal.emulated import Cloud

OTHER = Owner("other", STACK)
FORMER = {"pulumi:project": OWNER.project, "pulumi:stack": STACK}


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Cloud]:
    with running(tmp_path) as one:
        reach(one, monkeypatch)
        yield one


@pytest.fixture
def stack(cloud: Cloud) -> Generator[Tagged]:
    with tagged(cloud, ["web", "api"], {"v1-35": 90, "v1-36": 10}) as one:
        yield one


def _live(owner: Owner = OWNER) -> Live:
    return Live(boto3.Session(region_name=REGION), owner)


def _balancer(cloud: Cloud) -> str:
    return cloud.client("elbv2").describe_listeners(ListenerArns=[cloud.listener])["Listeners"][0]["LoadBalancerArn"]


def _marked(stack: Tagged) -> list[str]:
    return [_balancer(stack.cloud), *stack.rules.values(), *stack.groups.values()]


def _remark(cloud: Cloud, arns: list[str], tags: dict[str, str], drop: tuple[str, ...] = (PROJECT_TAG,)) -> None:
    elb = cloud.client("elbv2")
    for arn in arns:
        elb.remove_tags(ResourceArns=[arn], TagKeys=list(drop))
        for key, value in tags.items():
            elb.add_tags(ResourceArns=[arn], Tags=[{"Key": key, "Value": value}])


def _another(cloud: Cloud, name: str, tags: dict[str, str]) -> str:
    """Make a load balancer with tags."""
    elb = cloud.client("elbv2")
    subnets = [subnet["SubnetId"] for subnet in cloud.client("ec2").describe_subnets()["Subnets"]]
    made = elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    if tags:
        _remark(cloud, [made], tags)
    return made


@pytest.mark.usefixtures("stack")
def test_another_project_with_the_stacks_name_finds_nothing_of_it() -> None:
    assert set(_live().find().rules) == {"web", "api"}
    seen = _live(OTHER).find()
    assert (seen.rules, seen.groups, seen.doubts) == ({}, {}, ())


def test_marks_of_an_older_version_are_told_apart_by_the_tag_that_its_provider_left(stack: Tagged) -> None:
    _remark(stack.cloud, _marked(stack), FORMER)
    assert set(_live().find().rules) == {"web", "api"}
    assert _live(OTHER).find().rules == {}


def test_while_half_is_marked_anew_everything_is_found(stack: Tagged) -> None:
    _another(stack.cloud, "others", OTHER.tags)
    _remark(stack.cloud, _marked(stack)[::2], FORMER)
    found = _live().find()
    assert (set(found.rules), set(found.groups)) == ({"web", "api"}, set(stack.groups.values()))


def test_marks_with_the_stacks_name_alone_are_the_only_projects_that_has_it(stack: Tagged) -> None:
    _remark(stack.cloud, _marked(stack), {})
    assert set(_live().find().rules) == {"web", "api"}


def test_what_cannot_be_told_apart_is_refused_with_the_cure_and_never_found(stack: Tagged) -> None:
    _another(stack.cloud, "others", OTHER.tags)
    _remark(stack.cloud, _marked(stack), {})
    with pytest.raises(LiveError, match=f"Key={PROJECT_TAG},Value={OWNER.project}"):
        _live().find()
    assert _live().traffic().rules == {}


def test_a_rule_of_another_project_on_the_stacks_load_balancer_refuses_but_stops_no_rollback(stack: Tagged) -> None:
    _remark(stack.cloud, [stack.rules["api"]], OTHER.tags)
    with pytest.raises(LiveError, match=f"marked as that of {OTHER}"):
        _live().find()
    assert set(_live().traffic().rules) == {"web"}


def _everything(stack: Tagged, owner: Owner) -> dict[str, Any]:
    """Return all that an owner has in AWS: rules, targets and tags by ARN, and the hold."""
    elb = stack.cloud.client("elbv2")
    listener = elb.describe_listeners(ListenerArns=[stack.cloud.listener])["Listeners"][0]
    arns = [listener["LoadBalancerArn"], *stack.rules.values(), *stack.groups.values()]
    hold = stack.cloud.client("ssm").get_parameters(Names=[hold_name(owner)])["Parameters"]
    return {
        "rules": elb.describe_rules(ListenerArn=stack.cloud.listener)["Rules"],
        "targets": {arn: stack.cloud.health(arn) for arn in stack.groups.values()},
        "tags": [elb.describe_tags(ResourceArns=[arn])["TagDescriptions"] for arn in arns],
        "hold": [(one["Name"], one["Value"], one["Version"]) for one in hold],
    }


@pytest.fixture
def both(cloud: Cloud) -> Generator[tuple[Tagged, Tagged]]:
    """Give two projects' stacks of one name in one account, each on a load balancer of its own, with healthy targets.

    The other one's clusters have the same keys. It is elsewhere on its way, and under a hold.
    """
    elb = cloud.client("elbv2")
    nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    made = elb.create_listener(
        LoadBalancerArn=_another(cloud, "others", {}), Protocol="HTTP", Port=80, DefaultActions=[nothing]
    )
    elsewhere = replace(cloud, listener=made["Listeners"][0]["ListenerArn"])
    routes = ["web", "grpc-api"]
    with (
        tagged(elsewhere, routes, {"v1-35": 30, "v1-36": 70}, OTHER) as theirs,
        tagged(cloud, routes, {"v1-35": 99, "v1-36": 1}) as ours,
    ):
        for stack in (ours, theirs):
            stack.heal("v1-35", 4)
            stack.heal("v1-36", 4)
        Writes(boto3.Session(region_name=REGION), OTHER).hold(
            Hold({"web": {"v1-35": 30, "v1-36": 70}}, "sre", "5xx", "then")
        )
        yield ours, theirs


def test_no_command_of_one_project_sees_or_touches_anything_of_another_with_its_stacks_name(
    both: tuple[Tagged, Tagged], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = both
    engine = Engine(tmp_path, ours)
    monkeypatch.setattr(Project, "find", lambda *_: engine)
    monkeypatch.setattr(support, "read", lambda *_: ())  # no cluster stands here
    monkeypatch.setattr(moving, "PROPAGATION_SECONDS", 0)
    monkeypatch.setattr(rollback, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(
        rollback_plan, "LOOK_SECONDS", 30.0
    )  # what is asked here is answered, however busy the machine is
    before = _everything(theirs, OTHER)

    def run(*arguments: str) -> dict[str, Any]:
        said = CliRunner().invoke(app, [*arguments, "--json"])
        assert said.exit_code == 0, said.output
        assert _everything(theirs, OTHER) == before
        return json.loads(said.stdout)

    def seen() -> dict[str, int]:
        return {one["cluster"]: one["liveWeight"] for one in run("status")["places"] if one["route"] == "web"}

    assert seen() == {"v1-35": 99, "v1-36": 1}
    run("shift", "v1-36=10", "--yes")
    assert seen() == {"v1-35": 90, "v1-36": 10}
    run("rollback", "--yes")
    assert ours.weights()["web"] == {"v1-35": 100, "v1-36": 0}
    assert _live().hold()
    run("release", "--yes")
    assert (_live().hold(), bool(_live(OTHER).hold())) == (None, True)
    idle = [arn for arn, group in _live().find().groups.items() if group.cluster == "v1-36"]
    writes = Writes(boto3.Session(region_name=REGION), OWNER)
    writes.drain(writes.registered(idle))
    assert _everything(theirs, OTHER) == before


@pytest.mark.usefixtures("cloud")
def test_each_project_has_its_own_hold() -> None:
    account = boto3.Session(region_name=REGION)
    Writes(account, OTHER).hold(Hold({"web": {"v1-35": 100}}))
    assert _live().hold() is None
    Writes(account, OWNER).release()
    assert _live(OTHER).hold()


def test_a_hold_at_the_old_name_counts_until_it_is_lifted(cloud: Cloud) -> None:
    former = hold_names(OWNER)[1]
    assert former == f"/eks-cutover/{STACK}/hold" != hold_name(OWNER)
    text = json.dumps({"weights": {"web": {"v1-35": 100}}, "who": "somebody", "why": "5xx", "when": "then"})
    cloud.client("ssm").put_parameter(Name=former, Value=text, Type="String")
    held = _live().hold()
    assert held
    assert held.weights == {"web": {"v1-35": 100}}
    Writes(boto3.Session(region_name=REGION), OWNER).release()
    assert _live().hold() is None


def test_a_load_balancer_that_goes_away_between_two_calls_ends_no_read(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second", "third"):
        _another(stack.cloud, name, {})
    gone = _another(stack.cloud, "gone", {})
    elb: Any = stack.cloud.client("elbv2")
    listed = elb.describe_load_balancers()["LoadBalancers"]
    elb.delete_load_balancer(LoadBalancerArn=gone)
    live = _live()
    pages = live._pages  # pyright: ignore[reportPrivateUsage]

    def late(call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        return listed if call == "describe_load_balancers" else pages(call, key, **arguments)

    monkeypatch.setattr(live, "_pages", late)
    assert set(live.find().rules) == {"web", "api"}


def test_a_rule_that_goes_away_between_two_calls_ends_no_read(stack: Tagged, monkeypatch: pytest.MonkeyPatch) -> None:
    live = _live()
    pages = live._pages  # pyright: ignore[reportPrivateUsage]

    def then_gone(call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        listed = pages(call, key, **arguments)
        if call == "describe_rules":
            stack.cloud.client("elbv2").delete_rule(RuleArn=stack.rules["api"])
        return listed

    monkeypatch.setattr(live, "_pages", then_gone)
    assert set(live.find().rules) == {"web"}


def test_a_rule_that_the_state_knows_and_no_tag_shows_is_refused_and_never_a_first_one(stack: Tagged) -> None:
    stack.cloud.client("elbv2").remove_tags(ResourceArns=[_balancer(stack.cloud)], TagKeys=[STACK_TAG])
    found, live = _live().find(), _live()
    assert found.rules == {}
    assert "the state knows a weighted rule of web" in unshown("web", {"tags": {}}, found)
    assert live.stands(stack.rules["web"])
    stack.cloud.client("elbv2").delete_rule(RuleArn=stack.rules["web"])
    assert not live.stands(stack.rules["web"])


def test_a_rule_that_the_state_does_not_know_yet_and_one_that_is_shown_may_move() -> None:
    assert unshown("web", None, Found({}, {}, None)) == ""
    assert unshown("web", {"tags": {}}, Found({"web": WeightedRule("arn", "lb", {})}, {}, None)) == ""


def test_the_tags_of_the_two_kinds_stay_what_gates_and_roles_rest_on() -> None:
    assert (ROUTE_TAG, CLUSTER_TAG) == ("eks-cutover:route", "eks-cutover:cluster")
    assert OWNER.tags == {"eks-cutover:project": OWNER.project, "eks-cutover:stack": STACK}


def _asks_for(
    stack: Tagged, weights: dict[str, int], old: dict[str, Any] | None = None, was: Any = None, **gate: Any
) -> None:
    """Have the gate asked for a rule of web, as the engine asks before it makes one, or changes what it ``was``."""
    groups = [{"arn": stack.groups["web", cluster], "weight": weight} for cluster, weight in weights.items()]
    inputs = {
        "tags": {ROUTE_TAG: "web"},
        "listenerArn": stack.cloud.listener,
        "actions": [{"forward": {"targetGroups": groups}}],
    }
    args: Any = SimpleNamespace(new_inputs=inputs, old_inputs=old, old_outputs=was)
    settings = settings_of("dev", {"weights": weights, "routes.grpc-api.live": False, **gate})
    asyncio.run(_Gate(settings, _live).before_write(args))


def test_a_first_rule_is_refused_while_one_that_no_tag_shows_forwards_to_its_groups(stack: Tagged) -> None:
    stack.heal("v1-36", 4)
    stack.cloud.client("elbv2").remove_tags(ResourceArns=[stack.rules["web"]], TagKeys=[STACK_TAG])
    with pytest.raises(RefusedError, match=f"{stack.rules['web']} forwards to its target groups"):
        _asks_for(stack, {"v1-35": 0, "v1-36": 100})
    for rule in stack.rules.values():
        stack.cloud.client("elbv2").delete_rule(RuleArn=rule)
    _asks_for(stack, {"v1-35": 0, "v1-36": 100})


@pytest.mark.parametrize("old", [None, {"tags": {}}], ids=["unknown to the state", "known"])
def test_an_override_does_not_go_around_a_rule_that_no_tag_shows(stack: Tagged, old: dict[str, Any] | None) -> None:
    weights = {"v1-35": 0, "v1-36": 100}
    override = {"weights": weights, "reason": "the old one is down"}
    stack.cloud.client("elbv2").remove_tags(ResourceArns=[stack.rules["web"]], TagKeys=[STACK_TAG])
    with pytest.raises(RefusedError, match="any weights would pass"):
        _asks_for(stack, weights, old, **{"gate.override": override})


def _outputs(kind: str) -> dict[str, Any]:
    return {"actions": [{"type": kind}]}


def test_a_maintenance_page_is_taken_away_by_no_update_that_does_not_know_of_it(
    stack: Tagged, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor by an override; after a refresh somebody has asked for that, and the clusters are judged."""
    weights, old = {"v1-35": 0, "v1-36": 100}, {"tags": {}, "actions": []}
    stack.heal("v1-36", 4)
    stack.close("web")
    override = {"gate.override": {"weights": weights, "reason": "the old one is down"}}
    for options in ({}, override):
        with pytest.raises(RefusedError, match=r"forwards to no cluster \(fixed-response 503\)") as refused:
            _asks_for(stack, weights, old, _outputs("forward"), **options)
        assert "Once it may go: pulumi up --refresh -s dev" in str(refused.value)
    _asks_for(stack, weights, old, _outputs("fixed-response"))
    assert "web: its rule forwards to no cluster now (fixed-response 503). This update takes that away" in (
        capsys.readouterr().err
    )
    stack.heal("v1-36", 1)
    with pytest.raises(RefusedError, match=r"1 healthy target and would need 2 for 100% \(at least 2") as refused:
        _asks_for(stack, weights, old, _outputs("fixed-response"))
    assert "passes as it is" not in str(refused.value)


def test_a_maintenance_page_that_an_update_leaves_alone_refuses_nothing_and_stops_no_other_route(
    stack: Tagged, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = {"v1-35": 100, "v1-36": 0}
    groups = [{"arn": stack.groups["web", cluster], "weight": weight} for cluster, weight in weights.items()]
    stack.close("web")
    _asks_for(stack, weights, {"actions": [{"forward": {"targetGroups": groups}}]}, _outputs("forward"))
    assert "This update leaves that as it is" in capsys.readouterr().err
    stack.set_weights("web", {"v1-35": 90, "v1-36": 10})
    stack.heal("v1-35", 2, "web")
    stack.close("api")
    api = {**stack_config("dev")["eks-cutover:routes"]["web"], "priority": 9, "hosts": ["api.example.com"]}
    _asks_for(stack, weights, {"actions": []}, _outputs("forward"), **{"routes.api": api})


def test_a_strange_load_balancer_whose_tags_may_not_be_read_is_left_out_and_told_once(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = _another(stack.cloud, "secret", {})
    live = _live()
    elb: Any = live._elb  # pyright: ignore[reportPrivateUsage]
    ask = elb.describe_tags

    def deny(ResourceArns: list[str]) -> Any:  # noqa: N803
        if secret in ResourceArns:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not for you"}}, "DescribeTags")
        return ask(ResourceArns=ResourceArns)

    monkeypatch.setattr(elb, "describe_tags", deny)
    found = live.traffic()
    assert set(found.rules) == {"web", "api"}
    (told,) = found.doubts
    assert f"the tags of {secret} may not be read" in told


def test_a_strange_rule_or_group_whose_tags_may_not_be_read_stops_no_rollback(
    stack: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = stack.cloud.group()
    strange = {group, stack.cloud.attach(group)}
    live = _live()
    elb: Any = live._elb  # pyright: ignore[reportPrivateUsage]
    ask = elb.describe_tags

    def deny(ResourceArns: list[str]) -> Any:  # noqa: N803
        if strange & set(ResourceArns):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not for you"}}, "DescribeTags")
        return ask(ResourceArns=ResourceArns)

    monkeypatch.setattr(elb, "describe_tags", deny)
    found = live.traffic()
    assert (set(found.rules), len(found.groups)) == ({"web", "api"}, 4)
    assert {
        arn for arn in strange if any(f"the tags of {arn} may not be read" in doubt for doubt in found.doubts)
    } == strange
    with pytest.raises(LiveError, match="may not be read"):
        live.find()


def test_a_service_that_goes_away_while_leftovers_are_looked_for_hides_no_other(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    discovery = cloud.client("servicediscovery")
    discovery.create_http_namespace(Name="shop")
    space = discovery.list_namespaces()["Namespaces"][0]["Id"]
    ids = [discovery.create_service(Name=name, NamespaceId=space)["Service"]["Id"] for name in ("a", "b")]
    discovery.register_instance(ServiceId=ids[1], InstanceId="i", Attributes={"appmesh.k8s.aws/mesh": "dev-v1-35"})
    account = boto3.Session(region_name=REGION)
    ask = leftovers.client

    def late(session: boto3.Session, service: str) -> Any:
        made = ask(session, service)
        if service == "servicediscovery":
            listed = discovery.list_services()["Services"]
            stub = SimpleNamespace(paginate=lambda: [{"Services": [{"Id": "srv-gone", "Name": "gone"}, *listed]}])
            pages = made.get_paginator
            monkeypatch.setattr(made, "get_paginator", lambda call: stub if call == "list_services" else pages(call))
        return made

    monkeypatch.setattr(leftovers, "client", late)
    found = leftovers.sweep(account, "dev-v1-35", None, "dev-v1-35").found
    assert "b/i" in {one.id for one in found}
