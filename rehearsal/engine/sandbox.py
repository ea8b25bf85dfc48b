"""One rehearsal's own world: an emulated AWS, a Pulumi home with the emulated plugins, a backend, and the program.

Owns what processes inside may see, so that a rehearsal can neither reach a real account nor be reached by the caller's
settings. Refuses to own what is done inside: it never runs `up` by itself.
"""

from __future__ import annotations

import atexit
import os
import shlex
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import boto3
import botocore.config
import botocore.session
from pulumi import automation
from pulumi.automation.errors import create_command_error

from rehearsal.cloud.regions import REGION, ZONE
from rehearsal.cloud.session import ACCOUNT, OUTSIDE_AGENT, lent, organization_role
from rehearsal.cloud.store import PATH_VARIABLE, Store
from rehearsal.engine.executable import LANGUAGE_HOST_VARIABLE
from rehearsal.world.process import SPEED_VARIABLE
from settings import dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rehearsal.engine.executable import Engine

PLUGINS = {"aws": "pulumi-aws", "eks": "pulumi-eks", "kubernetes": "pulumi-kubernetes"}
"""The emulated plugins, and the package of the SDK whose version each takes."""

_KEY = "rehearsal"
_NOWHERE = "http://127.0.0.1:9"
_AUTHORITY = "authority.pem"
_NO_CONFIGURATION = {
    name: (None, None, default, None)
    for name, default in (("profile", None), ("config_file", os.devnull), ("credentials_file", os.devnull))
}
_REPOSITORY = Path(__file__).resolve().parents[2]
_NOT_THE_PROGRAM = ("rehearsal", "tests", "docs")
_OF_ANOTHER_BACKEND = ("encryptionsalt:", "encryptedkey:", "secretsprovider:")
_KEPT_VARIABLES = ("LANG", "LC_ALL", "LC_CTYPE", "TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "TZ", "TMPDIR", "SHELL")


class Sandbox:
    """A context manager: inside it the emulated AWS answers, and when it ends that state is gone.

    ``program`` is the folder with `Pulumi.yaml`. What runs is ``project``, a folder with the same sources and copies
    of the stack files, because the engine writes into those. ``folder`` keeps everything that is written; it must be
    empty, and is a temporary one by default. ``zones`` are the public hosted zones that the account has from the
    beginning. With ``world`` it lives: pods run, load balancers carry requests, targets are health-checked; then
    ``speed`` is how many seconds of AWS's time pass in one of ours, if not as many as usual. Clients and world are of
    ``region``, which has at least these ``availability_zones``. ``stack_file`` is the name of a stack and a file from
    anywhere, which takes the place of that stack's.
    """

    def __init__(
        self,
        engine: Engine,
        program: Path,
        *,
        folder: Path | None = None,
        zones: Sequence[str] = (),
        world: bool = False,
        speed: float | None = None,
        region: str = REGION,
        availability_zones: Sequence[str] = (),
        stack_file: tuple[str, Path] | None = None,
    ) -> None:
        self.engine = engine
        self._program = program.resolve()
        self._folder = folder
        self._zones = tuple(zones)
        self.region = region
        self._availability_zones = availability_zones
        self._stack_file = stack_file
        self._world = world
        self._speed = {SPEED_VARIABLE: str(speed)} if speed else {}
        self._way = _NOWHERE
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            if self._folder is None:
                self.folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-"))).resolve()
            else:
                self._folder.mkdir(parents=True, exist_ok=True)
                self.folder = self._folder.resolve()
            for name in ("bin", "home", "plugins", "project", "pulumi", "state"):
                (self.folder / name).mkdir()
            # The engine writes all that it is told into a log that nobody reads here, in a third of its time, unless
            # it can make no folder for it.
            (self.folder / "pulumi" / "logs").touch()
            self.project = self.folder / "project"
            self._lay_out_project()
            self.store = Store(self.folder / "store.sqlite")
            for zone in self._availability_zones:
                self.store.put(ZONE, zone, {"region": self.region})
            self.endpoint = f"http://127.0.0.1:{self._start_aws(undo)}"
            self._install_commands(_fork_server())
            for zone in self._zones:
                self.aws("route53").create_hosted_zone(Name=zone, CallerReference=zone)
            if self._world:
                variables = {**self.environment(), **self._speed, "AWS_REGION": self.region}
                self._start(undo, "rehearsal.world.process", variables)
                port = self._start(undo, "rehearsal.world.forward", {}, str(self.folder / _AUTHORITY))
                self._way = f"http://127.0.0.1:{port}"
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def environment(self) -> dict[str, str]:
        """Return all that a process inside may see; of the caller's variables only what a terminal needs, and PATH."""
        nowhere = str(self.folder / "no-such-file")
        return {
            **{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            "PATH": os.pathsep.join([str(self.folder / "bin"), *_path_without_plugins()]),
            "HOME": str(self.folder / "home"),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _KEY,
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
            "KUBECONFIG": nowhere,
            # Whoever inside would leave the loopback is sent to a port of it on which nobody listens, or, where load
            # balancers are, to who knows them alone.
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), self._way),
            **({"SSL_CERT_FILE": str(self.folder / _AUTHORITY)} if self._world else {}),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.0/8,127.0.0.1,localhost"),
            "PULUMI_HOME": str(self.folder / "pulumi"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "GOGC": "400",  # the engine has memory enough, and spends a tenth of its time on giving it back
            LANGUAGE_HOST_VARIABLE: str(self.folder / "bin" / "language-host"),
            PATH_VARIABLE: str(self.folder / "store.sqlite"),
        }

    @property
    def accounts(self) -> list[str]:
        """The accounts that there are: the stack's own, whose name here is empty, and those that were asked for."""
        return ["", *self.store.all(ACCOUNT)]

    def aws(self, service: str, region: str = "", account: str = "") -> Any:
        """Return the boto3 client of the emulated AWS; it is made once, since that takes longer than most calls.

        In another ``account`` than the stack's own it has all rights too.
        """
        region = region or self.region
        if (service, region, account) not in self._clients:
            # A session made like this reads neither the caller's profile nor a configuration file.
            session = boto3.Session(botocore_session=botocore.session.Session(session_vars=_NO_CONFIGURATION))
            self._clients[service, region, account] = session.client(  # pyright: ignore[reportCallIssue]
                service,  # pyright: ignore[reportArgumentType]
                region_name=region,
                endpoint_url=self.endpoint,
                **self._credentials(account),
                config=botocore.config.Config(
                    proxies={}, ignore_configured_endpoint_urls=True, user_agent_extra=OUTSIDE_AGENT
                ),
            )
        return self._clients[service, region, account]

    def _credentials(self, account: str) -> dict[str, Any]:
        if not account:
            return {"aws_access_key_id": _KEY, "aws_secret_access_key": _KEY}
        self.store.put(ACCOUNT, account, {})
        return lent(self.aws("sts"), organization_role(account))

    def stack(self, name: str) -> automation.Stack:
        """Return the stack of the project in the backend of this rehearsal, made if it is not there yet."""
        options = automation.LocalWorkspaceOptions(pulumi_command=_Command(self))
        return automation.create_or_select_stack(name, work_dir=str(self.project), opts=options)

    def pulumi(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the CLI in the project, as a user would in a terminal of this rehearsal; stderr is part of stdout."""
        return self._run("pulumi", "--non-interactive", *arguments, env=env, stderr=subprocess.STDOUT)

    def cutover(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command line of this project likewise, with its messages apart on stderr."""
        return self._run("cutover", *arguments, env=env, stderr=subprocess.PIPE)

    def _run(
        self, command: str, *arguments: str, env: Mapping[str, str] | None, stderr: int
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "bin" / command, *arguments],
            cwd=self.project,
            env={**self.environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
        )

    def _lay_out_project(self) -> None:
        for source in self._program.iterdir():
            if source.name.startswith((".", "__pycache__")) or source.name in _NOT_THE_PROGRAM:
                continue
            if source.match("Pulumi*.yaml"):
                self._copy(source, source.name)
            else:
                (self.project / source.name).symlink_to(source)
        if self._stack_file:
            stack, source = self._stack_file
            self._copy(source, f"Pulumi.{stack}.yaml")
        # A release of Pulumi runs the program in the virtual environment that the project names.
        runtime = dialect.load((self.project / "Pulumi.yaml").read_bytes())["runtime"]
        environment = runtime.get("options", {}).get("virtualenv") if isinstance(runtime, dict) else None
        if environment:
            (self.project / environment).symlink_to(sys.prefix)

    def _copy(self, source: Path, name: str) -> None:
        lines = source.read_text().splitlines(keepends=True)
        kept = "".join(line for line in lines if not line.startswith(_OF_ANOTHER_BACKEND))
        (self.project / name).write_text(kept)

    def _start_aws(self, undo: ExitStack) -> int:
        variables = {
            "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
            "MOTO_ACM_VALIDATION_WAIT": "1",
            "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",  # thousands, of which nothing here uses one
        }
        return int(self._start(undo, "rehearsal.cloud.moto_server", variables))

    def _start(self, undo: ExitStack, module: str, variables: Mapping[str, str], *arguments: str) -> str:
        variables = {PATH_VARIABLE: str(self.folder / "store.sqlite"), **variables}
        return _start(undo, self.folder, module, variables, *arguments)

    def _install_commands(self, fork_server: Path | None) -> None:
        (self.folder / "bin" / "pulumi").symlink_to(self.engine.path)
        _write_command(self.folder / "bin" / "language-host", "rehearsal.engine.language_host", fork_server)
        _write_command(self.folder / "bin" / "cutover", "cutover")
        for name, package in PLUGINS.items():
            plugin = self.folder / "plugins" / name
            plugin.mkdir()
            _write_command(plugin / f"pulumi-resource-{name}", f"rehearsal.plugins.{name}", fork_server)
            installed = self.pulumi("plugin", "install", "resource", name, version(package), "--file", str(plugin))
            if installed.returncode != 0:
                raise RuntimeError(f"the emulated {name} plugin could not be installed: {installed.stdout}")


@cache
def _fork_server() -> Path | None:
    """Start what plugins and programs are forked from, once for all sandboxes of this process; return its socket."""
    # CPython's documentation calls forking unsafe on macOS once much has been loaded.
    if sys.platform != "linux":
        return None
    at_the_end = ExitStack()
    atexit.register(at_the_end.close)
    folder = Path(at_the_end.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-")))
    _start(at_the_end, folder, "rehearsal.engine.fork_server", {}, str(folder / "socket"))
    return folder / "socket"


def _start(undo: ExitStack, folder: Path, module: str, variables: Mapping[str, str], *arguments: str) -> str:
    """Start a module as a process that ends with ``undo``, and return the first line that it says."""
    log_path = folder / f"{module}.log"
    log = undo.enter_context(log_path.open("w"))
    process = undo.enter_context(
        subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # an interrupt at the terminal is for the engine, which still needs its AWS
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(_REPOSITORY), **variables},
            text=True,
        )
    )
    said = process.stdout.readline().strip() if process.stdout else ""
    if not said:
        raise RuntimeError(f"{module} did not start: {log_path.read_text()}")
    return said


class _Command(automation.PulumiCommand):
    """The SDK's way to the CLI, which would pass on the whole environment of this process, without that."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(root=str(sandbox.folder))
        self._environment = sandbox.environment()

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> automation.CommandResult:
        process = subprocess.Popen(
            [self.command, "--non-interactive", *args],
            cwd=cwd,
            env={**self._environment, **additional_env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            errors: list[str] = []
            reader = threading.Thread(target=lambda: errors.extend(_lines(process.stderr, on_error)))
            reader.start()
            output = _lines(process.stdout, on_output)
            reader.join()
        result = automation.CommandResult(stdout="\n".join(output), stderr="\n".join(errors), code=process.returncode)
        if result.code != 0:
            raise create_command_error(result)
        return result


def _lines(stream: IO[str] | None, listener: Callable[[str], Any] | None) -> list[str]:
    lines: list[str] = []
    for line in stream or ():
        lines.append(line.rstrip())
        if listener:
            listener(lines[-1])
    return lines


def _path_without_plugins() -> list[str]:
    # The engine prefers a plugin on PATH to the installed one: a real provider there would be used in its place.
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return [
        folder for folder in folders if not any(Path(folder, f"pulumi-resource-{name}").exists() for name in PLUGINS)
    ]


def _write_command(path: Path, module: str, fork_server: Path | None = None) -> None:
    python, repository = shlex.quote(sys.executable), shlex.quote(str(_REPOSITORY))
    run = f"{python} -P -m"
    if fork_server:
        run = f"{python} -I -S {repository}/rehearsal/engine/fork_client.py {shlex.quote(str(fork_server))}"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={repository} exec {run} {module} "$@"\n')
    path.chmod(0o755)
