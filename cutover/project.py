"""A stack as the command line knows it: its folder, its stack file, and the engine that runs its program.

Owns every call of the Pulumi CLI that the command line makes. Refuses to own AWS (live.py) and what a run may have done
(judgement.py).
"""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pulumi.automation import ConfigValue, LocalWorkspace, Stack
from pulumi.automation.errors import CommandError
from pydantic import ValidationError

import settings
from cutover import lock
from cutover.run import watch
from settings.models import Aws

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from datetime import datetime

    from cutover.lock import Lock
    from cutover.run import Run
    from settings import Settings

_SEALED = "a-secret-that-stays-sealed"
_LINE = re.compile(r"""^\s*["']?aws:(region|profile)["']?\s*:\s*["']?([\w.-]+)""", re.MULTILINE)


class ProjectError(Exception):
    """The project, the stack or its file cannot be worked with. The text says why, and what to do."""


@dataclass(frozen=True)
class Update:
    """An update in the stack's history: when it ended, and the configuration that it was given, by full key."""

    ended: datetime
    succeeded: bool
    config: Mapping[str, Any]


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

    def as_written(self) -> Settings:
        """Read and check the stack file without the engine: in milliseconds, and also where no engine runs.

        Secrets stay sealed, and what comes from elsewhere than this file (an environment of Pulumi ESC) is missing.

        :raises ProjectError: it is no YAML
        :raises SettingsError: it says something wrong
        """
        try:
            written = yaml.safe_load(self.file.read_text())["config"].items()
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise ProjectError(f"{self.file.name} cannot be read: {error}") from None
        return settings.parse({key: _sealed(value) for key, value in written}, self.name, self.stack)

    def aws(self) -> Aws:
        """Return how the stack reaches AWS, however broken the rest of its file is: else by the environment.

        :raises ProjectError: nothing names a region
        """
        text = self.file.read_text() if self.file.exists() else ""
        try:
            config = yaml.safe_load(text)["config"]
            own = {key.removeprefix("aws:"): value for key, value in config.items() if key.startswith("aws:")}
            return Aws.model_validate_json(json.dumps(own))
        except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValidationError):
            said = dict(_LINE.findall(text))
        region = said.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if region is None:
            raise ProjectError(f"neither {self.file.name} nor AWS_REGION names a region. Set AWS_REGION")
        return Aws(region=region, profile=said.get("profile"))

    def locked(self) -> Lock | None:
        """Return who is at work on the stack.

        Backends with files tell who, Pulumi Cloud tells only that somebody is, and Google's and Azure's tell nothing.

        :raises ProjectError: the backend cannot be asked
        """
        try:
            if self._backend.startswith(("file:", "s3:")):
                return lock.read(self._backend, self.name, self.stack)
            stacks = self._workspace.list_stacks()
        except (CommandError, lock.LockError) as error:
            raise ProjectError(_told(error)) from None
        busy = any(one.update_in_progress for one in stacks if one.name.rpartition("/")[2] == self.stack)
        return lock.Lock("an update that Pulumi Cloud knows of") if busy else None

    def write_weights(self, weights: Mapping[str, int], route: str | None = None) -> None:
        """Write the stack's weights, or those of one route, into the stack file; comments and order stay.

        :raises ProjectError: the engine cannot write it
        """
        at = f"{self.name}:weights" if route is None else f"{self.name}:routes.{route}.weights"
        values = {f"{at}.{cluster}": ConfigValue(str(weight)) for cluster, weight in weights.items()}
        try:
            self._automation.set_all_config(values, path=True)
        except CommandError as error:
            raise ProjectError(_told(error)) from None

    def write(self, key: str, value: str) -> None:
        """Write a value into the stack file, by its path without the project's name; comments and order stay.

        :raises ProjectError: the engine cannot write it
        """
        try:
            self._automation.set_config(f"{self.name}:{key}", ConfigValue(value), path=True)
        except CommandError as error:
            raise ProjectError(_told(error)) from None

    def remove(self, keys: Sequence[str]) -> None:
        """Remove keys from the stack file at once, by their paths without the project's name; the rest stays as it is.

        :raises ProjectError: the engine cannot write it
        """
        try:
            self._automation.remove_all_config([f"{self.name}:{key}" for key in keys], path=True)
        except CommandError as error:
            raise ProjectError(_told(error)) from None

    def history(self) -> list[Update]:
        """Return every update of the stack that has ended, the oldest first.

        :raises ProjectError: the backend cannot be read
        """
        try:
            every = self._automation.history(show_secrets=False)
        except CommandError as error:
            raise ProjectError(_told(error)) from None
        return [
            Update(
                ended=one.end_time.replace(tzinfo=UTC),
                succeeded=one.result == "succeeded",
                config={key: _value(value.value) for key, value in one.config.items()},
            )
            for one in reversed(every)
            if one.kind == "update" and one.end_time is not None
        ]

    @contextmanager
    def environment(self, variables: Mapping[str, str]) -> Generator[None]:
        """Give the engine, and so its plugins, environment variables for the length of a block."""
        before = self._workspace.env_vars
        self._workspace.env_vars = {**before, **variables}
        try:
            yield
        finally:
            self._workspace.env_vars = before

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
    def _backend(self) -> str:
        return self._workspace.who_am_i().url or ""

    @cached_property
    def _workspace(self) -> LocalWorkspace:
        try:
            return _Workspace(work_dir=str(self.folder))
        except FileNotFoundError:
            raise ProjectError("there is no pulumi on PATH. Install the Pulumi CLI") from None

    @cached_property
    def _automation(self) -> Stack:
        try:
            return Stack.select(self.stack, self._workspace)
        except CommandError as error:
            raise ProjectError(_told(error)) from None


class _Workspace(LocalWorkspace):
    def select_stack(self, stack_name: str) -> None:
        """Leave the selection alone: a `pulumi up` in the same folder must go where its user thinks."""


def rules(routes: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return the targets that are the weighted rules of routes."""
    return [f"**::{route}-weighted" for route in routes]


def _sealed(value: Any) -> Any:
    """Return a value of the stack file with something that reads as a secret in place of every encrypted one."""
    if isinstance(value, dict):
        return _SEALED if set(value) == {"secure"} else {key: _sealed(part) for key, part in value.items()}
    return [_sealed(part) for part in value] if isinstance(value, list) else value


def _value(text: str) -> Any:
    """Return a value of a configuration as history has it: what is more than a single value is JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _told(error: Exception) -> str:
    """Return what the CLI itself said, without the SDK's frame around it."""
    said = str(error).partition("stderr:")[2].strip() or str(error)
    return said.removeprefix("error: ")
