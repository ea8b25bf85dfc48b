"""`--json` prints one document whatever happens, by every command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from cutover.commands.app import app
from cutover.commands.terminal import SHAPE, Code

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = [
    ["status"],
    ["shift", "v1-36=10"],
    ["promote", "v1-36"],
    ["rollback"],
    ["release"],
    ["retire", "v1-36"],
    ["guard"],
    ["manifests", "blue"],
    ["disown", "web"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_command_that_finds_no_project_says_so_in_a_document(command: list[str], tmp_path: Path) -> None:
    said = CliRunner().invoke(app, [*command, "--json", "-C", str(tmp_path), "-s", "dev"])
    document = json.loads(said.stdout)
    assert document | {"failure": ""} == {"kind": command[0], "shape": SHAPE, "exitCode": Code.USAGE, "failure": ""}
    assert " ".join(document["failure"].split()) in " ".join(said.stderr.split())
    assert said.exit_code == Code.USAGE


def test_every_command_is_asked() -> None:
    """All but `adopt`, which runs before there is a project, and has a test of its own."""
    asked = {info.callback.__name__ for info in app.registered_commands if info.callback}
    assert asked == {"adopt", *(one[0] for one in COMMANDS)}
