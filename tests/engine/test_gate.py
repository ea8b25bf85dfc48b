"""The gate where it stands: at the engine, in previews, updates, targeted updates and destroys."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from cutover.aws.hold import hold_name
from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.engine.sandbox import Sandbox
from tests.cutover.tagged import OWNER
from tests.engine.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rehearsal.engine.executable import Engine
    from rehearsal.play.stackfile import Config


def _weights(old: int, new: int) -> Callable[[Config], None]:
    return lambda config: config.update({"eks-cutover:weights": {"v1-35": old, "v1-36": new}})


def _another_route(*, live: bool) -> Callable[[Config], None]:
    def edit(config: Config) -> None:
        routes = config["eks-cutover:routes"]
        routes["extra"] = {**copy.deepcopy(routes["web"]), "priority": 3, "hosts": ["extra.example.com"], "live": live}

    return edit


@pytest.fixture(scope="module")
def base(pulumi_engine: Engine) -> Generator[Standing]:
    """Bring the dev stack up with all traffic on the old cluster: the first update of an empty account."""
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES) as sandbox:
        standing = Standing(sandbox, "dev", sandbox.stack("dev"))
        with standing.edited(_weights(100, 0)):
            assert not watch(standing.stack.up).failure
        yield standing


@pytest.fixture
def gated(base: Standing) -> Generator[Standing]:
    """Give each test the stack with the old cluster healthy and the new one without a target."""
    base.heal(4, "v1-35")
    base.heal(0, "v1-36")
    before = base.live(), base.groups()
    yield base
    if (base.live(), base.groups()) != before:
        base.heal(4, "v1-35")
        base.heal(0, "v1-36")  # so that going back can only be better
        assert not base.up(_weights(100, 0)).failure


def _weighted(standing: Standing) -> list[dict[str, Any]]:
    """Return to which target groups the weighted rules forward, and how much."""
    return [rule["Actions"][0]["ForwardConfig"] for rule in standing.rules() if len(_forwarded(rule)) > 1]


def _forwarded(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", [])


def test_a_raise_without_a_healthy_target_is_refused_in_the_preview_and_in_the_update(gated: Standing) -> None:
    before = gated.live()
    previewed, updated = gated.preview(_weights(99, 1)), gated.up(_weights(99, 1))
    for run in (previewed, updated):
        assert "v1-36 has 0 healthy targets and would need 2 for 1%" in run.failure
        assert "Traceback" not in run.failure
    assert "has stopped" not in previewed.failure
    assert "The rest of this update has stopped too" in updated.failure
    assert gated.live() == before


def test_two_routes_of_which_one_is_unhealthy_and_nothing_moves(gated: Standing) -> None:
    before = gated.live()
    gated.heal(4, "v1-36", route="web")
    run = gated.up(_weights(90, 10))
    assert "no route moves" in run.failure
    assert "grpc-api: v1-36 has 0 healthy targets" in run.failure
    assert gated.live() == before


def test_a_raise_onto_healthy_targets_passes(gated: Standing) -> None:
    gated.heal(4, "v1-36")
    assert not gated.up(_weights(50, 50)).failure
    assert gated.live() == {key: {"v1-35": 50, "v1-36": 50} for key in gated.config["eks-cutover:routes"]}


def test_a_targeted_update_does_not_go_around_the_gate(gated: Standing) -> None:
    before = gated.live()
    with gated.edited(_weights(99, 1)):
        run = watch(gated.stack.up, target=["**::web-weighted"])
    assert "the gate refuses" in run.failure
    assert gated.live() == before


def test_what_is_live_counts_and_not_what_the_state_remembers(gated: Standing) -> None:
    """Somebody moved everything to the new cluster in the console; the old one has died since."""
    gated.heal(4, "v1-36")
    _set_live(gated, {"v1-35": 0, "v1-36": 100})
    gated.heal(0, "v1-35")

    def unrelated(config: Config) -> None:
        _weights(100, 0)(config)
        for route in config["eks-cutover:routes"].values():
            route["paths"] = ["/*", "/unrelated"]

    run = gated.up(unrelated)
    assert "v1-35 has 0 healthy targets" in run.failure
    assert gated.live() == {key: {"v1-35": 0, "v1-36": 100} for key in gated.config["eks-cutover:routes"]}
    _set_live(gated, {"v1-35": 100, "v1-36": 0})


def test_a_replaced_target_group_gets_no_share(gated: Standing) -> None:
    before = _weighted(gated)
    gated.heal(4, "v1-36")

    def other_protocol(config: Config) -> None:
        _weights(100, 0)(config)
        config["eks-cutover:routes"]["web"]["protocolVersion"] = "HTTP2"

    assert gated.up(other_protocol).failure
    assert _weighted(gated) == before
    gated.unprotect("web")
    said = gated.preview(other_protocol).failure
    assert "the target group of v1-35 serves, and an empty one would take its place" in said
    assert not gated.up(_weights(100, 0)).failure


def test_a_new_route_waits_until_its_targets_are_healthy(gated: Standing) -> None:
    def both(live: bool) -> Callable[[Config], None]:
        def edit(config: Config) -> None:
            _weights(100, 0)(config)
            _another_route(live=live)(config)

        return edit

    assert "extra: v1-35 has 0 healthy targets" in gated.up(both(True)).failure
    assert not gated.up(both(False)).failure
    gated.heal(4, "v1-35", route="extra")
    assert not gated.up(both(True)).failure
    assert gated.live()["extra"] == {"v1-35": 100, "v1-36": 0}
    _let_go(gated, "extra")


def _let_go(standing: Standing, route: str) -> None:
    """Take a live route away, as the README tells."""
    standing.unprotect(route)
    override = {"removeRoutes": [route], "reason": "the test is over"}

    def edit(config: Config) -> None:
        _weights(100, 0)(config)
        config["eks-cutover:gate"] = {"override": override}

    assert not standing.up(edit).failure


def test_a_live_route_cannot_be_removed_even_when_its_protection_is_lifted(gated: Standing) -> None:
    before = gated.live()
    rule = next(
        resource["urn"]
        for resource in (gated.stack.export_stack().deployment or {})["resources"]
        if resource["urn"].endswith("::web-weighted")
    )
    gated.sandbox.pulumi("state", "unprotect", "--yes", "-s", gated.name, rule)

    def without(config: Config) -> None:
        _weights(100, 0)(config)
        del config["eks-cutover:routes"]["web"]

    assert "web is live" in gated.preview(without).failure
    assert gated.live() == before


def test_a_destroy_is_refused(gated: Standing) -> None:
    before = gated.live()
    for extra in ([], ["--skip-preview"], ["--run-program"]):
        answer = gated.sandbox.pulumi("destroy", "--yes", "-s", gated.name, *extra)
        assert answer.returncode != 0
    assert gated.live() == before


def test_a_hold_refuses_every_move_until_it_is_released(gated: Standing) -> None:
    gated.heal(4, "v1-36")
    ssm = gated.sandbox.aws("ssm")
    held = {route: {"v1-35": 100, "v1-36": 0} for route in gated.config["eks-cutover:routes"]}
    hold = {"weights": held, "who": "sre", "why": "errors", "when": "2026-11-24T03:00Z"}
    ssm.put_parameter(Name=hold_name(OWNER), Value=json.dumps(hold), Type="String")

    def forced(config: Config) -> None:
        _weights(50, 50)(config)
        config["eks-cutover:gate"] = {"override": {"weights": {"v1-35": 50, "v1-36": 50}, "reason": "merged before"}}

    try:
        for change in (_weights(50, 50), forced):
            words = "a rollback of 2026-11-24T03:00Z by sre (errors) holds the weights"
            assert words in gated.preview(change).failure
    finally:
        ssm.delete_parameter(Name=hold_name(OWNER))
    assert not gated.preview(_weights(50, 50)).failure


def test_the_override_lets_exactly_its_weights_through_and_says_so(gated: Standing) -> None:
    def forced(old: int, new: int) -> Callable[[Config], None]:
        def edit(config: Config) -> None:
            _weights(old, new)(config)
            override = {"weights": {"v1-35": 95, "v1-36": 5}, "reason": "a drill"}
            config["eks-cutover:gate"] = {"override": override}

        return edit

    assert gated.preview(forced(90, 10)).failure
    with gated.edited(forced(95, 5)):
        said = gated.sandbox.pulumi("up", "--yes", "-s", gated.name)
    assert said.returncode == 0, said.stdout
    assert "the gate is overridden for v1-35 95, v1-36 5. Reason: a drill" in said.stdout


def test_an_account_that_cannot_be_read_is_a_refusal(gated: Standing) -> None:
    gated.sandbox.store.put(
        "fault", "unreadable", {"service": "elbv2", "action": "DescribeTargetHealth", "status": 403,
                                "code": "AccessDenied", "message": "not allowed", "remaining": 100, "after": 0}
    )  # fmt: skip
    try:
        failure = gated.preview(_weights(99, 1)).failure
        assert "could not be read" in failure
        assert "not allowed" in failure
    finally:
        gated.sandbox.store.delete("fault", "unreadable")


def _set_live(standing: Standing, weights: dict[str, int]) -> None:
    """Change the weighted rules behind the back of the engine, as somebody in the console would."""
    elb = standing.sandbox.aws("elbv2")
    for rule in standing.rules():
        if len(groups := _forwarded(rule)) > 1:
            wanted = [{**group, "Weight": weight} for group, weight in zip(groups, weights.values(), strict=True)]
            action = {"Type": "forward", "ForwardConfig": {"TargetGroups": wanted}}
            elb.modify_rule(RuleArn=rule["RuleArn"], Actions=[action])


def test_an_engine_that_takes_one_step_at_a_time_gets_its_answer(gated: Standing) -> None:
    """The gate's reads must not wait for threads that registrations hold, which wait for the step that is gated."""
    gated.heal(4, "v1-36")
    with gated.edited(_weights(50, 50)):
        preview = gated.sandbox.pulumi("preview", "-s", gated.name, "--parallel", "1")
    assert preview.returncode == 0, preview.stdout
