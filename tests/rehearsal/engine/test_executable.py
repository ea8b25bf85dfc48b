"""Which engine a rehearsal runs on: one on PATH, one built before, or one that a stand-in for Go builds now."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from rehearsal.engine import executable
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PINNED = str(executable.pinned_version())


def test_the_engine_of_the_workflows_is_the_one_that_is_built_here() -> None:
    assert (ROOT / ".pulumi.version").read_text().strip() == PINNED


GO = """#!/bin/sh
echo "$@" >> "$0.calls"
while [ $# -gt 0 ]; do
  case "$1" in
    -o) out="$2" ;;
    -ldflags) version="${2##*=}" ;;
  esac
  shift
done
printf '#!/bin/sh\\necho %s\\n' "$version" > "$out"
chmod +x "$out"
"""


class Machine:
    """A machine with nothing on PATH but a shell, and an empty cache."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        monkeypatch.setenv("PATH", os.pathsep.join([str(self.bin), "/usr/bin", "/bin"]))
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))

    def has(self, command: str, text: str) -> Path:
        """Put a command on PATH."""
        path = self.bin / command
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def has_pulumi(self, version: str) -> Path:
        """Put a Pulumi CLI on PATH, as it is released."""
        self.has("pulumi-language-python", "#!/bin/sh\n")
        return self.has("pulumi", f"#!/bin/sh\necho v{version}\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine without Pulumi and Go."""
    machine = Machine(tmp_path, monkeypatch)

    def which(command: str) -> str | None:
        path = machine.bin / command
        return str(path) if path.exists() else None

    monkeypatch.setattr(executable.shutil, "which", which)
    return machine


def test_a_pulumi_on_path_is_used(machine: Machine) -> None:
    path = machine.has_pulumi("3.300.1")
    machine.has("go", GO)
    found = executable.find()
    assert (found.path, str(found.version)) == (path, "3.300.1")


@pytest.mark.parametrize("version", ["3.199.0", "not a version"])
def test_a_pulumi_that_is_too_old_is_named_and_one_is_built(
    machine: Machine, capsys: pytest.CaptureFixture[str], version: str
) -> None:
    path = machine.has_pulumi(version)
    machine.has("go", GO)
    assert executable.find().path == executable.built_path()
    said = capsys.readouterr().err
    assert f"{path} (version " in said
    assert "is not used: Pulumi 3.200.0 or newer" in said


def test_a_pulumi_without_its_language_host_is_not_used(machine: Machine) -> None:
    machine.has("pulumi", "#!/bin/sh\necho v3.300.1\n")
    machine.has("go", GO)
    assert executable.find().path == executable.built_path()


def test_the_engine_is_built_once_with_the_version_that_it_reports(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    go = machine.has("go", GO)
    first = executable.find()
    assert str(first.version) == PINNED
    assert f"building the Pulumi engine {PINNED}" in capsys.readouterr().err
    assert executable.find() == first
    assert capsys.readouterr().err == ""
    assert len(go.with_name("go.calls").read_text().splitlines()) == 1
    assert first.path.with_name("pulumi-language-python").exists()


def test_a_build_that_fails_leaves_nothing_and_says_why(machine: Machine) -> None:
    machine.has("go", '#!/bin/sh\necho "go: go.mod requires go >= 1.99" >&2\nexit 1\n')
    with pytest.raises(executable.EngineNotFoundError) as failed:
        executable.find()
    assert "go.mod requires go >= 1.99" in str(failed.value)
    assert "Install Pulumi" in str(failed.value)
    assert not executable.built_path().exists()


def test_a_build_that_was_killed_is_done_again(machine: Machine) -> None:
    machine.has("go", GO)
    half = executable.built_path()
    half.parent.mkdir(parents=True)
    half.write_text("half of an executable")
    assert executable.find().path.read_text() == f"#!/bin/sh\necho v{PINNED}\n"


def test_without_pulumi_and_go_the_user_is_told_what_to_install(machine: Machine) -> None:  # noqa: ARG001
    with pytest.raises(executable.EngineNotFoundError) as missing:
        executable.find()
    assert "Pulumi 3.200.0 or newer" in str(missing.value)
    assert "https://www.pulumi.com/docs/iac/download-install/" in str(missing.value)
    assert "https://go.dev/doc/install" in str(missing.value)


def test_every_module_of_the_pinned_engine_has_a_checksum() -> None:
    sums = (executable.MODULES / "go.sum").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{PINNED} h1:" in sums
