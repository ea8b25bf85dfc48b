"""Secrets stay secret, and a rehearsal stays on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.standing import Standing

_SECRET = "a-secret-that-nobody-may-read"


@pytest.mark.parametrize("standing", ["dev"], indirect=True)
def test_a_preview_secret_stands_in_plain_text_nowhere(standing: Standing) -> None:
    path = standing.sandbox.project / f"Pulumi.{standing.name}.yaml"
    before = path.read_text()
    key = "eks-cutover:preview.secret"
    try:
        standing.sandbox.pulumi("config", "set", "--path", key, _SECRET, "--secret", "-s", standing.name)
        applied = standing.sandbox.pulumi("up", "--yes", "--diff", "-s", standing.name)
        assert applied.returncode == 0, applied.stdout
        assert "preview" in applied.stdout
        states = list((standing.sandbox.folder / "state").rglob("*.json"))
        assert states
        for text in (path.read_text(), applied.stdout, *(state.read_text() for state in states)):
            assert _SECRET not in text
    finally:
        path.write_text(before)
        assert not standing.up().failure


def test_a_preview_secret_in_plain_text_is_refused(standing: Standing) -> None:
    run = standing.preview(lambda config: config.setdefault("eks-cutover:preview", {}).update(secret=_SECRET))
    assert "preview.secret" in run.failure
    assert _SECRET not in run.failure


def test_what_is_secret_where_nothing_may_be_is_refused_everywhere_and_shown_nowhere(
    stands: Callable[[str], Standing],
) -> None:
    standing = stands("dev")
    path = standing.sandbox.project / f"Pulumi.{standing.name}.yaml"
    before = path.read_text()
    key = "eks-cutover:preview.header"
    try:
        standing.sandbox.pulumi("config", "set", "--path", key, "X-Hunter2", "--secret", "-s", standing.name)
        ran = [standing.sandbox.cutover("guard", "-s", "dev"), standing.sandbox.pulumi("preview", "-s", "dev")]
    finally:
        path.write_text(before)
    for said in ran:
        assert said.returncode != 0
        assert f"{key}: it is sealed" in f"{said.stdout}{said.stderr}"
        assert "Hunter2" not in f"{said.stdout}{said.stderr}"


def test_no_kubeconfig_is_in_the_outputs(standing: Standing) -> None:
    text = json.dumps({name: output.value for name, output in standing.stack.outputs().items()})
    assert "update-kubeconfig" in text
    assert "certificate-authority-data" not in text
    assert "get-token" not in text


def test_the_callers_credentials_are_not_seen_inside(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREALREALREALREAL")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-real")
    inside = standing.sandbox.environment()
    assert not {"real", "pul-real", "AKIAREALREALREALREAL", "production"}.intersection(inside.values())
    assert inside["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")


def test_whoever_would_leave_the_loopback_finds_nobody(standing: Standing) -> None:
    leave = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')"
    inside = standing.sandbox.environment()
    answer = subprocess.run([sys.executable, "-c", leave], env=inside, capture_output=True, text=True, check=False)
    assert "Connection refused" in answer.stderr  # by the closed port of the loopback: nothing was sent to 192.0.2.1


def test_the_emulated_plugins_lie_in_the_rehearsals_own_home_and_nowhere_else(standing: Standing) -> None:
    inside = standing.sandbox.environment()
    plugins = Path(inside["PULUMI_HOME"]) / "plugins"
    assert plugins.is_relative_to(standing.sandbox.folder)
    assert {plugin.name.split("-")[1] for plugin in plugins.glob("resource-*[0-9]")} == {"aws", "eks", "kubernetes"}
    found = [folder for folder in inside["PATH"].split(os.pathsep) if Path(folder, "pulumi-resource-aws").exists()]
    assert found == []
