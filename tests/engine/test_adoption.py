"""From a cluster and a listener that others made to a cluster of the stack's own, under load, and all the way back."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.cloud.kubernetes.cluster import AUTO_MODE, LOAD_BALANCER_CONTROLLER
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play import foreign_cluster, stackfile
from rehearsal.play.brownfield import NAME, PORT, WHO, Brownfield, brownfield
from rehearsal.play.destinations import Destination
from rehearsal.play.foreign_cluster import land
from rehearsal.play.load import Load, Names, ask
from rehearsal.world.workloads import WORKLOAD
from tests.cutover.documents import as_documented
from tests.engine.under_load import NEW, UnderLoad, lost, until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rehearsal.engine.executable import Engine
    from rehearsal.play.stackfile import Config

HOST = "app.example.com"
_AT_ONCE = {"soakHours": 0, "lookAgainMinutes": 0}
_ENOUGH = {"replicas": 6}  # whatever CloudWatch has counted by then, of which a busy machine makes more
OLD, OLD_NAME = "blue", "prod-blue"
AUTO, AUTO_NAME = "auto", "prod-auto"
ELSEWHERE = "222222222222"  # the account of the old cluster, which has a VPC of its own there
ROLE = f"arn:aws:iam::{ELSEWHERE}:role/stack/eks-cutover"
TARGETS = f"arn:aws:iam::{foreign_cluster.OWN_ACCOUNT}:role/targets"
APART = {
    "existing": {"name": OLD_NAME, "assumeRole": ROLE, "loadBalancerCidrs": ["10.50.0.0/19"]},
    "loadBalancerController": {"crdLevel": "2.13", "iamRoleArnToAssume": TARGETS, "assumeRoleExternalId": "prod"},
}


@contextmanager
def _standing(
    engine: Engine, change: Callable[[Brownfield, Config], None], *clusters: str
) -> Generator[tuple[Brownfield, UnderLoad, dict[str, Any]]]:
    """Yield what others made, a stack that is about to have rules there, and what stood before it."""
    with Sandbox(engine, PROGRAM, zones=ZONES, world=True) as sandbox, brownfield(sandbox, HOST) as there:
        for name in clusters:
            chart = AUTO_MODE if name == AUTO_NAME else LOAD_BALANCER_CONTROLLER
            at = land(sandbox, ELSEWHERE, "10.60") if name == OLD_NAME else there.land
            foreign_cluster.cluster(sandbox, at, name, ["web"], chart, level="2.13" if name == OLD_NAME else "")
        foreign_cluster.role(sandbox, ROLE)
        foreign_cluster.role(sandbox, TARGETS, ELSEWHERE, "prod")
        stackfile.edit(sandbox.project, "dev", lambda config: change(there, config))
        names, to = Names(sandbox.store, sandbox.aws("route53")), [Destination("web", HOST, "/")]
        stack = UnderLoad(sandbox, "dev", sandbox.stack("dev"), Load(names, to, rate=60))
        until("the listener answers", lambda: ask(names, to[0]).cluster == WHO)
        with stack.load:
            yield there, stack, there.standing()


def _on(there: Brownfield, config: Config) -> None:
    config["eks-cutover:network"] = there.land.network
    config["eks-cutover:loadBalancers"] = {
        "shared": {"existing": {"name": NAME, "port": PORT}, "rulePriorities": {"min": 100, "max": 300}}
    }
    web = config["eks-cutover:routes"]["web"]
    config["eks-cutover:routes"] = {"web": {**web, "hosts": [HOST], "live": False, "targetType": "ip"}}
    config["eks-cutover:clusters"] = {
        OLD: APART,
        AUTO: {"existing": {"name": AUTO_NAME}, "loadBalancerController": {"managedBy": "autoMode"}},
        NEW: config["eks-cutover:clusters"][NEW],
    }
    config["eks-cutover:weights"] = {OLD: 100, AUTO: 0, NEW: 0}
    config["eks-cutover:mesh"] = {"kind": "none"}
    del config["eks-cutover:serviceDiscovery"]


def _web(**keys: Any) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:routes"]["web"].update(keys)


def test_a_route_takes_from_the_rule_that_answers_today_and_gives_back_and_nobody_loses_a_request(
    pulumi_engine: Engine,
) -> None:
    with _standing(pulumi_engine, _on, OLD_NAME, AUTO_NAME) as (there, stack, stood):
        _walk(there, stack, stood)


def _walk(there: Brownfield, stack: UnderLoad, stood: dict[str, Any]) -> None:
    stack.sandbox.store.put(WORKLOAD, f"{OLD_NAME}|web", {"alive": False})
    for cluster in (AUTO_NAME, NEW):
        stack.sandbox.store.put(WORKLOAD, f"{cluster}|web", _ENOUGH)
    with stack.noting("first") as answers:
        first = stack.up()
    assert not first.failure
    made = {step.type for step in first.steps}
    assert not made & {"aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener"}
    assert not [one for one in made if one.startswith("aws:route53")]
    assert not lost(answers)
    assert {one.cluster for one in answers} == {WHO}
    assert not stack.preview().steps

    refused = stack.preview(_web(live=True))
    assert f"{OLD} has 0 healthy targets" in refused.failure
    stack.sandbox.store.delete(WORKLOAD, f"{OLD_NAME}|web")
    stack.until_healthy(OLD)

    stackfile.edit(stack.sandbox.project, "dev", _web(live=True))
    with stack.noting("live") as answers:
        live = stack.up()
    assert not live.failure
    assert [(step.op, step.name) for step in live.steps] == [("create", "web-weighted")]
    assert not lost(answers)
    assert answers[-1].cluster == OLD_NAME

    for key in (AUTO, NEW):
        stack.until_healthy(key)
    with stack.noting("shift") as answers:
        moved = stack.sandbox.cutover("shift", f"{OLD}=0", f"{AUTO}=50", f"{NEW}=50", "-s", "dev", "--yes")
    assert moved.returncode == 0, moved.stderr
    assert not lost(answers)
    assert {AUTO_NAME, NEW} <= {one.cluster for one in answers}
    with stack.noting("rollback") as answers:
        back = stack.sandbox.cutover("rollback", "--to", OLD, "-s", "dev", "--yes", "--reason", "to see it")
    assert back.returncode == 0, back.stderr
    assert not lost(answers)
    held = stack.preview(_web(live=False))
    assert "cutover release" in held.failure
    assert stack.sandbox.cutover("release", "-s", "dev", "--yes").returncode == 0

    stackfile.edit(stack.sandbox.project, "dev", _web(live=False))
    with stack.noting("given back") as answers:
        given = stack.up()
    assert not given.failure
    assert [(step.op, step.name) for step in given.steps] == [("delete", "web-weighted")]
    assert not lost(answers)
    assert answers[-1].cluster == WHO

    with stack.noting("destroyed") as answers:
        gone = watch(stack.stack.destroy)
    assert not gone.failure
    assert not lost(answers)
    assert there.standing() == stood


def _with_gitops(there: Brownfield, config: Config) -> None:
    _on(there, config)
    del config["eks-cutover:network"]
    gitops = {"bindings": {"applyBy": "gitops"}}
    config["eks-cutover:clusters"] = {
        "blue": {**APART, **gitops},
        "green": {"existing": {"name": "prod-green"}, **gitops},
    }
    config["eks-cutover:weights"] = {"blue": 100, "green": 0}
    config["eks-cutover:routes"]["web"]["deregistrationDelay"] = 0


def test_where_gitops_applies_the_bindings_no_cluster_is_asked_anything(pulumi_engine: Engine) -> None:
    with _standing(pulumi_engine, _with_gitops, "prod-blue", "prod-green") as (there, stack, stood):
        stack.sandbox.store.put(WORKLOAD, "prod-green|web", _ENOUGH)
        printed = {key: stack.sandbox.cutover("manifests", key, "-s", "dev") for key in ("blue", "green")}
        assert not [said.stderr for said in printed.values() if said.returncode]
        asked = ("--listener", f"{NAME}:{PORT}", "--clusters", f"prod-blue={ROLE},prod-green")
        adopted = stack.sandbox.cutover("adopt", *asked, "--region", stack.sandbox.region, "--write", "new")
        assert adopted.returncode == 0, adopted.stderr
        quiet = watch(stack.sandbox.stack("new").preview)
        assert not quiet.failure
        assert "web-weighted" not in {step.name for step in quiet.steps}
        first = stack.up()
        assert not first.failure
        kinds = {step.type.split("/")[0] for step in first.steps if not step.type.startswith("eks-cutover:")}
        assert kinds == {"pulumi:providers:aws", "aws:lb", "aws:vpc"}
        for key, said in printed.items():
            foreign_cluster.apply(stack.sandbox, f"prod-{key}", said.stdout)
            stack.until_healthy(key)
            written = stack.sandbox.project / f"{key}.yaml"
            written.write_text(said.stdout)
            assert stack.sandbox.cutover("manifests", key, "-s", "dev", "--check", written.name).returncode == 0
            written.write_text(said.stdout.replace("port: 80", "port: 81"))
            other = stack.sandbox.cutover("manifests", key, "-s", "dev", "--check", written.name)
            assert other.returncode == 1
            assert "+    port: 80" in other.stdout
        stackfile.edit(stack.sandbox.project, "dev", _web(live=True))
        with stack.noting("live") as answers:
            live = stack.up()
        assert not live.failure
        with stack.noting("shift") as moved:
            said = stack.sandbox.cutover("shift", "green=100", "-s", "dev", "--yes")
        assert said.returncode == 0, said.stderr
        assert not lost([*answers, *moved])
        assert moved[-1].cluster == "prod-green"
        assert stack.sandbox.cutover("rollback", "-s", "dev", "--yes", "--reason", "to see it").returncode == 2
        _retire_blue(stack)
        _give_away(stack)
        assert there.standing() == stood


def _give_away(stack: UnderLoad) -> None:
    """See that the stack forgets a route that is live, and then all, and that AWS and clients do not notice."""
    before, rules = stack.stack.export_stack().deployment, stack.rules()
    refused = stack.sandbox.cutover("disown", "green", "-s", "dev", "--yes")
    assert "A cluster goes by cutover retire green" in " ".join(refused.stderr.split())
    with stack.noting("disowned") as answers:
        said = stack.sandbox.cutover("disown", "web", "-s", "dev", "--yes")
    assert said.returncode == 0, said.stderr
    left = stack.stack.export_stack().deployment
    assert before
    assert left
    gone = {one["urn"].rpartition("::")[2] for one in before["resources"]} - {
        one["urn"].rpartition("::")[2] for one in left["resources"]
    }
    assert {"web", "web-weighted", "web-green", "web-green-preview"} <= gone
    assert any(name.startswith("green-from-shared") for name in gone)
    assert not stack.preview().steps, "nothing that serves is deleted by the next update"
    whole = stack.sandbox.cutover("disown", "-s", "dev", "--yes", "--json")
    assert whole.returncode == 0, whole.stderr
    as_documented("disown", json.loads(whole.stdout))
    assert not (stack.stack.export_stack().deployment or {}).get("resources")
    assert stack.rules() == rules
    assert not lost(answers)
    assert answers[-1].cluster == "prod-green"


def _retire_blue(stack: UnderLoad) -> None:
    """See that GitOps goes first, and that the cluster itself stays."""
    stackfile.edit(stack.sandbox.project, "dev", lambda config: config.update({"eks-cutover:retirement": _AT_ONCE}))
    assert not stack.up().failure
    retire = ("retire", "blue", "-s", "dev", "--confirm", "blue", "--acknowledge", "requests")
    bound = stack.sandbox.cutover(*retire)
    assert bound.returncode == 1
    assert "blue has targets registered in web: its bindings stand" in " ".join(bound.stderr.split())
    foreign_cluster.withdraw(stack.sandbox, "prod-blue", "web", "web")
    until("its targets are gone", lambda: not stack.registered("blue"))
    with stack.noting("retired") as answers:
        said = stack.sandbox.cutover(*retire)
    assert said.returncode == 0, said.stderr
    assert "stands as it was" in said.stderr
    assert not lost(answers)
