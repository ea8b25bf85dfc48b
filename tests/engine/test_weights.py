"""A shift on the real engine: an edit of weights plans weighted rules, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from settings.imports import LISTENER_RULE

if TYPE_CHECKING:
    from rehearsal.play.stackfile import Config
    from tests.engine.standing import Standing


# What a shift touches is asked of both stacks in test_migration.py.
only_dev = pytest.mark.parametrize("standing", ["dev"], indirect=True)


def _half(config: Config) -> None:
    config["eks-cutover:weights"] = {"v1-35": 50, "v1-36": 50}


def test_a_second_preview_plans_nothing(standing: Standing) -> None:
    run = standing.preview()
    assert not run.failure
    assert (run.steps, run.kept) == ((), ())


@only_dev
def test_a_shift_is_one_update_per_route_of_weights_alone_and_the_reverse_edit_takes_it_back(
    standing: Standing,
) -> None:
    before = standing.live()
    assert len(before) == len(standing.config["eks-cutover:routes"])
    shifted = standing.up(_half)
    assert not shifted.failure
    assert {step.name for step in shifted.steps} == {f"{route}-weighted" for route in before}
    for step in shifted.steps:
        assert (step.op, step.type) == ("update", LISTENER_RULE)
        assert step.paths == tuple(f"actions[0].forward.targetGroups[{index}].weight" for index in (0, 1))
    assert standing.live() == {key: {"v1-35": 50, "v1-36": 50} for key in before}
    back = standing.up()
    assert not back.failure
    assert sorted(step.name for step in back.steps) == sorted(step.name for step in shifted.steps)
    assert standing.live() == before


@only_dev
def test_weights_of_one_route_alone_move_that_route_alone(standing: Standing) -> None:
    route = sorted(standing.config["eks-cutover:routes"])[0]

    def move(config: Config) -> None:
        config["eks-cutover:routes"][route]["weights"] = {"v1-35": 7, "v1-36": 3}

    run = standing.preview(move)
    assert [step.name for step in run.steps] == [f"{route}-weighted"]


@only_dev
def test_weights_in_the_outputs_are_those_of_the_rules_after_a_targeted_update(standing: Standing) -> None:
    route, other = sorted(standing.config["eks-cutover:routes"])[:2]
    with standing.edited(_half):
        standing.stack.up(target=[f"**::{route}-weighted"])
    weights = standing.stack.outputs()["weights"].value
    assert weights[route] == {"v1-35": 50, "v1-36": 50}
    assert weights[other] == standing.config["eks-cutover:weights"]
    assert not standing.up().failure
