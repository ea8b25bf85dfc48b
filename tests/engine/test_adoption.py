"""From a cluster and a listener that others made to a cluster of the stack's own, under load, and all the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.engine.sandbox import Sandbox
from rehearsal.play import stackfile
from rehearsal.play.brownfield import NAME, PORT, WHO, Brownfield, brownfield
from rehearsal.play.load import Destination, Load, Names, ask
from rehearsal.world.workloads import WORKLOAD
from tests.engine.under_load import NEW, UnderLoad, lost, until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rehearsal.engine.executable import Engine
    from rehearsal.play.stackfile import Config

HOST = "app.example.com"
OLD, OLD_NAME = "blue", "prod-blue"


@pytest.fixture(scope="module")
def before(pulumi_engine: Engine) -> Generator[tuple[Brownfield, UnderLoad, dict[str, Any]]]:
    """Return a listener of somebody else, a stack that is about to have rules there, and what stood before it."""
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES, world=True) as sandbox, brownfield(sandbox, HOST) as there:
        there.cluster(OLD_NAME, "1.33", "web")
        stackfile.edit(sandbox.project, "dev", lambda config: _on(there, config))
        names, to = Names(sandbox.store, sandbox.aws("route53")), [Destination("web", HOST, "/")]
        stack = UnderLoad(sandbox, "dev", sandbox.stack("dev"), Load(names, to, rate=60))
        until("the listener answers", lambda: ask(names, to[0]).cluster == WHO)
        with stack.load:
            yield there, stack, there.standing()


def _on(there: Brownfield, config: Config) -> None:
    config["eks-cutover:network"] = there.network
    config["eks-cutover:loadBalancers"] = {
        "shared": {"existing": {"name": NAME, "port": PORT}, "rulePriorities": {"min": 100, "max": 300}}
    }
    web = config["eks-cutover:routes"]["web"]
    config["eks-cutover:routes"] = {"web": {**web, "hosts": [HOST], "live": False}}
    config["eks-cutover:clusters"] = {
        OLD: {"existing": {"name": OLD_NAME}},
        NEW: config["eks-cutover:clusters"][NEW],
    }
    config["eks-cutover:weights"] = {OLD: 100, NEW: 0}
    config["eks-cutover:mesh"] = {"kind": "none"}
    del config["eks-cutover:serviceDiscovery"]


def _web(**keys: Any) -> Callable[[Config], None]:
    return lambda config: config["eks-cutover:routes"]["web"].update(keys)


def test_a_route_takes_from_the_rule_that_answers_today_and_gives_back_and_nobody_loses_a_request(
    before: tuple[Brownfield, UnderLoad, dict[str, Any]],
) -> None:
    there, stack, stood = before
    stack.sandbox.store.put(WORKLOAD, f"{OLD_NAME}|web", {"alive": False})
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

    stack.until_healthy(NEW)
    with stack.noting("shift") as answers:
        moved = stack.sandbox.cutover("shift", f"{NEW}=100", "-s", "dev", "--yes")
    assert moved.returncode == 0, moved.stderr
    assert not lost(answers)
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
