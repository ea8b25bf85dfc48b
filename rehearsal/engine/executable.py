"""Where the Pulumi engine comes from: the CLI on PATH, else one built once from the Go modules in `golang/`.

Refuses to own what runs on the engine, and to download a binary: Go checks every module against `golang/go.sum`.
An engine that is built has no language host beside it as a release of Pulumi has. It gets one that does what the
environment says, since the engine looks there first and warns of one that it finds on PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from semver import VersionInfo

OLDEST = VersionInfo(3, 200)
LANGUAGE_HOST_VARIABLE = "REHEARSAL_LANGUAGE_HOST"
"""Names the executable that runs programs for an engine built here."""

MODULES = Path(__file__).parent / "golang"
_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_LANGUAGE_HOST = "pulumi-language-python"
_NEEDED = f"Pulumi {OLDEST} or newer with its Python language host is needed"
_INSTALL_PULUMI = "Install Pulumi (https://www.pulumi.com/docs/iac/download-install/)"


class EngineNotFoundError(Exception):
    """There is no Pulumi CLI and none can be built; the text says how to get one."""


@dataclass(frozen=True)
class Engine:
    """A Pulumi CLI by the path of its executable."""

    path: Path
    version: VersionInfo


def find() -> Engine:
    """Return the engine to use, building it (minutes, once) if there is no other way.

    Raises EngineNotFoundError.
    """
    on_path = shutil.which("pulumi")
    if on_path:
        version = _version(Path(on_path))
        if version and version >= OLDEST and _has_language_host(Path(on_path)):
            return Engine(Path(on_path), version)
        sys.stderr.write(f"{on_path} (version {version or 'unknown'}) is not used: {_NEEDED}\n")
    return _built()


def built_path() -> Path:
    """Return where the engine that is built here lies, or will lie."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "eks-cutover" / f"pulumi-{pinned_version()}" / "bin" / "pulumi"


def pinned_version() -> VersionInfo:
    """Return the version that `golang/go.mod` pins."""
    pin = re.search(r"^\s*github\.com/pulumi/pulumi/pkg/v3 v(\S+)", (MODULES / "go.mod").read_text(), re.MULTILINE)
    if pin is None:
        raise ValueError(f"{MODULES / 'go.mod'} does not require github.com/pulumi/pulumi/pkg/v3")
    return VersionInfo.parse(pin[1])


def _built() -> Engine:
    path, pinned = built_path(), pinned_version()
    if _version(path) == pinned:
        return Engine(path, pinned)
    go = shutil.which("go")
    if go is None:
        raise EngineNotFoundError(
            f"{_NEEDED}, or Go to build it, and neither is on PATH.\n"
            f"{_INSTALL_PULUMI} or {_go_directive()} (https://go.dev/doc/install), then run the same command again."
        )
    sys.stderr.write(f"building the Pulumi engine {pinned} from its Go modules, once, about 3 minutes\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    host = path.with_name(_LANGUAGE_HOST)
    host.write_text(f'#!/bin/sh\nexec "${LANGUAGE_HOST_VARIABLE}" "$@"\n')
    host.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as unfinished:
        fresh = Path(unfinished, "pulumi")
        build = subprocess.run(
            [go, "build", "-mod=readonly", "-ldflags", f"-X {_VERSION_VARIABLE}=v{pinned}", "-o", str(fresh), _PACKAGE],
            cwd=MODULES,
            env={**os.environ, "GOWORK": "off"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if build.returncode != 0:
            raise EngineNotFoundError(
                f"{go} could not build the Pulumi engine {pinned}:\n{_tail(build.stderr)}\n"
                f"It takes {_go_directive()} or newer and a Go module proxy that can be reached.\n"
                f"{_INSTALL_PULUMI} instead, or mend this; then run the same command again."
            )
        fresh.replace(path)  # in one step, so that a killed build leaves nothing that looks whole
    return Engine(path, pinned)


def _version(executable: Path) -> VersionInfo | None:
    try:
        answer = subprocess.run(
            [executable, "version"],
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            capture_output=True,
            text=True,
            check=True,
        )
        return VersionInfo.parse(answer.stdout.strip().removeprefix("v"))
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def _has_language_host(executable: Path) -> bool:
    return shutil.which(_LANGUAGE_HOST) is not None or executable.resolve().with_name(_LANGUAGE_HOST).exists()


def _go_directive() -> str:
    directive = re.search(r"^go (\S+)", (MODULES / "go.mod").read_text(), re.MULTILINE)
    return f"Go {directive[1]}" if directive else "Go"


def _tail(output: str) -> str:
    lines = [line for line in output.splitlines() if not line.startswith("go: downloading")]
    return "\n".join(lines[-10:])
