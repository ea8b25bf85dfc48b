"""What people ask of a program that they do not know yet: its version, completion in a shell, the targets of make."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import version

from typer.testing import CliRunner

from cutover.commands.app import app
from tests.conftest import ROOT


def test_the_command_line_says_its_version_and_offers_completion() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"cutover {version('eks-cutover')}\n"
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout


def test_make_says_what_each_target_does() -> None:
    targets = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^make (\w+) +\w", said, re.MULTILINE) == targets
