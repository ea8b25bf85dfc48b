"""A stack as the command line knows it: its folder, its stack file, and the engine that runs its program.

Owns every call of the Pulumi CLI that the command line makes. Refuses to own AWS (live.py) and what a run may have done
(judgement.py).
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from datetime import UTC
from functools import cached_property
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any

from pulumi.automation import ConfigValue, Deployment, LocalWorkspace, Stack
from pulumi.automation.errors import InvalidVersionError

from cutover.engine import lock
from cutover.engine.cli import Cli
from cutover.engine.run import watch
from cutover.engine.stack_file import EngineError, ProjectError, StackFile, asking
from cutover.rules.disown import without
from cutover.rules.history import Update
from settings import files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from cutover.engine.lock import Lock
    from cutover.rules.run import Run, Step
    from settings import Settings

_INSIDE = "**$kubernetes:**"  # what stands inside the clusters
_STACK = re.compile(r"(?:[A-Za-z0-9_-]+/(?:(?P<project>[A-Za-z0-9_.-]+)/)?)?[A-Za-z0-9_.-]{1,100}")


class Project(StackFile):
    """One stack of the project in ``folder``. ``named`` is how `-s` names it, such as ORGANIZATION/STACK.

    Nothing is read before it is asked for, so that what needs neither engine nor stack file works without them.
    """

    @classmethod
    def find(cls, start: Path, stack: str | None = None) -> Project:
        """Return the project in ``start`` or the nearest folder above it, with a stack or the one that is selected.

        :raises ProjectError: there is no project, or no stack is named or selected
        """
        folder = next((one for one in [start, *start.parents] if files.project_file(one)), None)
        if folder is None:
            raise ProjectError(f"no Pulumi.yaml in {start} or above. Go to the project, or name it with --cwd")
        if stack is not None:
            return cls._named(folder, stack)
        try:
            workspace = _workspace(folder)
        except ProjectError as error:
            raise ProjectError(f"{error}, or name the stack with --stack") from None
        with asking("stack ls"):
            selected = workspace.stack()
        if selected is None:
            raise ProjectError("no stack is named or selected. Name one with --stack")
        return cls(folder, selected.name)

    @classmethod
    def _named(cls, folder: Path, stack: str) -> Project:
        name, found = cls(folder, stack), _STACK.fullmatch(stack)
        if found is None:
            raise ProjectError(
                f'"{stack}" is no name of a stack: that has at most 100 letters, digits, hyphens, underscores and '
                "periods. Nothing was done. Name one as pulumi stack ls shows it"
            )
        if found["project"] not in (None, name.name):
            raise ProjectError(
                f"{stack} is a stack of the project {found['project']}, and {folder} has the project {name.name}. "
                "Nothing was done. Name the stack alone, or go to its project"
            )
        return name

    def settings(self) -> Settings:
        """Read and check the stack file as it is now.

        :raises ProjectError: the engine cannot read it, or there is nothing to read
        :raises SettingsError: it says something wrong
        """
        with asking("config"):
            config = self._automation.get_all_config()
        secret = [key for key, one in config.items() if one.secret]
        return self._checked({key: one.value for key, one in config.items()}, secret)

    def locked(self) -> Lock | None:
        """Return who is at work on the stack.

        Backends with files tell who, Pulumi Cloud tells only that somebody is, and Google's and Azure's tell nothing.

        :raises ProjectError: the backend cannot be asked
        """
        if self._backend.startswith(("file:", "s3:")):
            try:
                return lock.read(self._backend, self.name, self.stack)
            except lock.LockError as error:
                raise EngineError(str(error)) from None
        with asking("stack ls"):
            stacks = self._workspace.list_stacks()
            busy = any(one.update_in_progress for one in stacks if one.name.rpartition("/")[2] == self.stack)
        return lock.Lock("an update that Pulumi Cloud knows of") if busy else None

    def write_weights(self, weights: Mapping[str, int], route: str | None = None) -> None:
        """Write the stack's weights, or those of one route, into the stack file; comments and order stay.

        :raises ProjectError: the engine cannot write it
        """
        at = f"{self.name}:weights" if route is None else f"{self.name}:routes.{route}.weights"
        values = {f"{at}.{cluster}": ConfigValue(str(weight)) for cluster, weight in weights.items()}
        with self._editing():
            self._automation.set_all_config(values, path=True)

    def write(self, key: str, value: str) -> None:
        """Write a value into the stack file, by its path without the project's name; comments and order stay.

        :raises ProjectError: the engine cannot write it
        """
        with self._editing():
            self._automation.set_config(f"{self.name}:{key}", ConfigValue(value), path=True)

    def remove(self, keys: Sequence[str]) -> None:
        """Remove keys from the stack file at once, by their paths without the project's name; the rest stays as it is.

        :raises ProjectError: the engine cannot write it
        """
        with self._editing():
            self._automation.remove_all_config([f"{self.name}:{key}" for key in keys], path=True)

    def history(self) -> list[Update]:
        """Return every update of the stack that has ended, the oldest first.

        :raises ProjectError: the backend cannot be read
        """
        with asking("stack history"):
            return [
                Update(
                    ended=one.end_time.replace(tzinfo=UTC),
                    succeeded=one.result == "succeeded",
                    config={key: _value(value.value) for key, value in one.config.items()},
                )
                for one in reversed(self._automation.history(show_secrets=False))
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
        return self._watch(self._automation.preview, target=list(targets) or None, **options)

    def preview_outside(self) -> Run:
        """Preview all of the program but what stands inside the clusters.

        So it needs no repository of charts and no Kubernetes API. What is inside differs no less: `preview` tells it.
        """
        return self._watch(self._automation.preview, exclude=[_INSIDE])

    def preview_but(self, silent: Collection[str]) -> Run:
        """Preview the program but for what stands inside ``silent`` clusters, for which the engine would wait in vain.

        :raises ProjectError: the state cannot be read
        """
        if not silent:
            return self.preview()
        fresh = [f"{_INSIDE}::*-{key}" for key in silent]  # bindings that are not in the state yet
        return self._watch(self._automation.preview, exclude=[*standing_in(self.resources(), silent), *fresh])

    def follow(self, kept: Iterable[Step]) -> str:
        """Let what stands inside the clusters be as protected as ``kept`` says of its components; return why it is not.

        In the state, and without asking anybody inside.
        """
        becomes = {step.urn: not step.lifted for step in kept}
        try:
            resources = self.resources() if becomes else []
            with asking("state protect"):
                for protected, urns in inside(resources, becomes).items():
                    command = ["state", "protect" if protected else "unprotect", "--yes", "--stack", self.named, *urns]
                    self._workspace.pulumi_command.run(command, str(self.folder), self._workspace.env_vars)
        except ProjectError as error:
            return str(error)
        return ""

    def up(self, targets: Sequence[str] = (), **options: Any) -> Run:
        """Apply the program, or what it says of ``targets``."""
        return self._watch(self._automation.up, target=list(targets) or None, **options)

    def refresh(self, targets: Sequence[str], *, only_preview: bool = False) -> Run:
        """Take what is true in AWS of ``targets`` into the state, or only tell what would be taken."""
        operation = self._automation.preview_refresh if only_preview else self._automation.refresh
        return self._watch(operation, target=list(targets))

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the state, as `pulumi stack export` has them.

        :raises ProjectError: the state cannot be read
        """
        return self._state()[1].get("resources", [])

    def forget(self, urns: Sequence[str]) -> None:
        """Take resources out of the state, and leave what they stand for as it is.

        :raises ProjectError: the state cannot be read or written
        """
        version, state = self._state()
        with asking("stack import"):
            self._automation.import_stack(Deployment(version, without(state, urns)))

    def _state(self) -> tuple[int | None, Mapping[str, Any]]:
        with asking("stack export"):
            exported = self._automation.export_stack()
        return exported.version, exported.deployment or {}

    def _watch(self, operation: Callable[..., Any], **options: Any) -> Run:
        return watch(operation, self._keys, **options)

    @cached_property
    def _keys(self) -> frozenset[str]:
        """The clusters of the stack file as it was when the first of them was to be told from a route."""
        clusters = self._own(self.name).values.get("clusters")
        return frozenset(clusters if isinstance(clusters, dict) else ())

    @cached_property
    def _backend(self) -> str:
        with asking("whoami"):
            return self._workspace.who_am_i().url or ""

    @cached_property
    def _workspace(self) -> LocalWorkspace:
        return _workspace(self.folder)

    @cached_property
    def _automation(self) -> Stack:
        with asking("stack"):
            return Stack.select(self.named, self._workspace)


class _Workspace(LocalWorkspace):
    def select_stack(self, stack_name: str) -> None:
        """Leave the selection alone: a `pulumi up` in the same folder must go where its user thinks."""


def _workspace(folder: Path) -> _Workspace:
    """Return the way to the engine.

    :raises ProjectError: no pulumi that runs is on PATH
    """
    try:
        return _Workspace(work_dir=str(folder), pulumi_command=Cli())
    except FileNotFoundError:
        raise ProjectError("there is no pulumi on PATH. Install the Pulumi CLI") from None
    except (OSError, ValueError, CalledProcessError, InvalidVersionError) as error:
        raise ProjectError(
            f"the pulumi on PATH is of no use: {str(error).rstrip('.')}. Install the Pulumi CLI anew"
        ) from None


def rules(routes: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return the targets that are the weighted rules of routes."""
    return [f"**::{route}-weighted" for route in routes]


def standing_in(resources: Iterable[Mapping[str, Any]], clusters: Collection[str]) -> list[str]:
    """Return the URNs of Kubernetes objects that stand in ``clusters``, by the provider that made them."""
    return [
        one["urn"]
        for one in resources
        if one["type"].startswith("kubernetes:") and one.get("provider", "::::::").split("::")[3] in clusters
    ]


def inside(resources: Iterable[Mapping[str, Any]], becomes: Mapping[str, bool]) -> dict[bool, list[str]]:
    """Return the URNs of Kubernetes objects that are not as protected as their component ``becomes``, by what it is."""
    found: dict[bool, list[str]] = {}
    for one in resources:
        wanted = becomes.get(one.get("parent", "")) if one["type"].startswith("kubernetes:") else None
        if wanted is not None and wanted != one.get("protect", False):
            found.setdefault(wanted, []).append(one["urn"])
    return found


def _value(text: str) -> Any:
    """Return a value of a configuration as history has it: what is more than a single value is JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text
