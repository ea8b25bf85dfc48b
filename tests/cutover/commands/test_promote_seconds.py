"""A promotion whose new cluster dies: at every second from its beginning to its end.

The account is a stand-in that counts seconds; test_promote.py has the same phases over an emulated AWS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import typer
from typer.testing import CliRunner

from cutover.aws import minutes
from cutover.commands import opened, rollout
from cutover.commands import promote as command
from cutover.commands.app import app
from cutover.commands.terminal import Code
from cutover.rules.found import Found, TargetGroup, WeightedRule
from cutover.rules.move import Group
from cutover.rules.traffic import Reading, Traffic
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

    from settings import Settings

OLD, NEW = "v1-35", "v1-36"
ROUTES = ("web", "grpc-api")
NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
NEVER = 10_000


@cache
def _settings(old: int, new: int) -> Settings:
    rollout = {"steps": [10, 100], "hold": 180, "metrics": {"minRequests": 5}}
    return settings_of("dev", {"rollout": rollout, "weights": {OLD: old, NEW: new}})


@dataclass
class World:
    """Two routes, whose new cluster loses its targets at the second ``dies``. Shifts and holds take seconds."""

    dies: int
    second: int = 0
    weights: dict[str, int] = field(default_factory=lambda: {OLD: 100, NEW: 0})
    held: bool = False
    stack: str = "dev"
    named: str = "dev"
    owner: str = "shop dev"

    @property
    def dead(self) -> bool:
        """Whether it has lost them."""
        return self.second >= self.dies

    def wait(self, seconds: float) -> None:
        """Let seconds pass."""
        self.second += int(seconds)

    def unconfirmed(self) -> None:
        """Tell what a killed command has left: nothing."""

    def content(self) -> bytes:
        """Return what stands in the stack file, which nobody else edits."""
        return b""

    def settings(self) -> Settings:
        """Return what the stack file says."""
        return _settings(self.weights[OLD], self.weights[NEW])

    def find(self) -> Found:
        """Find the rule."""
        weights = {route: {f"{route} {of}": weight for of, weight in self.weights.items()} for route in ROUTES}
        groups = {
            f"{route} {of}": TargetGroup(f"{route} {of}", route, of, checked=True)
            for route in ROUTES
            for of in (OLD, NEW)
        }
        return Found({route: WeightedRule(route, "balancer", weights[route]) for route in ROUTES}, groups, None)

    def traffic(self) -> Found:
        """Find the rule."""
        return self.find()

    def health(self, groups: Iterable[TargetGroup]) -> dict[str, Group]:
        """Tell what is healthy."""
        return {
            one.arn: Group(cluster=one.cluster, units=0 if self.dead and one.cluster == NEW else 4) for one in groups
        }

    def carry_out(self, _: Any, ask: Callable[[Any], dict[str, int]], **__: Any) -> None:
        """Shift as commands/shift.py does: the gate in the preview and in the update, then a look at health."""
        wanted = ask(SimpleNamespace(weights=self.weights))
        for seconds in (2, 3):
            if self.dead:
                raise typer.Exit(Code.REFUSED)
            self.second += seconds
        self.weights = wanted
        self.second += 5
        if self.dead:
            raise typer.Exit(Code.FAILED)

    def go_back(self, *_: Any, **__: Any) -> None:
        """Go back, and leave a hold."""
        self.weights, self.held = {OLD: 100, NEW: 0}, True


def promoted(monkeypatch: pytest.MonkeyPatch, world: World) -> int:
    def read(_: Any, groups: dict[str, str], *__: Any) -> Reading:
        return Reading(dict.fromkeys(groups, Traffic(5000, 0, 0.05)), dict.fromkeys(groups.values(), Traffic(10_000)))

    monkeypatch.setattr(opened, "project", lambda *_: world)
    monkeypatch.setattr(opened, "session", lambda _: None)
    monkeypatch.setattr(opened, "Live", lambda *_: world)
    monkeypatch.setattr(command, "carry_out", world.carry_out)
    monkeypatch.setattr(command, "go_back", world.go_back)
    monkeypatch.setattr(rollout, "now", lambda: NOON + timedelta(seconds=world.second))
    monkeypatch.setattr(rollout, "wait", world.wait)
    monkeypatch.setattr(minutes, "read", read)
    monkeypatch.setattr(minutes, "window", lambda since, now: (since, now))
    return CliRunner().invoke(app, ["promote", NEW, "--yes"]).exit_code


def test_at_whatever_second_the_new_cluster_dies_all_is_back_on_the_old_one_and_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = World(NEVER)
    assert promoted(monkeypatch, whole) == Code.DONE
    assert whole.weights == {OLD: 0, NEW: 100}
    ends: dict[int, tuple[int, bool]] = {}
    for second in range(whole.second + 1):
        world = World(second)
        ends[second] = promoted(monkeypatch, world), world.held
        assert world.weights == {OLD: 100, NEW: 0}, second
    first_move = 3  # before which the gate refuses the first step, and nothing is to be taken back
    assert {ends[second] for second in range(first_move)} == {(Code.REFUSED, False)}
    assert {ends[second] for second in range(first_move, whole.second + 1)} == {(Code.ROLLED_BACK, True)}
