"""Imports between rooms point one way, and pure rules reach nothing: what pyproject.toml says is held, and is seen.

No file of the rehearsal is too long to be one idea.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

_ROOMS = ("settings", "components", "cutover", "rehearsal")
_CONTRACTS = [
    one["name"] for one in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
]
_HOUSE, _CUTOVER, _REHEARSAL, _RULES, _COMPONENTS, _ROUTE = _CONTRACTS
_LONGEST_FILE = 400
_CLOCKS = {"now", "utcnow", "today", "monotonic"}


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("", "", ""),
        ("settings/models.py", "import cutover.rules.gate", _HOUSE),
        ("components/route.py", "import cutover.rules.gate", _HOUSE),
        ("cutover/calls.py", "import rehearsal.cloud.store", _HOUSE),
        ("cutover/rules/gate.py", "from cutover.aws import live", _CUTOVER),
        ("cutover/aws/live.py", "from cutover.engine import run", _CUTOVER),
        ("rehearsal/cloud/api.py", "import rehearsal.world.alb", _REHEARSAL),
        ("cutover/rules/gate.py", "import boto3", _RULES),
        ("components/network.py", "import boto3", _COMPONENTS),
        ("components/route.py", "import pulumi_kubernetes", _ROUTE),
    ],
)
def test_an_import_that_points_the_wrong_way_is_seen(tmp_path: Path, file: str, line: str, broken: str) -> None:
    for room in _ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__", "golang"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    if file:
        (tmp_path / file).write_text(f"{(tmp_path / file).read_text()}\n{line}\n")
    linter = Path(sys.executable).with_name("lint-imports")

    ran = subprocess.run([linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert [name for name in _CONTRACTS if f"{name} BROKEN" in " ".join(ran.stdout.split())] == [broken] * bool(broken)
    assert ran.returncode == bool(broken)


def test_no_rule_asks_what_time_it_is() -> None:
    asked = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "cutover" / "rules").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CLOCKS
    }
    assert not asked


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    lines = {path: len(path.read_text().splitlines()) for room in _ROOMS for path in (ROOT / room).rglob("*.py")}
    assert not {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > _LONGEST_FILE}
