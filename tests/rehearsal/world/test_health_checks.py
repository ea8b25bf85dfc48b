"""How targets come to be healthy and unhealthy, by real checks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rehearsal.cloud.targets import Target, Targets
from rehearsal.world.alb import TargetGroup
from rehearsal.world.health_checks import HealthChecks
from tests.rehearsal.stage import CHECK, GRPC_CHECK, NEW, Stage, eventually, stage

if TYPE_CHECKING:
    from pathlib import Path

    from rehearsal.world.pods import Pod

SPEED = 20.0


class Checked:
    """One pod as a registered target that is checked; a test sees what DescribeTargetHealth would."""

    def __init__(self, setting: Stage, pod: Pod) -> None:
        self.targets = Targets(setting.store)
        self.checks = HealthChecks(self.targets, SPEED)
        self.pod = pod
        self.group = TargetGroup(NEW, pod.grpc, GRPC_CHECK if pod.grpc else CHECK)
        self.targets.register(NEW, [(pod.address, pod.port, "")])

    @property
    def target(self) -> Target:
        """The target as it is now."""
        return self.targets.of(NEW)[0]

    def follow(self) -> None:
        """Let the checks see what is registered."""
        place = (NEW, self.pod.address, self.pod.port)
        self.checks.follow({place: (self.group, self.pod.address, self.target)})

    async def comes_to_be(self, state: str, reason: str = "") -> None:
        """Wait until the target has a state, for a reason."""
        await eventually(lambda: (self.target.state, self.target.reason) == (state, reason))


@pytest.mark.parametrize("grpc", [False, True])
def test_a_target_turns_healthy_unhealthy_and_healthy_again(tmp_path: Path, *, grpc: bool) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            checked = Checked(setting, await setting.pod("v1-36", grpc=grpc))
            assert checked.target.state == "initial"
            checked.follow()
            await checked.comes_to_be("healthy")
            checked.pod.behaviour = replace(checked.pod.behaviour, health="fail")
            await checked.comes_to_be("unhealthy", "Target.ResponseCodeMismatch")
            assert checked.target.description == f"Health checks failed with these codes: [{14 if grpc else 503}]"
            checked.pod.behaviour = replace(checked.pod.behaviour, health="pass")
            await checked.comes_to_be("healthy")
            await checked.checks.close()

    asyncio.run(play())


@pytest.mark.parametrize("grpc", [False, True])
def test_a_dead_target_is_unhealthy(tmp_path: Path, *, grpc: bool) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            checked = Checked(setting, await setting.pod("v1-36", grpc=grpc))
            checked.follow()
            await checked.comes_to_be("healthy")
            await checked.pod.die()
            await checked.comes_to_be("unhealthy", "Target.FailedHealthChecks")
            await checked.checks.close()

    asyncio.run(play())


def test_a_target_that_does_not_answer_in_time_is_unhealthy(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:

            async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.read()
                writer.close()

            pod = await setting.pod("v1-36")
            await pod.die()
            server = await asyncio.start_server(silence, pod.address, pod.port)
            checked = Checked(setting, pod)
            checked.follow()
            await checked.comes_to_be("unhealthy", "Target.Timeout")
            await checked.checks.close()
            server.close()

    asyncio.run(play())


def test_a_target_that_is_registered_again_is_a_new_one(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            checked = Checked(setting, await setting.pod("v1-36"))
            checked.follow()
            await checked.comes_to_be("healthy")
            place = (checked.pod.address, checked.pod.port)
            checked.targets.deregister(NEW, [place], delay=60)
            checked.targets.register(NEW, [(*place, "")])
            assert checked.target.state == "initial"
            checked.follow()
            await checked.comes_to_be("healthy")
            await checked.checks.close()

    asyncio.run(play())


def test_a_target_that_is_no_longer_followed_keeps_its_state(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            checked = Checked(setting, await setting.pod("v1-36"))
            checked.follow()
            await checked.comes_to_be("healthy")
            checked.checks.follow({})
            await checked.pod.die()
            await asyncio.sleep(5 * CHECK.interval / SPEED)
            assert checked.target.state == "healthy"
            await checked.checks.close()

    asyncio.run(play())


def test_an_edited_health_check_counts_without_a_new_beginning(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            checked = Checked(setting, await setting.pod("v1-36"))
            checked.follow()
            await checked.comes_to_be("healthy")
            healthy_since = checked.target.since
            checked.group = replace(checked.group, check=replace(CHECK, path="/other"))
            checked.follow()
            await asyncio.sleep(3 * CHECK.interval / SPEED)
            assert (checked.target.state, checked.target.since) == ("healthy", healthy_since)
            checked.group = replace(checked.group, check=replace(CHECK, matcher="201"))
            checked.follow()
            await checked.comes_to_be("unhealthy", "Target.ResponseCodeMismatch")
            await checked.checks.close()

    asyncio.run(play())
