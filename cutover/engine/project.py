"""A stack as the command line knows it: its folder, its stack file, and the engine that runs its program.

Owns every call of the Pulumi CLI that the command line makes. Refuses to own AWS (live.py) and what a run may have done
(judgement.py).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC
from functools import cached_property
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, Any, TextIO

from pulumi.automation import ConfigValue, LocalWorkspace, Stack
from pulumi.automation.errors import CommandError, InvalidVersionError

import settings
from cutover.calls import waiting
from cutover.ending import heed, undisturbed
from cutover.engine import lock, unconfirmed
from cutover.engine.cli import Cli
from cutover.engine.run import said_why, watch
from cutover.rules.history import Update
from settings import SettingsError, files, reading
from settings.aws import Aws
from settings.owner import Owner
from settings.salvage import Salvaged, salvage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from cutover.engine.lock import Lock
    from cutover.rules.run import Run, Step
    from cutover.rules.unconfirmed import Unconfirmed
    from settings import Settings

_INSIDE = "**$kubernetes:**"  # what stands inside the clusters
_ASK_SECONDS = 0.2
_MISTAKES = (  # of the user, and not of the engine or its backend
    "no stack named",
    "a stack name ",
    "organization name must be",
    "invalid YAML file",
    "yaml: unmarshal errors",
    "could not unmarshal",
    "could not validate",
    "expected project to be an object",
    "expected only string keys",
)
_STACK = re.compile(r"(?:[A-Za-z0-9_-]+/(?:(?P<project>[A-Za-z0-9_.-]+)/)?)?[A-Za-z0-9_.-]{1,100}")
_REACH = {  # by what it is that nobody knows: what decides in its place
    "region": "AWS_REGION",
    "profile": "AWS_PROFILE",
    "assumeRoles": "AWS_PROFILE",
}


class ProjectError(Exception):
    """The project, the stack or its file cannot be worked with. The text says why, and what to do."""


class EngineError(ProjectError):
    """The engine or its backend did not do what was asked of it. The text is its own."""


class BusyError(ProjectError):
    """Another command edits the stack files of this folder."""


class Keep:
    """Says whether an edit stays when its block ends: not before it is called, and no more after ``no``."""

    def __init__(self, confirmed: Callable[[], None]) -> None:
        self.kept = False
        self._confirmed = confirmed

    def __call__(self, *, no: bool = False) -> None:
        """Keep the edit, or after all do not."""
        self.kept = not no
        if self.kept:
            self._confirmed()


class Project:
    """One stack of the project in ``folder``. ``named`` is how `-s` names it, such as ORGANIZATION/STACK.

    Nothing is read before it is asked for, so that what needs neither engine nor stack file works without them.
    """

    def __init__(self, folder: Path, stack: str) -> None:
        self.folder = folder
        self.named = stack
        self.stack = stack.rpartition("/")[2]
        self._left = b""  # what the stack file held after the last edit
        self._alone = False
        self._tentative = False  # whether the next edit is the first that may have to be taken back

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
        with _asking("stack ls"):
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

    @property
    def file(self) -> Path:
        """The stack file, where the engine looks for it."""
        return files.stack_file(self.folder, self.stack)

    @property
    def file_name(self) -> str:
        """What the stack file is called: its path from the project's folder."""
        return reading.called(self.folder, self.stack)

    @property
    def name(self) -> str:
        """The project's name, which is the namespace of its configuration keys.

        :raises ProjectError: the project file cannot be read, or two sides of a merge name it differently
        """
        try:
            project = self._project_file
            said = salvage(project.read_bytes())
        except OSError as error:
            raise ProjectError(f"Pulumi.yaml cannot be read: {error}") from None
        name = said.values.get("name")
        if not isinstance(name, str) or not name:
            why = said.doubts.get("name", "is missing")
            raise ProjectError(
                f"{project.name} cannot be read: name {why}. Nothing tells whose stack is meant. Mend it"
            )
        return name

    @property
    def owner(self) -> Owner:
        """Whose everything is that the stack has in AWS.

        :raises ProjectError: Pulumi.yaml cannot be read
        """
        return Owner(self.name, self.stack)

    def settings(self) -> Settings:
        """Read and check the stack file as it is now.

        :raises ProjectError: the engine cannot read it, or there is nothing to read
        :raises SettingsError: it says something wrong
        """
        with _asking("config"):
            config = self._automation.get_all_config()
        secret = [key for key, one in config.items() if one.secret]
        return self._checked({key: one.value for key, one in config.items()}, secret)

    def as_written(self) -> Settings:
        """Read and check the stack file without the engine: in milliseconds, and also where no engine runs.

        What is sealed is left out, and what comes from elsewhere (an environment of Pulumi ESC) is missing.

        :raises ProjectError: the engine would not read it, or there is nothing to read
        :raises SettingsError: it says something wrong
        """
        name = self.name
        try:
            config = files.config(self.folder, name, self.stack)
            handed = files.handed(config)
        except (OSError, ValueError) as error:
            raise ProjectError(f"{self.file_name} cannot be read: {error}") from None
        return self._checked(handed, files.sealed(config))

    def aws(self, tell: Callable[[str], object] = lambda _: None) -> Aws:
        """Return how the stack reaches AWS, however broken the rest of its file is: else by the environment.

        Each key of the namespace aws is taken by itself. What is in doubt, sealed, or no such key is left out, and
        ``tell`` is told so.

        :raises ProjectError: nothing names a region
        """
        said = self._own("aws")
        doubts = dict(said.doubts)
        own: dict[str, Any] = {}
        for key, one in said.values.items():
            if files.sealed({key: one}):
                doubts[key] = "is sealed"
                continue
            try:
                own |= _right({key: reading.value(text) for key, text in files.handed({key: one}).items()})
            except ValueError:
                doubts[key] = "says what does not belong there"
        if not {"profile", "assumeRoles"} & {*own, *doubts} and self._environment():
            doubts["assumeRoles"] = "may come from an environment of Pulumi ESC"
        if "assumeRoles" in doubts:
            own.pop("profile", None)  # which was to assume them
        if "region" not in own and (region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")):
            own["region"] = region
        for key, why in doubts.items():
            tell(f"In {self.file_name} aws:{key} {why}, so it is left out.{_instead(key, own)}")
        if "region" not in own:
            why = f"In {self.file_name} aws:region {doubts['region']}" if "region" in doubts else ""
            raise ProjectError(
                f"{why or f'neither {self.file_name} nor AWS_REGION names a region'}. Set AWS_REGION, and run the same "
                "again"
            )
        return Aws.model_validate_json(json.dumps(own))

    def _own(self, namespace: str) -> Salvaged:
        """Return the keys of a namespace as the files have them, without it."""
        try:
            shared = files.defaults(files.document(self._project_file), "")
        except (OSError, ValueError):
            shared = {}
        try:
            said = salvage(self.file.read_bytes(), "config")
        except OSError:
            said = Salvaged({}, {})
        begin = f"{namespace}:"
        values = {key: one for key, one in {**shared, **said.values}.items() if key not in said.doubts}
        return Salvaged(
            {key.removeprefix(begin): one for key, one in values.items() if key.startswith(begin)},
            {key.removeprefix(begin): why for key, why in said.doubts.items() if key.startswith(begin)},
        )

    def _environment(self) -> Any:
        """Return what the stack file names as environments of Pulumi ESC, if it does."""
        return salvage(self.content()).values.get("environment")

    def _checked(self, config: Mapping[str, str], secret: Collection[str]) -> Settings:
        try:
            return settings.read(config, self.name, self.stack, secret, self.folder)
        except SettingsError:
            if why := self._nothing():
                raise ProjectError(why) from None
            raise

    def _nothing(self) -> str:
        """Say of a stack file that says nothing that it is so."""
        try:
            if self.file.exists() and files.document(self.file).get("config"):
                return ""
        except (OSError, ValueError):
            return ""
        others = sorted(path.name for path in self.file.parent.glob(f"Pulumi.*{self.file.suffix}") if path != self.file)
        there = f" There {'is' if len(others) == 1 else 'are'} {', '.join(others)}." if others else ""
        what = "is empty" if self.file.exists() else "does not exist"
        return f"{self.file_name} {what}, so nothing says what {self.named} is to be.{there} Is it the right stack?"

    @property
    def _project_file(self) -> Path:
        return files.project_file(self.folder) or self.folder / "Pulumi.yaml"

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
        with _asking("stack ls"):
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

    @contextmanager
    def alone(self, patience: float = 0.0) -> Generator[None]:
        """Keep out everybody else who would edit the stack files of this folder; wait ``patience`` seconds for them.

        :raises BusyError: somebody else is still at work
        :raises ProjectError: the folder knows no locks, or may not be read
        """
        end = time.monotonic() + patience
        with ExitStack() as held:
            try:
                anchor = held.enter_context(self._project_file.open())
                with waiting(f"another cutover that is at work in {self.folder}"):
                    while not _taken(anchor):
                        if time.monotonic() > end:
                            raise BusyError(
                                f"another cutover is at work in {self.folder}, and both would edit one file, so this "
                                "one has not touched it. Wait until it is done, look with cutover status -s "
                                f"{self.named}, then run the same again"
                            )
                        time.sleep(_ASK_SECONDS)
            except OSError as error:
                raise ProjectError(f"{self.folder} cannot be kept from others who edit its files: {error}") from None
            self._alone = True
            held.callback(setattr, self, "_alone", False)
            yield

    def unconfirmed(self) -> Unconfirmed | None:
        """Return what a command that was killed has left in the stack file; nothing while another is at work."""
        try:
            if not unconfirmed.copy_of(self.file).exists():
                return None
            with nullcontext() if self._alone else self.alone():
                return unconfirmed.read(self.file, self.named)
        except (ProjectError, OSError):
            return None

    def settle(self) -> None:
        """Say of what the stack file holds that it is meant.

        :raises OSError: the copy of what it held before cannot be removed
        """
        unconfirmed.drop(self.file)

    @contextmanager
    def tentative(self, tell: Callable[[str], object]) -> Generator[Keep]:
        """Put the stack file back as it was, byte for byte, at the end of a block that does not keep its edits.

        What somebody else has written into it meanwhile is not undone: then it stays, and ``tell`` is told. Of what is
        killed before it can put anything back `unconfirmed` tells.
        """
        before, keep = self.file.read_bytes(), Keep(self.settle)
        self._left, self._tentative = before, True
        try:
            yield keep
        finally:
            with undisturbed():
                present = self.content()
                if keep.kept or present == before:
                    pass
                elif present == self._left:
                    self.file.write_bytes(before)
                else:
                    tell(
                        f"Somebody else has edited {self.file_name} meanwhile, so it is not put back as it was. Take "
                        f"out what this command wrote: git diff {self.file_name}"
                    )
                self._tentative = False
                self.settle()
            heed()

    @contextmanager
    def _editing(self) -> Generator[None]:
        """Remember what the stack file holds after an edit, and for those who come after a kill what it held before."""
        if self._tentative:
            try:
                unconfirmed.keep(self.file)
            except OSError as error:
                raise ProjectError(
                    f"no copy of {self.file_name} can be kept beside it ({error}), and without one nothing would tell "
                    "of an edit whose command is killed. Nothing was changed. Let the folder be written, and run the "
                    "same again"
                ) from None
            self._tentative = False
        try:
            with _asking("config set"):
                yield
        finally:
            self._left = self.content()

    def content(self) -> bytes:
        """Return what stands in the stack file, and nothing where there is none, or none that can be read."""
        try:
            return self.file.read_bytes()
        except OSError:
            return b""

    def history(self) -> list[Update]:
        """Return every update of the stack that has ended, the oldest first.

        :raises ProjectError: the backend cannot be read
        """
        with _asking("stack history"):
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
        return watch(self._automation.preview, target=list(targets) or None, **options)

    def preview_outside(self) -> Run:
        """Preview all of the program but what stands inside the clusters.

        So it needs no repository of charts and no Kubernetes API. What is inside differs no less: `preview` tells it.
        """
        return watch(self._automation.preview, exclude=[_INSIDE])

    def preview_but(self, silent: Collection[str]) -> Run:
        """Preview the program but for what stands inside ``silent`` clusters, for which the engine would wait in vain.

        :raises ProjectError: the state cannot be read
        """
        if not silent:
            return self.preview()
        fresh = [f"{_INSIDE}::*-{key}" for key in silent]  # bindings that are not in the state yet
        return watch(self._automation.preview, exclude=[*standing_in(self.resources(), silent), *fresh])

    def follow(self, kept: Iterable[Step]) -> str:
        """Let what stands inside the clusters be as protected as ``kept`` says of its components; return why it is not.

        In the state, and without asking anybody inside.
        """
        becomes = {step.urn: not step.lifted for step in kept}
        try:
            resources = self.resources() if becomes else []
            with _asking("state protect"):
                for protected, urns in inside(resources, becomes).items():
                    command = ["state", "protect" if protected else "unprotect", "--yes", "--stack", self.named, *urns]
                    self._workspace.pulumi_command.run(command, str(self.folder), self._workspace.env_vars)
        except ProjectError as error:
            return str(error)
        return ""

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
        with _asking("stack export"):
            return (self._automation.export_stack().deployment or {}).get("resources", [])

    @cached_property
    def _backend(self) -> str:
        with _asking("whoami"):
            return self._workspace.who_am_i().url or ""

    @cached_property
    def _workspace(self) -> LocalWorkspace:
        return _workspace(self.folder)

    @cached_property
    def _automation(self) -> Stack:
        with _asking("stack"):
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


def _taken(anchor: TextIO) -> bool:
    try:
        fcntl.flock(anchor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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


def _right(own: dict[str, Any]) -> dict[str, Any]:
    """Return keys of the namespace aws if they are right; a region that is missing still is no mistake.

    :raises ValueError: they are not
    """
    Aws.model_validate_json(json.dumps({"region": "us-east-1", **own}))
    return own


def _instead(key: str, own: Mapping[str, Any]) -> str:
    """Say what decides in the place of a key that is left out."""
    if key not in _REACH:
        return ""
    variable = _REACH[key]
    now = own.get("region") if key == "region" else os.environ.get(variable)
    return f" The environment decides: {variable} is {now or 'not set'}."


def _value(text: str) -> Any:
    """Return a value of a configuration as history has it: what is more than a single value is JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@contextmanager
def _asking(what: str) -> Generator[None]:
    """Turn whatever a block raises that asks the CLI, and reads its answer, into a mistake or a failure."""
    try:
        yield
    except (ProjectError, SettingsError):
        raise
    except Exception as error:
        said = said_why(error, what)
        mistake = isinstance(error, CommandError) and any(words in said for words in _MISTAKES)
        raise (ProjectError if mistake else EngineError)(said) from None
