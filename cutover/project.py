"""A stack as the command line knows it: its folder, its stack file, and the engine that runs its program.

Owns every call of the Pulumi CLI that the command line makes. Refuses to own AWS (live.py) and what a run may have done
(judgement.py).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import textwrap
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any, TextIO

import yaml
from pulumi.automation import ConfigValue, LocalWorkspace, Stack
from pulumi.automation.errors import CommandError, InvalidVersionError

import settings
from cutover import lock
from cutover.run import watch
from settings.models import Aws

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from datetime import datetime

    from cutover.lock import Lock
    from cutover.run import Run
    from settings import Settings

_SEALED = "a-secret-that-stays-sealed"
_ASK_SECONDS = 0.2
_MISTAKES = ("no stack named", "invalid YAML file")  # of the user, and not of the engine or its backend
# A key of the namespace aws, with the lines that are indented below it.
_OF_AWS = re.compile(r"""^([ ]*)["']?aws:\w+["']?[ ]*:.*(?:\n(?:\1[ ]+\S|\1- |[ ]*$).*)*""", re.MULTILINE)


class ProjectError(Exception):
    """The project, the stack or its file cannot be worked with. The text says why, and what to do."""


class EngineError(ProjectError):
    """The engine or its backend did not do what was asked of it. The text is its own."""


class BusyError(ProjectError):
    """Another command edits the stack files of this folder."""


@dataclass(frozen=True)
class Update:
    """An update in the stack's history: when it ended, and the configuration that it was given, by full key."""

    ended: datetime
    succeeded: bool
    config: Mapping[str, Any]


class Keep:
    """Says whether an edit stays when its block ends: not before it is called, and no more after ``no``."""

    def __init__(self) -> None:
        self.kept = False

    def __call__(self, *, no: bool = False) -> None:
        """Keep the edit, or after all do not."""
        self.kept = not no


class Project:
    """One stack of the project in ``folder``. ``named`` is how `-s` names it, such as ORGANIZATION/STACK.

    Nothing is read before it is asked for, so that what needs neither engine nor stack file works without them.
    """

    def __init__(self, folder: Path, stack: str) -> None:
        self.folder = folder
        self.named = stack
        self.stack = stack.rpartition("/")[2]
        self._left = b""  # what the stack file held after the last edit

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
            selected = _workspace(folder).stack()
        except CommandError as error:
            raise _failed(error) from None
        except ProjectError as error:
            raise ProjectError(f"{error}, or name the stack with --stack") from None
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
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError) as error:
            raise ProjectError(f"Pulumi.yaml cannot be read: {error}") from None

    def settings(self) -> Settings:
        """Read and check the stack file as it is now.

        :raises ProjectError: the engine cannot read it
        :raises SettingsError: it says something wrong
        """
        try:
            config = self._automation.get_all_config()
        except CommandError as error:
            raise _failed(error) from None
        return settings.read({key: value.value for key, value in config.items()}, self.name, self.stack)

    def as_written(self) -> Settings:
        """Read and check the stack file without the engine: in milliseconds, and also where no engine runs.

        Secrets stay sealed, and what comes from elsewhere than this file (an environment of Pulumi ESC) is missing.

        :raises ProjectError: it is no YAML
        :raises SettingsError: it says something wrong
        """
        try:
            written = yaml.safe_load(self.file.read_text())["config"].items()
        except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            raise ProjectError(f"{self.file.name} cannot be read: {error}") from None
        return settings.parse({key: _sealed(value) for key, value in written}, self.name, self.stack)

    def aws(self) -> Aws:
        """Return how the stack reaches AWS, however broken the rest of its file is: else by the environment.

        Each key of the namespace aws is read by itself, and what is no such key, or cannot be read, is left out.

        :raises ProjectError: nothing names a region
        """
        try:
            text = self.file.read_text(errors="replace")
        except OSError:
            text = ""
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        own: dict[str, Any] = {"region": region} if region else {}
        for found in _OF_AWS.finditer(text):
            try:
                ((key, value),) = yaml.safe_load(textwrap.dedent(found[0])).items()
                own |= _checked({**own, key.removeprefix("aws:"): value})
            except (yaml.YAMLError, ValueError, TypeError, AttributeError):
                continue
        if "region" not in own:
            raise ProjectError(f"neither {self.file.name} nor AWS_REGION names a region. Set AWS_REGION")
        return Aws.model_validate_json(json.dumps(own))

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
            raise _failed(error) from None
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

    @contextmanager
    def alone(self, patience: float = 0.0) -> Generator[None]:
        """Keep out everybody else who would edit the stack files of this folder; wait ``patience`` seconds for them.

        :raises BusyError: somebody else is still at work
        :raises ProjectError: the folder knows no locks, or may not be read
        """
        end = time.monotonic() + patience
        with ExitStack() as held:
            try:
                anchor = held.enter_context((self.folder / "Pulumi.yaml").open())
                while not _taken(anchor):
                    if time.monotonic() > end:
                        raise BusyError(
                            f"another cutover is at work in {self.folder}, and both would edit one file, so this one "
                            f"has not touched it. Wait until it is done, look with cutover status -s {self.named}, "
                            "then run the same again"
                        )
                    time.sleep(_ASK_SECONDS)
            except OSError as error:
                raise ProjectError(f"{self.folder} cannot be kept from others who edit its files: {error}") from None
            yield

    @contextmanager
    def tentative(self, tell: Callable[[str], object]) -> Generator[Keep]:
        """Put the stack file back as it was, byte for byte, at the end of a block that does not keep its edits.

        What somebody else has written into it meanwhile is not undone: then it stays, and ``tell`` is told.
        """
        before, keep = self.file.read_bytes(), Keep()
        self._left = before
        try:
            yield keep
        finally:
            present = self._content()
            if keep.kept or present == before:
                pass
            elif present == self._left:
                self.file.write_bytes(before)
            else:
                tell(
                    f"Somebody else has edited {self.file.name} meanwhile, so it is not put back as it was. Take out "
                    f"what this command wrote: git diff {self.file.name}"
                )

    @contextmanager
    def _editing(self) -> Generator[None]:
        """Remember what the stack file holds after an edit."""
        try:
            yield
        except CommandError as error:
            raise _failed(error) from None
        finally:
            self._left = self._content()

    def _content(self) -> bytes:
        return self.file.read_bytes() if self.file.exists() else b""

    def history(self) -> list[Update]:
        """Return every update of the stack that has ended, the oldest first.

        :raises ProjectError: the backend cannot be read
        """
        try:
            every = self._automation.history(show_secrets=False)
        except CommandError as error:
            raise _failed(error) from None
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
            raise _failed(error) from None

    @cached_property
    def _backend(self) -> str:
        return self._workspace.who_am_i().url or ""

    @cached_property
    def _workspace(self) -> LocalWorkspace:
        return _workspace(self.folder)

    @cached_property
    def _automation(self) -> Stack:
        try:
            return Stack.select(self.named, self._workspace)
        except CommandError as error:
            raise _failed(error) from None


class _Workspace(LocalWorkspace):
    def select_stack(self, stack_name: str) -> None:
        """Leave the selection alone: a `pulumi up` in the same folder must go where its user thinks."""


def _workspace(folder: Path) -> _Workspace:
    """Return the way to the engine.

    :raises ProjectError: no pulumi that runs is on PATH
    """
    try:
        return _Workspace(work_dir=str(folder))
    except FileNotFoundError:
        raise ProjectError("there is no pulumi on PATH. Install the Pulumi CLI") from None
    except (OSError, CalledProcessError, InvalidVersionError) as error:
        raise ProjectError(
            f"the pulumi on PATH is of no use: {str(error).rstrip('.')}. Install the Pulumi CLI anew"
        ) from None


def _taken(anchor: TextIO) -> bool:
    try:
        fcntl.flock(anchor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def rules(routes: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return the targets that are the weighted rules of routes."""
    return [f"**::{route}-weighted" for route in routes]


def _checked(own: dict[str, Any]) -> dict[str, Any]:
    """Return keys of the namespace aws if they are right; a region that is missing still is no mistake.

    :raises ValueError: they are not
    """
    Aws.model_validate_json(json.dumps({"region": "us-east-1", **own}))
    return own


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


def _failed(error: Exception) -> ProjectError:
    """Return what the CLI itself said, without the SDK's frame around it, as a mistake or as a failure."""
    said = (str(error).partition("stderr:")[2].strip() or str(error)).removeprefix("error: ")
    return ProjectError(said) if any(words in said for words in _MISTAKES) else EngineError(said)
