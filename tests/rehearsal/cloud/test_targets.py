"""Targets as AWS keeps them: by id and port, with a state, and a while of draining before they are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rehearsal.cloud.store import Store
from rehearsal.cloud.targets import Target, Targets

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/web/1"
OTHER = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/api/2"
DELAY = 30.0


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def targets(tmp_path: Path, clock: Clock) -> Targets:
    return Targets(Store(tmp_path / "store.sqlite"), clock)


def states(targets: Targets, group: str = GROUP) -> dict[tuple[str, int], str]:
    return {(target.id, target.port): target.state for target in targets.of(group)}


def test_a_registered_target_is_initial_and_keeps_its_zone(targets: Targets) -> None:
    targets.register(GROUP, [("10.0.0.1", 80, "ap-northeast-1a")])
    assert targets.of(GROUP) == [
        Target(
            GROUP,
            "10.0.0.1",
            80,
            "ap-northeast-1a",
            "initial",
            "Elb.RegistrationInProgress",
            "Target registration is in progress",
            since=1000.0,
        )
    ]


def test_two_ports_of_one_id_are_two_targets(targets: Targets) -> None:
    targets.register(GROUP, [("i-1", 30080, ""), ("i-1", 30081, "")])
    targets.set_state(GROUP, "i-1", 30080, "healthy")
    assert states(targets) == {("i-1", 30080): "healthy", ("i-1", 30081): "initial"}


def test_registering_again_changes_nothing(targets: Targets) -> None:
    targets.register(GROUP, [("i-1", 80, "")])
    targets.set_state(GROUP, "i-1", 80, "healthy")
    targets.register(GROUP, [("i-1", 80, "")])
    assert states(targets) == {("i-1", 80): "healthy"}


def test_a_deregistered_target_drains_for_the_delay_and_is_gone(targets: Targets, clock: Clock) -> None:
    targets.register(GROUP, [("i-1", 80, "")])
    targets.deregister(GROUP, [("i-1", 80)], DELAY)
    [leaving] = targets.of(GROUP)
    assert (leaving.state, leaving.reason) == ("draining", "Target.DeregistrationInProgress")
    assert leaving.until == 1030.0
    clock.time += DELAY - 1
    assert states(targets) == {("i-1", 80): "draining"}
    clock.time += 1
    assert targets.of(GROUP) == []
    assert targets.groups() == set()


def test_a_second_deregistration_does_not_prolong_the_first(targets: Targets, clock: Clock) -> None:
    targets.register(GROUP, [("i-1", 80, "")])
    targets.deregister(GROUP, [("i-1", 80)], DELAY)
    clock.time += DELAY - 1
    targets.deregister(GROUP, [("i-1", 80)], DELAY)
    clock.time += 1
    assert targets.of(GROUP) == []


def test_a_target_that_was_never_registered_does_not_appear_by_leaving_or_by_a_health_check(targets: Targets) -> None:
    targets.deregister(GROUP, [("i-1", 80)], DELAY)
    targets.set_state(GROUP, "i-1", 80, "healthy")
    assert targets.of(GROUP) == []


def test_a_health_check_does_not_bring_a_leaving_target_back(targets: Targets) -> None:
    targets.register(GROUP, [("i-1", 80, "")])
    targets.deregister(GROUP, [("i-1", 80)], DELAY)
    targets.set_state(GROUP, "i-1", 80, "healthy")
    assert states(targets) == {("i-1", 80): "draining"}


def test_a_target_that_comes_back_begins_anew(targets: Targets, clock: Clock) -> None:
    targets.register(GROUP, [("i-1", 80, "")])
    targets.set_state(GROUP, "i-1", 80, "healthy")
    targets.deregister(GROUP, [("i-1", 80)], DELAY)
    targets.register(GROUP, [("i-1", 80, "")])
    clock.time += DELAY
    assert states(targets) == {("i-1", 80): "initial"}


def test_a_state_has_the_reason_in_the_words_of_aws_and_the_time_of_its_beginning(
    targets: Targets, clock: Clock
) -> None:
    targets.register(GROUP, [("i-1", 80, "")])
    clock.time += 5
    targets.set_state(GROUP, "i-1", 80, "unhealthy", "Target.Timeout")
    clock.time += 5
    codes = "Health checks failed with these codes: [500]"
    targets.set_state(GROUP, "i-1", 80, "unhealthy", "Target.ResponseCodeMismatch", description=codes)
    [target] = targets.of(GROUP)
    assert (target.reason, target.description, target.since) == ("Target.ResponseCodeMismatch", codes, 1005.0)


def test_groups_are_apart_and_a_deleted_one_is_forgotten_with_its_targets(targets: Targets) -> None:
    targets.register(GROUP, [("i-1", 80, "")])
    targets.register(OTHER, [("i-1", 80, ""), ("i-2", 80, "")])
    assert states(targets) == {("i-1", 80): "initial"}
    assert targets.groups() == {GROUP, OTHER}
    targets.forget(GROUP)
    assert targets.groups() == {OTHER}
    assert states(targets, OTHER) == {("i-1", 80): "initial", ("i-2", 80): "initial"}
