"""The stack file of a project as the command line knows it: what it says, who may edit it, and how an edit is undone.

Owns the mistakes that a project can have. Refuses to own the engine (project.py) and what a file may say (settings/).
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

from pulumi.automation.errors import CommandError

import settings
from cutover.calls import waiting
from cutover.ending import heed, undisturbed
from cutover.engine import unconfirmed
from cutover.engine.run import said_why
from settings import SettingsError, files, reading
from settings.aws import Aws
from settings.listeners import elsewhere
from settings.owner import Owner
from settings.salvage import Salvaged, salvage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Mapping
    from pathlib import Path

    from cutover.rules.unconfirmed import Unconfirmed
    from settings import Settings


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


class StackFile:
    """A project's folder, and the file of one of its stacks. Nothing is read before it is asked for."""

    def __init__(self, folder: Path, stack: str) -> None:
        self.folder = folder
        self.named = stack
        self.stack = stack.rpartition("/")[2]
        self._left = b""  # what the stack file held after the last edit
        self._alone = False
        self._tentative = False  # whether the next edit is the first that may have to be taken back

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
        return Owner(self.name, self.stack, elsewhere(self._own(self.name).values.get("loadBalancers")))

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
            with asking("config set"):
                yield
        finally:
            self._left = self.content()

    def content(self) -> bytes:
        """Return what stands in the stack file, and nothing where there is none, or none that can be read."""
        try:
            return self.file.read_bytes()
        except OSError:
            return b""


def _taken(anchor: TextIO) -> bool:
    try:
        fcntl.flock(anchor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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


@contextmanager
def asking(what: str) -> Generator[None]:
    """Turn whatever a block raises that asks the CLI, and reads its answer, into a mistake or a failure."""
    try:
        yield
    except (ProjectError, SettingsError):
        raise
    except Exception as error:
        said = said_why(error, what)
        mistake = isinstance(error, CommandError) and any(words in said for words in _MISTAKES)
        raise (ProjectError if mistake else EngineError)(said) from None
