"""A shift on the real engine: an edit of weights plans weighted rules, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.migration import LISTENER_RULE

if TYPE_CHECKING:
    from rehearsal.stackfile import Config
    from tests.engine.standing import Standing


def _half(config: Config) -> None:
    config["eks-cutover:weights"] = {"v1-35": 50, "v1-36": 50}


def _live_weights(standing: Standing) -> dict[str, list[int]]:
    """Return what the emulated AWS has: the weights of every weighted rule, by route, in the order of the versions."""
    elb = standing.sandbox.aws("elbv2")
    found: dict[str, list[int]] = {}
    for balancer in elb.describe_load_balancers()["LoadBalancers"]:
        for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
            for rule in elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
                tags = elb.describe_tags(ResourceArns=[rule["RuleArn"]])["TagDescriptions"][0]["Tags"]
                named = {tag["Key"]: tag["Value"] for tag in tags}
                if "eks-cutover:route" in named and "eks-cutover:cluster" not in named:
                    groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
                    found[named["eks-cutover:route"]] = [group["Weight"] for group in groups]
    return found


def test_a_second_preview_plans_nothing(standing: Standing) -> None:
    run = standing.preview()
    assert not run.failure
    assert (run.steps, run.kept) == ((), ())


def test_an_edit_of_weights_plans_one_update_per_route_with_only_weights_in_it(standing: Standing) -> None:
    run = standing.preview(_half)
    assert not run.failure
    assert {step.name for step in run.steps} == {f"{route}-weighted" for route in standing.config["eks-cutover:routes"]}
    for step in run.steps:
        assert (step.op, step.type) == ("update", LISTENER_RULE)
        assert step.paths == tuple(f"actions[0].forward.targetGroups[{index}].weight" for index in (0, 1))


def test_a_shift_reaches_aws_and_the_reverse_edit_takes_it_back(standing: Standing) -> None:
    before = _live_weights(standing)
    assert len(before) == len(standing.config["eks-cutover:routes"])
    shifted = standing.up(_half)
    assert not shifted.failure
    assert set(map(tuple, _live_weights(standing).values())) == {(50, 50)}
    back = standing.up()
    assert not back.failure
    assert sorted(step.name for step in back.steps) == sorted(step.name for step in shifted.steps)
    assert _live_weights(standing) == before


def test_weights_of_one_route_alone_move_that_route_alone(standing: Standing) -> None:
    route = sorted(standing.config["eks-cutover:routes"])[0]

    def move(config: Config) -> None:
        config["eks-cutover:routes"][route]["weights"] = {"v1-35": 7, "v1-36": 3}

    run = standing.preview(move)
    assert [step.name for step in run.steps] == [f"{route}-weighted"]


def test_weights_in_the_outputs_are_those_of_the_rules_after_a_targeted_update(standing: Standing) -> None:
    route, other = sorted(standing.config["eks-cutover:routes"])[:2]
    with standing.edited(_half):
        standing.stack.up(target=[f"**::{route}-weighted"])
    weights = standing.stack.outputs()["weights"].value
    assert weights[route] == {"v1-35": 50, "v1-36": 50}
    assert weights[other] == standing.config["eks-cutover:weights"]
    assert not standing.up().failure
