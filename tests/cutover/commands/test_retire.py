"""What speaks against taking a cluster away, and what is done when nothing does.

AWS is the emulated one. The engine is a stand-in here (tests/engine/test_retire.py has the real one), and so is the
Kubernetes API, which the rehearsal does not have.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from cutover.aws import usage
from cutover.aws.hold import hold_name
from cutover.commands import retire as command
from cutover.commands import retire_shown
from cutover.commands.terminal import Code
from cutover.engine.lock import Lock
from cutover.engine.project import Project
from cutover.inside.lists import InsideError
from cutover.rules import history
from cutover.rules import retire as rules
from cutover.rules.history import Update
from cutover.rules.run import Run, Step
from rehearsal.cloud.targets import Targets
from settings.owner import CLUSTER_TAG, ROUTE_TAG
from tests.conftest import PROJECT, stack_config
from tests.cutover.documents import as_documented
from tests.cutover.tagged import OWNER
from tests.rehearsal.emulated import REGION, Cloud, running
from tests.settings.editing import edited, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from settings import Settings

OLD, NEW = "v1-35", "v1-36"
ROUTES = ("web", "grpc-api")
NOTHING = Run((), (), 0.0)
_RULE = "aws:lb/listenerRule:ListenerRule"


def _step(op: str, kind: str, name: str, *paths: str) -> Step:
    return Step(op, kind, name, paths, urn=f"urn:pulumi:dev::{PROJECT}::{kind}::{name}")


REMOVAL = Run(
    (
        *(_step("update", _RULE, f"{route}-weighted", "actions[0].forward.targetGroups[0]") for route in ROUTES),
        *(_step("delete", "aws:lb/targetGroup:TargetGroup", f"{route}-{OLD}") for route in ROUTES),
        _step("delete", "aws:eks/cluster:Cluster", f"{OLD}-eksCluster"),
    ),
    (),
    1.0,
)
LIFT = Run((_step("update", "aws:eks/cluster:Cluster", f"{OLD}-eksCluster", "deletionProtection"),), (), 0.5)


@dataclass
class _Engine(Project):
    """A project whose engine is made of notes: plans that are given, and a list of what was asked of it."""

    folder: Path
    changes: dict[str, Any]
    updates: list[Update]
    plans: list[Run] = field(default_factory=lambda: [NOTHING, REMOVAL])
    ups: list[Run] = field(default_factory=lambda: [REMOVAL])
    lock: Lock | None = None
    asked: list[str] = field(default_factory=list[str])
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    at_preview: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        super().__init__(self.folder, "dev")
        (self.folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\n")

    def settings(self) -> Settings:
        drop = [] if OLD in self.file.read_text() else [f"clusters.{OLD}", f"weights.{OLD}"]
        return settings_of("dev", self.changes, drop=drop)

    def history(self) -> list[Update]:
        return self.updates

    def locked(self) -> Lock | None:
        return self.lock

    def write(self, key: str, value: str) -> None:
        self.asked.append(f"write {key} {value}")
        with self._editing():
            self.file.write_text(self.file.read_text() + f"{key}: {value}\n")

    def remove(self, keys: Sequence[str]) -> None:
        self.asked.append(f"remove {' '.join(keys)}")
        with self._editing():
            self.file.write_text("the new cluster alone")

    @contextmanager
    def environment(self, variables: Mapping[str, str]) -> Generator[None]:
        self.variables = variables
        yield
        self.variables = {}

    def preview(self, targets: Sequence[str] = (), **options: Any) -> Run:
        assert not targets
        assert not options
        self.asked.append(self._asked("preview"))
        self.at_preview()
        return self.plans.pop(0)

    def up(self, targets: Sequence[str] = (), **options: Any) -> Run:
        assert not targets
        assert not options
        self.asked.append(self._asked("up"))
        return self.ups.pop(0)

    def _asked(self, what: str) -> str:
        return f"{what} {self.variables}" if self.variables else what


@dataclass
class Stage:
    """A stack whose old cluster serves nothing any more, and nothing speaks against taking it away."""

    cloud: Cloud
    engine: _Engine
    groups: dict[tuple[str, str], str]
    rules: dict[str, str]
    inside: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, "list[dict[str, Any]]"])
    dead: bool = False

    def run(self, *arguments: str, key: str = OLD) -> Any:
        """Run the command, with the key given in place of typed."""
        app = typer.Typer()
        app.command()(command.retire)
        answer = CliRunner().invoke(app, [key, "-s", "dev", "--confirm", key, *arguments])
        if answer.exception and not isinstance(answer.exception, SystemExit):
            raise answer.exception
        return answer

    def requests(self, count: int, route: str | None = None, *, hours: float = 1.0) -> None:
        """Have the load balancer, or the old cluster's group of a route, count requests some hours ago."""
        of_group = [{"Name": "TargetGroup", "Value": self.groups[route, OLD].split(":")[-1]}] if route else []
        balancer = self.cloud.client("elbv2").describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
        self.cloud.client("cloudwatch").put_metric_data(
            Namespace="AWS/ApplicationELB",
            MetricData=[
                {
                    "MetricName": "RequestCount",
                    "Dimensions": [
                        *of_group,
                        {"Name": "LoadBalancer", "Value": balancer.split(":loadbalancer/")[-1]},
                    ],
                    "Timestamp": datetime.now(UTC) - timedelta(hours=hours),
                    "Value": count,
                }
            ],
        )

    def weights(self, route: str, old: int, new: int) -> None:
        """Give a route these weights in AWS."""
        groups = [
            {"TargetGroupArn": self.groups[route, cluster], "Weight": weight}
            for cluster, weight in ((OLD, old), (NEW, new))
        ]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        self.cloud.client("elbv2").modify_rule(RuleArn=self.rules[route], Actions=[action])

    def healthy(self, cluster: str, count: int) -> None:
        """Give every group of a cluster this many healthy nodes."""
        targets = Targets(self.cloud.store)
        for route in ROUTES:
            targets.forget(self.groups[route, cluster])
            for _ in range(count):
                node = self.cloud.node()
                targets.register(self.groups[route, cluster], [(node, 30080, "")])
                targets.set_state(self.groups[route, cluster], node, 30080, "healthy")


def _update(hours: float, weights: dict[str, int], *, succeeded: bool = True, **routes: dict[str, int]) -> Update:
    config = edited("dev", {"weights": weights})
    for route, own in routes.items():
        config[f"{PROJECT}:routes"][route.replace("_", "-")]["weights"] = own
    return Update(datetime.now(UTC) - timedelta(hours=hours), succeeded, config)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Stage]:
    with running(tmp_path) as cloud:
        for name, value in {
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "somebody",
        }.items():
            monkeypatch.setenv(name, value)
        elb = cloud.client("elbv2")
        own = [{"Key": key, "Value": value} for key, value in OWNER.tags.items()]
        balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
        elb.add_tags(ResourceArns=[balancer], Tags=own)
        groups: dict[tuple[str, str], str] = {}
        rules_: dict[str, str] = {}
        for route in ROUTES:
            of_route = {"Key": ROUTE_TAG, "Value": route}
            for cluster in (OLD, NEW):
                groups[route, cluster] = group = cloud.group(
                    Tags=[*own, of_route, {"Key": CLUSTER_TAG, "Value": cluster}]
                )
                at_once = [{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}]
                elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=at_once)
            rules_[route] = cloud.attach(groups[route, NEW])
            elb.add_tags(ResourceArns=[rules_[route]], Tags=[*own, of_route])
        role, network = "arn:aws:iam::123456789012:role/eks", {"subnetIds": ["subnet-1", "subnet-2"]}
        cloud.client("eks").create_cluster(name=f"dev-{OLD}", roleArn=role, resourcesVpcConfig=network)
        file = tmp_path / "Pulumi.dev.yaml"
        file.write_text(f"# {OLD} and its successor\n")
        engine = _Engine(
            tmp_path,
            {"weights": {OLD: 0, NEW: 100}},
            [_update(60, {OLD: 10, NEW: 90}), _update(30, {OLD: 0, NEW: 100})],
        )
        found = Stage(cloud, engine, groups, rules_)

        class Inside:
            def __init__(self, _: Any, eks_name: str) -> None:
                assert eks_name == f"dev-{OLD}"

            def list(self, path: str) -> list[dict[str, Any]]:
                if found.dead:
                    raise InsideError("the API server does not answer")
                return found.inside.get(path, [])

        monkeypatch.setattr(usage, "Inside", Inside)
        monkeypatch.setattr(Project, "find", lambda *_: engine)
        for route in ROUTES:
            found.weights(route, 0, 100)
        found.healthy(OLD, 2)
        found.healthy(NEW, 4)
        found.requests(5000)
        yield found


def _object(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **more}


def _refused(stage: Stage, *says: str, code: Code = Code.REFUSED, arguments: Sequence[str] = ()) -> str:
    """Have the retirement refused with these words, and nothing touched."""
    before = stage.engine.file.read_bytes()
    answer = stage.run(*arguments)
    assert answer.exit_code == code, answer.output
    for text in says:
        assert text in answer.stderr
    assert stage.engine.file.read_bytes() == before
    assert not [asked for asked in stage.engine.asked if asked.startswith("up")]
    states = {state for route in ROUTES for state in stage.cloud.states(stage.groups[route, OLD]).values()}
    assert states <= {"healthy"}
    return answer.stderr


def test_a_cluster_that_serves_nothing_is_taken_away(stage: Stage) -> None:
    answer = stage.run()
    assert answer.exit_code == 0, answer.output
    assert stage.engine.asked == [
        "preview",
        f"remove clusters.{OLD} weights.{OLD}",
        "preview",
        "up",
    ]
    assert "v1-35 is gone: 3 resources were deleted." in answer.stdout
    assert stage.engine.file.read_text() == "the new cluster alone"


def test_its_targets_are_drained_while_they_are_attached(stage: Stage) -> None:
    attached: list[set[str]] = []
    up = stage.engine.up

    def looking(targets: Sequence[str] = (), **options: Any) -> Run:
        assert not options
        attached.append({state for route in ROUTES for state in stage.cloud.states(stage.groups[route, OLD]).values()})
        assert set(stage.cloud.states(stage.groups["web", NEW]).values()) == {"healthy"}
        return up(targets)

    stage.engine.up = looking
    assert stage.run().exit_code == 0
    assert attached == [set()]


def test_it_waits_until_draining_is_over(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "300"}]
    group = stage.groups["web", OLD]
    stage.cloud.client("elbv2").modify_target_group_attributes(TargetGroupArn=group, Attributes=attributes)
    waited: list[set[str]] = []

    def sleep(_: float) -> None:
        waited.append(set(stage.cloud.states(group).values()))
        Targets(stage.cloud.store).forget(group)

    monkeypatch.setattr(command.time, "sleep", sleep)
    answer = stage.run()
    assert answer.exit_code == 0
    assert waited == [{"draining"}]
    assert "2 targets of v1-35 finish their requests." in answer.stderr


def test_an_unknown_cluster_is_refused(stage: Stage) -> None:
    answer = stage.run(key="v1-34")
    assert answer.exit_code == Code.USAGE
    assert "There is no cluster v1-34 in Pulumi.dev.yaml, and no update ever had one." in answer.stderr


def test_a_cluster_with_a_weight_in_the_file_is_refused(stage: Stage) -> None:
    stage.engine.changes = {
        "weights": {OLD: 0, NEW: 100},
        "routes.web.weights": {OLD: 7, NEW: 93},
    }
    _refused(stage, "v1-35 has a weight in the stack file (web 7)", "cutover shift v1-35=0 -s dev")


def test_a_cluster_with_a_weight_in_aws_is_refused(stage: Stage) -> None:
    stage.weights("grpc-api", 10, 90)
    _refused(stage, "v1-35 serves in AWS (grpc-api 10 of 100)")


def test_a_cluster_that_served_yesterday_is_refused(stage: Stage) -> None:
    stage.engine.updates = [_update(60, {OLD: 10, NEW: 90}), _update(3, {OLD: 0, NEW: 100})]
    _refused(stage, "v1-35 has been at weight 0 for 3 h, and must have been for 24 h")


def test_the_soak_is_as_long_as_the_file_says(stage: Stage) -> None:
    stage.engine.updates = [_update(60, {OLD: 10, NEW: 90}), _update(3, {OLD: 0, NEW: 100})]
    stage.engine.changes["retirement"] = {"soakHours": 2}
    assert stage.run().exit_code == 0


def test_the_soak_is_never_shorter_than_stickiness(stage: Stage) -> None:
    stage.engine.changes |= {"retirement": {"soakHours": 0}, "routes.web.stickiness": {"duration": 604800}}
    _refused(stage, "must have been for 168 h")


def test_a_cluster_of_whose_weight_the_history_tells_nothing_is_refused_until_that_is_acknowledged(
    stage: Stage,
) -> None:
    stage.engine.updates = []
    _refused(stage, "the stack's history does not tell since when v1-35", "--acknowledge history")
    answer = stage.run("--acknowledge", "history")
    assert answer.exit_code == 0
    assert "Acknowledged: the stack's history does not tell" in answer.stderr


def test_a_cluster_that_somebody_asked_for_is_refused(stage: Stage) -> None:
    stage.requests(12, "web", hours=5)
    said = _refused(stage, "web: v1-35 got 12 requests in the last 24 h", arguments=["--acknowledge", "requests"])
    assert "grpc-api: v1-35 got" not in said


def test_requests_from_before_the_soak_do_not_count(stage: Stage) -> None:
    stage.requests(12, "web", hours=25)
    assert stage.run().exit_code == 0


def test_without_a_request_to_the_load_balancer_nothing_is_proven_until_that_is_acknowledged(stage: Stage) -> None:
    stage.engine.changes["retirement"] = {"soakHours": 0.5}  # the requests were an hour ago
    _refused(stage, "the load balancer web had no request in the last 30 min", "--acknowledge requests")
    assert stage.run("--acknowledge", "requests").exit_code == 0


def test_a_successor_that_does_not_cover_its_share_is_refused(stage: Stage) -> None:
    stage.engine.changes["routes.web.capacity"] = 6
    said = _refused(stage, "web: v1-36 has 4 healthy targets and needs 6 for its 100%", "cutover status v1-36")
    assert "grpc-api" not in said


def test_a_successor_that_stands_as_it_serves_needs_no_headroom(stage: Stage) -> None:
    stage.engine.changes["routes.web.capacity"] = 4
    assert stage.run().exit_code == 0


def test_a_cluster_to_which_a_rollback_went_back_is_refused(stage: Stage) -> None:
    hold = {"weights": {"web": {OLD: 100, NEW: 0}}, "who": "sre", "why": "errors", "when": "2026-11-24T03:00Z"}
    ssm = stage.cloud.client("ssm")
    ssm.put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String")
    _refused(
        stage,
        "a rollback of 2026-11-24T03:00Z by sre (errors) went back to v1-35 for web",
        "cutover release -s dev",
        code=Code.BUSY,
    )
    hold["weights"] = {"web": {OLD: 0, NEW: 100}}
    ssm.put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String", Overwrite=True)
    assert stage.run().exit_code == 0


def test_a_locked_stack_is_left_alone(stage: Stage) -> None:
    stage.engine.lock = Lock("ci@runner")
    _refused(stage, "dev is locked by ci@runner", "if that run is gone, `pulumi cancel -s dev`", code=Code.BUSY)


def test_where_gitops_brings_targets_back_minutes_later_the_cluster_stays(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.engine.changes[f"clusters.{OLD}"] = {"existing": {"name": f"dev-{OLD}"}, "bindings": {"applyBy": "gitops"}}
    waited = list[float]()

    def meanwhile(seconds: float) -> None:
        waited.append(seconds)
        stage.healthy(OLD, 1)

    monkeypatch.setattr(command.time, "sleep", meanwhile)
    stage.healthy(OLD, 0)
    _refused(stage, "looked for once more, in 3 min", f"{OLD} has targets registered in grpc-api, web")
    assert waited == [180]
    assert stage.engine.asked == []


def test_while_another_command_edits_the_file_nothing_is_retired(stage: Stage) -> None:
    with (stage.engine.folder / "Pulumi.yaml").open() as anchor:
        fcntl.flock(anchor, fcntl.LOCK_EX)
        _refused(stage, "another cutover is at work", code=Code.BUSY)
    assert stage.engine.asked == []


def _hold_on_old(stage: Stage) -> None:
    hold = {"weights": {"web": {OLD: 100, NEW: 0}}, "who": "sre", "why": "errors", "when": "2026-11-24T03:00Z"}
    ssm = stage.cloud.client("ssm")
    ssm.put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String", Overwrite=True)


GOING_BACK: dict[str, Callable[[Stage], None]] = {
    "a hold": _hold_on_old,
    "weights": lambda stage: stage.weights("web", 100, 0),
}


@pytest.mark.parametrize("how", GOING_BACK)
def test_a_rollback_to_it_before_its_targets_are_drained_stops_it_by(stage: Stage, how: str) -> None:
    stage.engine.at_preview = lambda: GOING_BACK[how](stage) if len(stage.engine.plans) == 1 else None
    _refused(stage, "Somebody has gone back to v1-35 meanwhile, so it stays", code=Code.BUSY)


def test_what_changes_while_somebody_types_the_key_ends_it_with_nothing_touched(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Callable[[], object]] = {
        "AWS had v1-35 0, v1-36 100, and has v1-35 0, v1-36 99": lambda: stage.weights("web", 0, 99),
        "Pulumi.dev.yaml has been edited": lambda: stage.engine.file.write_text(f"# {OLD}, of somebody else\n"),
    }
    for says, change in changes.items():
        monkeypatch.setattr(command, "typed", lambda *_, change=change: change())
        said = stage.run()
        assert said.exit_code == Code.BUSY, said.output
        assert says in said.stderr
        assert stage.engine.asked == []


def test_an_edit_of_the_file_after_its_plan_was_judged_stops_the_removal_and_gives_the_targets_back(
    stage: Stage,
) -> None:
    def edit() -> None:
        if len(stage.engine.plans) == 1:
            stage.engine.file.write_text("the new cluster, and more")

    stage.engine.at_preview = edit
    said = stage.run()
    assert said.exit_code == Code.BUSY, said.output
    assert "Pulumi.dev.yaml has been edited since its plan was judged" in said.stderr
    assert "up" not in stage.engine.asked
    assert stage.engine.file.read_text() == "the new cluster, and more"
    assert "draining" not in stage.cloud.states(stage.groups["web", OLD]).values()


def test_a_rule_that_somebody_has_deleted_speaks_against_it(stage: Stage) -> None:
    stage.cloud.client("elbv2").delete_rule(RuleArn=stage.rules["web"])
    said = stage.run()
    assert said.exit_code == Code.REFUSED, said.output
    assert "web has no weighted rule in AWS" in said.stderr
    assert "pulumi up --refresh" in said.stderr
    assert stage.engine.asked == []


@pytest.mark.parametrize("how", GOING_BACK)
def test_a_rollback_to_it_while_its_targets_drain_gives_them_back_after(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    before, group = stage.engine.file.read_bytes(), stage.groups["web", OLD]
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "300"}]
    stage.cloud.client("elbv2").modify_target_group_attributes(TargetGroupArn=group, Attributes=attributes)
    states: list[set[str]] = []

    def sleep(_: float) -> None:
        states.append(set(stage.cloud.states(group).values()))
        GOING_BACK[how](stage)

    monkeypatch.setattr(command.time, "sleep", sleep)
    answer = stage.run()
    assert answer.exit_code == Code.BUSY, answer.output
    assert states == [{"draining"}]
    assert "Somebody has gone back to v1-35 meanwhile" in answer.stderr
    assert "The targets of v1-35 are registered again." in answer.stderr
    for route in ROUTES:
        back = stage.cloud.states(stage.groups[route, OLD])
        assert (len(back), "draining" in back.values()) == (2, False)
    assert stage.engine.file.read_bytes() == before
    assert "up" not in stage.engine.asked


def test_a_rollback_to_it_while_its_removal_fails_gives_its_targets_back(stage: Stage) -> None:
    def fails(targets: Sequence[str] = (), **options: Any) -> Run:
        assert not targets
        assert not options
        _hold_on_old(stage)
        return Run((), (), 1.0, "error: the gate refuses")

    stage.engine.up = fails
    answer = stage.run()
    assert answer.exit_code == Code.FAILED
    assert "The targets of v1-35 are registered again." in answer.stderr
    assert "the gate refuses" in answer.stderr
    assert len(stage.cloud.states(stage.groups["web", OLD])) == 2


def test_what_somebody_else_writes_into_the_file_meanwhile_is_not_undone(stage: Stage) -> None:
    plan, _ = BAD_PLANS["it is a shift"]
    stage.engine.plans = [NOTHING, plan]

    def write() -> None:
        if len(stage.engine.plans) == 1:
            stage.engine.file.write_text("what a rollback wrote")

    stage.engine.at_preview = write
    answer = stage.run()
    assert answer.exit_code == Code.REFUSED
    assert stage.engine.file.read_text() == "what a rollback wrote"
    assert "Somebody else has edited Pulumi.dev.yaml meanwhile" in answer.stderr


LEFT = {
    "karpenter": ("/apis/karpenter.sh/v1/nodeclaims", _object("default-x7k2p"), "v1-35 has nodes of Karpenter (1:"),
    "load-balancers": (
        "/api/v1/services",
        _object("gateway", "edge", spec={"type": "LoadBalancer"}),
        "v1-35 has Services of type LoadBalancer (1:",
    ),
    "volumes": (
        "/api/v1/persistentvolumes",
        _object("pvc-1", status={"phase": "Bound"}),
        "v1-35 has bound persistent volumes (1:",
    ),
    "jobs": ("/apis/batch/v1/jobs", _object("import", "shop", status={"active": 1}), "v1-35 has Jobs that run"),
}


@pytest.mark.parametrize("word", LEFT)
def test_a_cluster_in_which_something_is_left_is_refused_until_that_is_acknowledged(stage: Stage, word: str) -> None:
    path, one, says = LEFT[word]
    stage.inside[path] = [one]
    others = [flag for other in LEFT if other != word for flag in ("--acknowledge", other)]
    _refused(stage, says, one["metadata"]["name"], f"--acknowledge {word}", arguments=others)
    assert stage.run("--acknowledge", word).exit_code == 0


def test_an_active_cron_job_is_something_left_and_a_suspended_one_is_not(stage: Stage) -> None:
    cron = _object("nightly", "shop", spec={"schedule": "0 3 * * *"})
    stage.inside["/apis/batch/v1/cronjobs"] = [cron]
    _refused(stage, "CronJobs that are not suspended", "shop/nightly")
    cron["spec"]["suspend"] = True
    assert stage.run().exit_code == 0


def test_what_is_done_is_nothing_left(stage: Stage) -> None:
    stage.inside = {
        "/api/v1/services": [_object("web", "web", spec={"type": "NodePort"})],
        "/api/v1/persistentvolumes": [_object("pvc-1", status={"phase": "Released"})],
        "/apis/batch/v1/jobs": [_object("import", "shop", status={"succeeded": 1})],
    }
    assert stage.run().exit_code == 0


def test_karpenters_instances_are_seen_in_ec2_where_the_cluster_does_not_answer(stage: Stage) -> None:
    stage.dead = True
    tags = [
        {"Key": f"kubernetes.io/cluster/dev-{OLD}", "Value": "owned"},
        {"Key": "karpenter.sh/nodepool", "Value": "x"},
    ]
    (node,) = stage.cloud.client("ec2").run_instances(
        ImageId="ami-12345678",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"]
    _refused(stage, "nodes of Karpenter", node["InstanceId"], arguments=["--acknowledge", "unreachable"])


def test_a_cluster_that_does_not_answer_is_refused_until_that_is_acknowledged(stage: Stage) -> None:
    stage.dead = True
    _refused(stage, "the API server does not answer", "--acknowledge unreachable")


def test_the_mesh_of_a_cluster_that_does_not_answer_is_dropped_in_one_update_and_named(stage: Stage) -> None:
    stage.dead = True
    discovery = stage.cloud.client("servicediscovery")
    discovery.create_http_namespace(Name="a.example.com")
    namespace = discovery.list_namespaces()["Namespaces"][0]["Id"]
    service = discovery.create_service(Name="grpc-api", NamespaceId=namespace)["Service"]["Id"]
    for address, cluster in (("10.20.0.5", OLD), ("10.20.0.6", NEW)):
        attributes = {"AWS_INSTANCE_IPV4": address, "appmesh.k8s.aws/mesh": f"dev-{cluster}"}
        discovery.register_instance(ServiceId=service, InstanceId=address, Attributes=attributes)
    flagged = _step("update", "pulumi:providers:kubernetes", NEW, "deleteUnreachable")
    stage.engine.plans = [NOTHING, Run((*REMOVAL.steps, flagged), (), 1.0)]
    stage.engine.ups = [REMOVAL, NOTHING]
    answer = stage.run("--acknowledge", "unreachable")
    assert answer.exit_code == 0
    assert "the engine waits 12 s for each object inside" in answer.stderr
    dropping = "{'PULUMI_K8S_DELETE_UNREACHABLE': 'true'}"
    assert stage.engine.asked[-3:] == [f"preview {dropping}", f"up {dropping}", "up"]
    assert "aws appmesh delete-mesh --mesh-name dev-v1-35" in answer.stdout
    assert f"deregister-instance --service-id {service} --instance-id 10.20.0.5 " in answer.stdout
    assert "10.20.0.6" not in answer.stdout


def test_every_reason_is_told_at_once(stage: Stage) -> None:
    stage.engine.updates = [_update(60, {OLD: 10, NEW: 90}), _update(3, {OLD: 0, NEW: 100})]
    stage.engine.changes["routes.web.capacity"] = 6
    stage.inside["/api/v1/persistentvolumes"] = [_object(f"pvc-{n}", status={"phase": "Bound"}) for n in range(7)]
    said = _refused(stage, "v1-35 stays, for 3 reasons; nothing was changed:")
    assert "v1-35 has bound persistent volumes (7: pvc-0, pvc-1, pvc-2, pvc-3, pvc-4 and 2 more)" in said


def test_where_nobody_can_type_the_key_must_be_given(stage: Stage) -> None:
    app = typer.Typer()
    app.command()(command.retire)
    answer = CliRunner().invoke(app, [OLD])
    assert answer.exit_code == Code.USAGE
    assert "--confirm v1-35" in answer.stderr
    assert stage.engine.asked == []


def test_another_key_than_the_clusters_stops_it(stage: Stage) -> None:
    _refused(stage, "v1-36 is not v1-35", arguments=["--confirm", NEW])


@pytest.mark.parametrize(("typed", "code"), [(OLD, Code.DONE), ("y", Code.REFUSED), ("", Code.REFUSED)])
def test_the_key_is_typed_where_somebody_is_there(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, typed: str, code: Code
) -> None:
    monkeypatch.setattr(retire_shown, "attended", lambda: True)
    app = typer.Typer()
    app.command()(command.retire)
    answer = CliRunner().invoke(app, [OLD], input=f"{typed}\n{typed}\n")
    assert "v1-35 will be deleted. Type its key" in answer.stderr
    assert (answer.exit_code == 0) == (code is Code.DONE)
    assert ("up" in stage.engine.asked) == (code is Code.DONE)


def test_deletion_protection_is_lifted_by_an_update_of_its_own(stage: Stage) -> None:
    stage.engine.changes[f"clusters.{OLD}.deletionProtection"] = True
    stage.engine.plans, stage.engine.ups = [LIFT, REMOVAL], [LIFT, REMOVAL]
    assert stage.run().exit_code == 0
    assert stage.engine.asked == [
        f"write clusters.{OLD}.deletionProtection false",
        "preview",
        "up",
        f"remove clusters.{OLD} weights.{OLD}",
        "preview",
        "up",
    ]


def test_a_plan_that_is_no_good_after_the_protection_was_lifted_says_that_it_was(stage: Stage) -> None:
    stage.engine.changes[f"clusters.{OLD}.deletionProtection"] = True
    for plan, code in ((BAD_PLANS["it is a shift"][0], Code.REFUSED), (Run((), (), 1.0, "crashed"), Code.FAILED)):
        stage.engine.plans, stage.engine.ups = [LIFT, plan], [LIFT]
        said = stage.run()
        assert said.exit_code == code
        assert f"The protection of {OLD} is lifted, in the stack file too, and nothing else was changed" in said.stderr
        assert "run the same again" in said.stderr


def test_what_protects_in_the_state_alone_is_lifted_too(stage: Stage) -> None:
    """A shift applies the rules alone, and leaves on the old cluster the protection that it had when it served."""
    kept = Run((), (Step("same", "eks-cutover:cluster:Cluster", OLD, protected=True, lifted=True),), 0.5)
    stage.engine.plans, stage.engine.ups = [kept, REMOVAL], [kept, REMOVAL]
    assert stage.run().exit_code == 0
    assert stage.engine.asked.count("up") == 2


def test_inputs_of_components_that_differ_are_no_edit(stage: Stage) -> None:
    """The real component has inputs in the state, and some of them differ after a refresh."""
    component = _step("update", "eks:index:Cluster", NEW, "vpcId")
    stage.engine.plans, stage.engine.ups = [Run((component,), (), 0.5), REMOVAL], [REMOVAL]
    assert stage.run().exit_code == 0
    assert stage.engine.asked.count("up") == 1


def test_a_stack_file_that_was_not_applied_is_applied_first(stage: Stage) -> None:
    stage.engine.changes[f"clusters.{OLD}.deletionProtection"] = True
    stage.engine.plans = [
        Run((*LIFT.steps, _step("update", "aws:eks/addon:Addon", f"{NEW}-coredns", "version")), (), 1)
    ]
    _refused(stage, "The stack file says more than was applied", "pulumi up")


BAD_PLANS = {
    "it failed": (Run((), (), 1.0, "the gate refuses"), "the gate refuses"),
    "it is a shift": (
        Run((_step("update", _RULE, "web-weighted", "actions[0].forward.targetGroups[0].weight"),), (), 1.0),
        "The plan is no retirement",
    ),
    "it takes what serves": (
        Run((*REMOVAL.steps, _step("delete", "aws:eks/cluster:Cluster", f"{NEW}-eksCluster")), (), 1.0),
        "The plan may not be applied",
    ),
}


@pytest.mark.parametrize("why", BAD_PLANS)
def test_the_file_is_put_back_byte_for_byte_and_nothing_is_drained_when_the_plan_is_no_good_because(
    stage: Stage, why: str
) -> None:
    plan, says = BAD_PLANS[why]
    stage.engine.plans = [NOTHING, plan]
    _refused(stage, says)


def test_an_interrupt_before_the_update_puts_the_file_back(stage: Stage) -> None:
    def interrupt() -> None:
        if len(stage.engine.plans) == 1:
            raise KeyboardInterrupt

    stage.engine.at_preview = interrupt
    _refused(stage, "Interrupted", code=Code.INTERRUPTED)


def test_an_update_that_failed_is_gone_on_with(stage: Stage) -> None:
    half = Run(REMOVAL.steps[:3], (), 1.0, "error: DependencyViolation")
    rest = Run(REMOVAL.steps[3:], (), 1.0)
    stage.engine.ups = [half, rest]
    first = stage.run()
    assert first.exit_code == Code.FAILED
    assert "DependencyViolation" in first.stderr
    assert "cutover retire v1-35" in first.stderr
    assert stage.engine.file.read_text() == "the new cluster alone"
    # What the failed update was given stands in the history, without the cluster.
    stage.engine.updates.append(_update(0, {NEW: 100}, succeeded=False))
    stage.engine.plans, stage.engine.asked = [rest], []
    again = stage.run()
    assert again.exit_code == 0, again.output
    assert stage.engine.asked == ["preview", "up"]
    assert "v1-35 is gone" in again.stdout


def test_a_cluster_that_is_gone_is_only_looked_after(stage: Stage) -> None:
    stage.engine.file.write_text("the new cluster alone")
    stage.cloud.client("eks").delete_cluster(name=f"dev-{OLD}")
    stage.cloud.client("logs").create_log_group(logGroupName=f"/aws/eks/dev-{OLD}/cluster-of-another")
    stage.engine.updates.append(_update(0, {NEW: 100}))
    stage.engine.plans = [NOTHING]
    answer = stage.run()
    assert answer.exit_code == 0, answer.output
    assert stage.engine.asked == ["preview"]
    assert "Nothing that it left behind was found." in answer.stdout
    assert "Not looked for: OIDC providers" in answer.stderr


def test_a_cluster_with_a_name_of_its_own_goes_by_it_although_the_file_has_it_no_more(stage: Stage) -> None:
    stage.engine.file.write_text("the new cluster alone")
    stage.cloud.client("eks").delete_cluster(name=f"dev-{OLD}")
    for update in stage.engine.updates:
        update.config[f"{PROJECT}:clusters"][OLD]["name"] = "shop-v1-35"
    last = _update(0, {NEW: 100})
    del last.config[f"{PROJECT}:clusters"][OLD]
    stage.engine.updates.append(last)
    stage.engine.plans = [NOTHING]
    stage.cloud.client("logs").create_log_group(logGroupName="/aws/eks/shop-v1-35/cluster")
    answer = stage.run()
    assert answer.exit_code == 0, answer.output
    assert "aws logs delete-log-group --log-group-name /aws/eks/shop-v1-35/cluster" in answer.stdout


def test_what_is_left_behind_is_listed_with_the_command_that_removes_it_and_not_removed(stage: Stage) -> None:
    ec2, elb, name = stage.cloud.client("ec2"), stage.cloud.client("elbv2"), f"dev-{OLD}"
    owned = [{"Key": f"kubernetes.io/cluster/{name}", "Value": "owned"}]
    shared = [{"Key": f"kubernetes.io/cluster/{name}", "Value": "shared"}]
    of_cni = [{"Key": "cluster.k8s.amazonaws.com/name", "Value": name}]
    (subnet, *_) = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [stage.cloud.vpc]}])["Subnets"]
    ec2.create_tags(Resources=[subnet["SubnetId"]], Tags=shared)
    volume = ec2.create_volume(
        AvailabilityZone=f"{REGION}a",
        Size=1,
        TagSpecifications=[
            {"ResourceType": "volume", "Tags": [*owned, {"Key": "ebs.csi.aws.com/cluster", "Value": "true"}]}
        ],
    )["VolumeId"]
    interface = ec2.create_network_interface(SubnetId=subnet["SubnetId"])["NetworkInterface"]["NetworkInterfaceId"]
    group = ec2.create_security_group(GroupName="k8s-traffic", Description="made", VpcId=stage.cloud.vpc)["GroupId"]
    ec2.create_tags(Resources=[interface], Tags=of_cni)
    ec2.create_tags(Resources=[group], Tags=owned)
    foreign = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
    balancer = elb.create_load_balancer(
        Name="k8s-edge",
        Subnets=[subnet["SubnetId"]],
        Type="network",
        Tags=[{"Key": "elbv2.k8s.aws/cluster", "Value": name}],
    )["LoadBalancers"][0]["LoadBalancerArn"]
    log_group = f"/aws/eks/{name}/cluster"
    stage.cloud.client("logs").create_log_group(logGroupName=log_group)
    eks_cluster = stage.cloud.client("eks").describe_cluster(name=name)["cluster"]
    provider = stage.cloud.client("iam").create_open_id_connect_provider(
        Url=eks_cluster["identity"]["oidc"]["issuer"], ThumbprintList=["0" * 40]
    )["OpenIDConnectProviderArn"]
    stage.inside["/api/v1/persistentvolumes"] = [_object("pvc-1", status={"phase": "Bound"})]
    refusal = json.loads(stage.run("--json").stdout)
    stage.inside.clear()
    answer = stage.run("--json")
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    as_documented("retire", refusal, document)
    assert (document["kind"], document["cluster"], document["retired"]) == ("retire", OLD, True)
    assert {one["id"]: one["command"] for one in document["leftBehind"]} == {
        volume: f"aws ec2 delete-volume --volume-id {volume} --region {REGION}",
        interface: f"aws ec2 delete-network-interface --network-interface-id {interface} --region {REGION}",
        group: f"aws ec2 delete-security-group --group-id {group} --region {REGION}",
        balancer: f"aws elbv2 delete-load-balancer --load-balancer-arn {balancer} --region {REGION}",
        log_group: f"aws logs delete-log-group --log-group-name {log_group} --region {REGION}",
        provider: f"aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {provider}",
    }
    assert document["unseen"] == []
    assert {volume, foreign} <= {one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]}


def test_a_refusal_is_one_document_too(stage: Stage) -> None:
    stage.inside["/api/v1/persistentvolumes"] = [_object("pvc-1", status={"phase": "Bound"})]
    answer = stage.run("--json")
    document = json.loads(answer.stdout)
    assert document["retired"] is False
    assert [reason["acknowledge"] for reason in document["reasons"]] == ["volumes"]


def test_nothing_of_the_cluster_stays_in_the_file() -> None:
    settings = settings_of(
        "dev",
        {
            "weights": {OLD: 0, NEW: 100},
            "routes.web.weights": {OLD: 0, NEW: 1},
            "gate.override": {"weights": {OLD: 0, NEW: 100}, "reason": "a drill"},
        },
    )
    assert rules.keys(settings, OLD) == [
        f"clusters.{OLD}",
        f"weights.{OLD}",
        f"routes.web.weights.{OLD}",
        f"gate.override.weights.{OLD}",
    ]


@pytest.mark.parametrize(
    ("updates", "since"),
    [
        ([_update(9, {OLD: 0, NEW: 1})], 0),
        ([_update(9, {OLD: 0, NEW: 1}), _update(5, {OLD: 0, NEW: 2})], 0),
        ([_update(9, {OLD: 0, NEW: 1}), _update(5, {OLD: 1, NEW: 2}), _update(2, {OLD: 0, NEW: 1})], 2),
        ([_update(9, {OLD: 0, NEW: 1}), _update(5, {OLD: 1, NEW: 2}, succeeded=False)], None),
        ([_update(9, {OLD: 1, NEW: 1}), _update(5, {OLD: 0, NEW: 2}, succeeded=False)], None),
        ([_update(9, {OLD: 0, NEW: 1}), _update(5, {OLD: 0, NEW: 2}, grpc_api={OLD: 1, NEW: 0})], None),
        ([_update(9, {OLD: 0, NEW: 1}), _update(5, {NEW: 2}), _update(2, {OLD: 0, NEW: 1})], 2),
        ([_update(9, {OLD: 0, NEW: 1}), _update(5, {NEW: 2}, succeeded=False)], 0),
        ([_update(9, {OLD: 0, NEW: 1}), _update(5, {NEW: 2}, succeeded=False), _update(2, {OLD: 0, NEW: 1})], 0),
        ([_update(9, {OLD: 0, NEW: 1}), _update(5, {NEW: 2})], 0),
        ([_update(9, {NEW: 1})], None),
        ([], None),
    ],
)  # fmt: skip
def test_since_when_a_cluster_has_no_weight_is_read_from_the_updates(updates: list[Update], since: int | None) -> None:
    found = history.zero_since(updates, OLD, PROJECT)
    assert found == (None if since is None else updates[since].ended)


def test_the_only_cluster_stays_and_nobody_is_told_to_empty_it(stage: Stage) -> None:
    only = {OLD: stack_config("dev")[f"{PROJECT}:clusters"][OLD]}
    stage.engine.changes = {"clusters": only, "weights": {OLD: 100}}
    said = _refused(stage, "v1-35 is the only cluster of the stack", "cutover promote KEY -s dev")
    assert "cutover shift v1-35=0" not in said
