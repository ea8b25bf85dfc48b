"""A stand-in for `Project`, for commands that shift: a stack file with weights alone, and rules in an emulated AWS."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from cutover.engine.project import Project
from cutover.rules.run import Run, Step
from settings.imports import LISTENER_RULE
from tests.conftest import PROJECT
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cutover.engine.lock import Lock
    from settings import Settings
    from tests.cutover.tagged import Tagged

HEAD = "# What a pull request edits.\n"


@dataclass
class Engine(Project):
    """One stack. ``more`` are steps that every plan has besides; ``stops_after`` rules an update fails."""

    folder: Path
    tagged: Tagged
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    stack: str = "dev"
    lock: Lock | None = None
    more: tuple[Step, ...] = ()
    refusal: str = ""
    stops_after: int | None = None
    failure: str = "error: AWS says no"
    asked: list[str] = field(default_factory=list[str])
    at_preview: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        """Lay out the project."""
        super().__init__(self.folder, self.stack)
        (self.folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\n")
        self.file.write_text(f"{HEAD}weights: {{v1-35: 99, v1-36: 1}}\n")

    def settings(self) -> Settings:
        """Read the stack file."""
        return settings_of("dev", {**self.changes, **self._written()})

    def as_written(self) -> Settings:
        """Read the stack file, which here is never more than it says."""
        return self.settings()

    def locked(self) -> Lock | None:
        """Tell who is at work."""
        return self.lock

    def write_weights(self, weights: Mapping[str, int], route: str | None = None) -> None:
        """Write the stack file."""
        key = "weights" if route is None else f"routes.{route}.weights"
        with self._editing():
            self.file.write_text(HEAD + yaml.safe_dump({**self._written(), key: dict(weights)}))

    def refresh(self, targets: Sequence[str], *, only_preview: bool = False) -> Run:
        """Take in what is in AWS."""
        assert targets
        assert not only_preview
        self.asked.append("refresh")
        return Run((), (), 0.0)

    def preview_outside(self) -> Run:
        """Plan one update per rule that differs from the file."""
        self.asked.append("preview")
        self.at_preview()
        return Run((*self._steps(), *self.more), (), 0.0, self.refusal)

    def up(self, targets: Sequence[str] = (), **options: Any) -> Run:
        """Move the rules, one after the other."""
        assert targets
        assert not options
        self.asked.append("up")
        steps = self._steps()
        for place, step in enumerate(steps):
            if place == self.stops_after:
                return Run(tuple(steps), (), 0.0, self.failure)
            route = step.name.removesuffix("-weighted")
            self.tagged.set_weights(route, self.settings().weights_of(route))
        return Run(tuple(steps), (), 0.0)

    def _steps(self) -> list[Step]:
        settings, live = self.settings(), self.tagged.weights()
        path = "actions[0].forward.targetGroups[0].weight"
        return [
            Step("update", LISTENER_RULE, f"{route}-weighted", (path,), urn=f"urn:pulumi:dev::{PROJECT}::x::{route}")
            for route in live
            if live[route] != settings.weights_of(route)
        ]

    def _written(self) -> dict[str, Any]:
        return yaml.safe_load(self.file.read_text())
