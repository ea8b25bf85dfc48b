"""A stack as the command line knows it: its folder, its stack file, and the engine that runs its program.

Owns every call of the Pulumi CLI that the command line makes. Refuses to own AWS (live.py) and what a run may have done
(judgement.py).
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pulumi.automation import ConfigValue, LocalWorkspace, Stack
from pulumi.automation.errors import CommandError

import settings
from cutover.run import watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cutover.run import Run
    from settings import Settings


class ProjectError(Exception):
    """The project, the stack or its file cannot be worked with. The text says why, and what to do."""


class Project:
    """One stack of the project in ``folder``.

    Nothing is read before it is asked for, so that what needs neither engine nor stack file works without them.
    """

    def __init__(self, folder: Path, stack: str) -> None:
        self.folder = folder
        self.stack = stack

    @classmethod
    def find(cls, start: Path, stack: str | None = None) -> Project:
        """Return the project in ``start`` or the nearest folder above it, with a stack or the one that is selected.

        :raises ProjectError: there is no project, or no stack is named or selected
        """
        folder = next((one for one in [start, *start.parents] if (one / "Pulumi.yaml").exists()), None)
        if folder is None:
            raise ProjectError(f"no Pulumi.yaml in {start} or above. Go to the project, or name it with --cwd")
        if stack is not None:
            return cls(folder, stack)
        try:
            selected = _Workspace(work_dir=str(folder)).stack()
        except CommandError as error:
            raise ProjectError(_told(error)) from None
        if selected is None:
            raise ProjectError("no stack is named or selected. Name one with --stack")
        return cls(folder, selected.name)

    @property
    def file(self) -> Path:
        """The stack file."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def name(self) -> str:
        """The project's name, which is the namespace of its configuration keys.

        :raises ProjectError: Pulumi.yaml cannot be read
        """
        try:
            return yaml.safe_load((self.folder / "Pulumi.yaml").read_text())["name"]
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise ProjectError(f"Pulumi.yaml cannot be read: {error}") from None

    def settings(self) -> Settings:
        """Read and check the stack file as it is now.

        :raises ProjectError: the engine cannot read it
        :raises SettingsError: it says something wrong
        """
        try:
            config = self._automation.get_all_config()
        except CommandError as error:
            raise ProjectError(_told(error)) from None
        return settings.read({key: value.value for key, value in config.items()}, self.name, self.stack)

    def write_weights(self, weights: Mapping[str, int], route: str | None = None) -> None:
        """Write the stack's weights, or those of one route, into the stack file; comments and order stay.

        :raises ProjectError: the engine cannot write it
        """
        at = f"{self.name}:weights" if route is None else f"{self.name}:routes.{route}.weights"
        try:
            for cluster, weight in weights.items():
                self._automation.set_config(f"{at}.{cluster}", ConfigValue(str(weight)), path=True)
        except CommandError as error:
            raise ProjectError(_told(error)) from None

    def preview(self, targets: Sequence[str] = (), **options: Any) -> Run:
        """Preview the program, or what it says of ``targets`` (URNs, `**::NAME` for any type and parent)."""
        return watch(self._automation.preview, target=list(targets) or None, **options)

    def up(self, targets: Sequence[str] = (), **options: Any) -> Run:
        """Apply the program, or what it says of ``targets``."""
        return watch(self._automation.up, target=list(targets) or None, **options)

    def refresh(self, targets: Sequence[str], *, only_preview: bool = False) -> Run:
        """Take what is true in AWS of ``targets`` into the state, or only tell what would be taken."""
        operation = self._automation.preview_refresh if only_preview else self._automation.refresh
        return watch(operation, target=list(targets))

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the state, as `pulumi stack export` has them.

        :raises ProjectError: the state cannot be read
        """
        try:
            return (self._automation.export_stack().deployment or {}).get("resources", [])
        except CommandError as error:
            raise ProjectError(_told(error)) from None

    @cached_property
    def _automation(self) -> Stack:
        try:
            return Stack.select(self.stack, _Workspace(work_dir=str(self.folder)))
        except CommandError as error:
            raise ProjectError(_told(error)) from None


class _Workspace(LocalWorkspace):
    def select_stack(self, stack_name: str) -> None:
        """Leave the selection alone: a `pulumi up` in the same folder must go where its user thinks."""


def rules(routes: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return the targets that are the weighted rules of routes."""
    return [f"**::{route}-weighted" for route in routes]


def _told(error: CommandError) -> str:
    """Return what the CLI itself said, without the SDK's frame around it."""
    said = str(error).partition("stderr:")[2].strip() or str(error)
    return said.removeprefix("error: ")
