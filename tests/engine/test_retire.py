"""A whole migration by the command line, down to `cutover retire`, beside another project's stack of the same name."""

from __future__ import annotations

import copy
import shutil
from typing import TYPE_CHECKING, Any

import yaml

from cutover.commands.terminal import Code
from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.cloud.kubernetes.cluster import Cluster, set_reachable
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play import stackfile
from settings.owner import PROJECT_TAG
from tests.engine.standing import Standing

if TYPE_CHECKING:
    from rehearsal.engine.executable import Engine
    from rehearsal.play.stackfile import Config

_NEIGHBOUR, _ITS_ZONE = "shop", "example.org"
_IN_ELB = ("balancers", "rules", "groups")
_YES = ("-s", "dev", "--yes")


def test_a_migration_and_the_retirement_of_a_dead_cluster_touch_nothing_of_a_project_with_the_same_stack_name(
    pulumi_engine: Engine,
) -> None:
    with Sandbox(pulumi_engine, PROGRAM, zones=[*ZONES, _ITS_ZONE]) as sandbox:
        neighbour = _move_in(sandbox)
        stackfile.edit(sandbox.project, "dev", _all_on_the_old)
        stack = sandbox.stack("dev")
        assert not watch(stack.up).failure
        Standing(sandbox, "dev", stack).heal(4)
        its, mine = _everything(neighbour, _NEIGHBOUR), _everything(sandbox, "eks-cutover")
        assert [len(its[kind]) for kind in _IN_ELB] == [1, 6, 4]

        _done(sandbox, "shift", "v1-36=50", *_YES)
        for arn in (*mine["balancers"], *mine["rules"], *mine["groups"]):  # as an older version of the program left it
            sandbox.aws("elbv2").remove_tags(ResourceArns=[arn], TagKeys=[PROJECT_TAG])
        assert not _everything(sandbox, "eks-cutover")["rules"]
        back = sandbox.cutover("rollback", "--reason", "5xx", *_YES)
        assert back.returncode == Code.UNFINISHED, back.stderr
        assert "2 rules moved" in back.stderr
        assert "apply it with pulumi up -s dev" in back.stderr
        marks = watch(lambda **options: stack.up(refresh=True, **options))
        assert not marks.failure
        assert {step.op for step in marks.steps} - {"refresh"} == {"update"}
        assert {kind: _everything(sandbox, "eks-cutover")[kind] for kind in _IN_ELB} == {
            kind: mine[kind] for kind in _IN_ELB
        }
        _done(sandbox, "release", *_YES)
        _done(sandbox, "shift", "v1-36=100", *_YES)

        inside = Cluster(sandbox.store, "dev-v1-35")
        service = {"metadata": {"namespace": "web", "name": "shop"}, "spec": {"type": "LoadBalancer"}}
        inside.put("Service", "web", "shop", service)
        used = sandbox.cutover("retire", "v1-35", "-s", "dev", "--confirm", "v1-35")
        assert used.returncode == Code.REFUSED, used.stderr
        assert "web/shop" in used.stderr
        assert "unreachable" not in used.stderr
        inside.delete("Service", "web", "shop")

        set_reachable(sandbox.store, "dev-v1-35", reachable=False)
        refused = sandbox.cutover("retire", "v1-35", "-s", "dev", "--confirm", "v1-35")
        assert refused.returncode == Code.REFUSED, refused.stderr
        assert "--acknowledge unreachable" in refused.stderr
        assert "v1-35" in stackfile.read(sandbox.project, "dev")["eks-cutover:clusters"]

        retired = _done(sandbox, "retire", "v1-35", "-s", "dev", "--confirm", "v1-35", "-a", "unreachable")
        assert "aws appmesh delete-mesh --mesh-name dev-v1-35" in retired
        document = yaml.safe_load((sandbox.project / "Pulumi.dev.yaml").read_text())
        assert document["config"]["eks-cutover:weights"] == {"v1-36": 100}
        assert list(document["config"]["eks-cutover:clusters"]) == ["v1-36"]
        assert watch(stack.preview).steps == ()
        assert sandbox.aws("eks").list_clusters()["clusters"] == ["dev-v1-36", "shop-v1-35", "shop-v1-36"]
        assert _everything(neighbour, _NEIGHBOUR) == its


def _all_on_the_old(config: Config) -> None:
    config["eks-cutover:weights"] = {"v1-35": 100, "v1-36": 0}
    config["eks-cutover:clusters"]["v1-35"]["deletionProtection"] = True
    config["eks-cutover:retirement"] = {"soakHours": 0}
    for route in config["eks-cutover:routes"].values():
        route["deregistrationDelay"] = 0


def _move_in(sandbox: Sandbox) -> Sandbox:
    """Bring another project's stack of the same name up, in the same account and region, and return its sandbox."""
    neighbour = copy.copy(sandbox)
    neighbour.project = sandbox.folder / _NEIGHBOUR
    shutil.copytree(sandbox.project, neighbour.project, symlinks=True)
    for file in (neighbour.project / "Pulumi.yaml", neighbour.project / "Pulumi.dev.yaml"):
        said = file.read_text().replace("name: eks-cutover\n", f"name: {_NEIGHBOUR}\n").replace(ZONES[0], _ITS_ZONE)
        file.write_text(said.replace("eks-cutover:", f"{_NEIGHBOUR}:"))

    def edit(config: Config) -> None:
        for key, cluster in config[f"{_NEIGHBOUR}:clusters"].items():
            cluster["name"] = f"{_NEIGHBOUR}-{key}"
        config[f"{_NEIGHBOUR}:weights"] = {"v1-35": 100, "v1-36": 0}

    stackfile.edit(neighbour.project, "dev", edit)
    assert not watch(neighbour.stack("dev").up).failure
    return neighbour


def _everything(sandbox: Sandbox, project: str) -> dict[str, Any]:
    """Return all that a project's dev stack has outside its clusters: in AWS, in the backend, and its stack file."""
    elb, found = sandbox.aws("elbv2"), dict[str, Any]()
    found["balancers"] = _marked(sandbox, project, elb.describe_load_balancers()["LoadBalancers"], "LoadBalancerArn")
    listeners = [
        listener["ListenerArn"]
        for arn in found["balancers"]
        for listener in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    ]
    rules = [rule for arn in listeners for rule in elb.describe_rules(ListenerArn=arn)["Rules"]]
    found["rules"] = _marked(sandbox, project, rules, "RuleArn")
    found["groups"] = _marked(sandbox, project, elb.describe_target_groups()["TargetGroups"], "TargetGroupArn")
    found["targets"] = {
        arn: elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] for arn in found["groups"]
    }
    held = sandbox.aws("ssm").describe_parameters()["Parameters"]
    found["holds"] = [one["Name"] for one in held if one["Name"].startswith(f"/eks-cutover/{project}/")]
    state = sandbox.folder / "state" / ".pulumi"
    found["backend"] = {
        str(file): file.stat().st_mtime_ns for file in sorted(state.rglob("*")) if f"/{project}/" in str(file)
    }
    found["file"] = (sandbox.project / "Pulumi.dev.yaml").read_bytes()
    return found


def _marked(sandbox: Sandbox, project: str, things: list[dict[str, Any]], arn: str) -> dict[str, Any]:
    """Return the things that are marked as a project's, by ARN, with their tags."""
    found = dict[str, Any]()
    for thing in things:
        (told,) = sandbox.aws("elbv2").describe_tags(ResourceArns=[thing[arn]])["TagDescriptions"]
        tags = {tag["Key"]: tag["Value"] for tag in told["Tags"]}
        if tags.get(PROJECT_TAG) == project:
            found[thing[arn]] = thing, tags
    return found


def _done(sandbox: Sandbox, *arguments: str) -> str:
    ended = sandbox.cutover(*arguments)
    assert ended.returncode == Code.DONE, ended.stderr
    return ended.stdout
