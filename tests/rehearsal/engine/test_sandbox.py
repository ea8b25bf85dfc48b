"""What a rehearsal keeps apart from the world, and how a program runs in it on the real engine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from rehearsal.engine import executable
from rehearsal.engine.sandbox import PLUGINS, Sandbox
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = "name: trivial\nruntime: {name: python, options: {toolchain: pip, virtualenv: .venv}}\n"
STACK_FILE = 'encryptionsalt: v1:of-another-backend\nconfig:\n  trivial:x: "1" # the reason\n'
PROGRAM = """
import os
import pulumi
import helper

pulumi.export("x", pulumi.Config().require("x"))
pulumi.export("variables", sorted(os.environ))
pulumi.export("helper", helper.VALUE)
"""


def program_in(folder: Path, text: str = PROGRAM) -> Path:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "Pulumi.dev.yaml").write_text(STACK_FILE)
    (folder / "__main__.py").write_text(text)
    (folder / "helper.py").write_text("VALUE = 1\n")
    return folder


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a program that declares nothing and tells what it sees."""
    return program_in(tmp_path_factory.mktemp("program") / "trivial")


@pytest.fixture(scope="module")
def sandbox(pulumi_engine: executable.Engine, program: Path) -> Iterator[Sandbox]:
    """Return a rehearsal of that program, begun by a caller with an AWS account of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_PROFILE", "production")
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIA-OF-THE-CALLER")
        patch.setenv("AWS_ENDPOINT_URL", "https://example.com")
        patch.setenv("PULUMI_ACCESS_TOKEN", "token-of-the-caller")
        patch.setenv("KUBECONFIG", "/kubeconfig-of-the-caller")
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        patch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        with Sandbox(pulumi_engine, program, zones=["example.com"]) as sandbox:
            yield sandbox


def refuses_connections(endpoint: str) -> bool:
    place = urlsplit(endpoint)
    with socket.socket() as probe:
        return probe.connect_ex((place.hostname, place.port)) != 0


def test_the_program_runs_and_a_second_preview_plans_nothing(sandbox: Sandbox) -> None:
    first = sandbox.stack("dev").up()
    assert first.outputs["x"].value == "1"
    preview = sandbox.pulumi("preview", "-s", "dev", "--expect-no-changes")
    assert preview.returncode == 0, preview.stdout
    assert "warning" not in preview.stdout


def test_nothing_of_the_caller_is_seen_inside(sandbox: Sandbox) -> None:
    seen = sandbox.stack("dev").up().outputs["variables"].value
    assert "AWS_PROFILE" not in seen
    assert "PULUMI_ACCESS_TOKEN" not in seen
    inside = sandbox.environment()
    assert {inside[name] for name in inside if name.lower() in {"http_proxy", "https_proxy"}} == {"http://127.0.0.1:9"}
    assert "ALL_PROXY" not in seen
    assert inside["AWS_ACCESS_KEY_ID"] != "AKIA-OF-THE-CALLER"
    assert not Path(inside["KUBECONFIG"]).exists()
    assert not Path(inside["AWS_CONFIG_FILE"]).exists()
    assert urlsplit(inside["AWS_ENDPOINT_URL"]).hostname == "127.0.0.1"
    assert urlsplit(inside["PULUMI_BACKEND_URL"]).scheme == "file"
    assert Path(inside["HOME"]).is_relative_to(sandbox.folder)
    assert Path(inside["PULUMI_HOME"]).is_relative_to(sandbox.folder)


def test_the_stack_file_of_the_user_stays_as_it_is(sandbox: Sandbox, program: Path) -> None:
    sandbox.stack("dev").up()
    assert (program / "Pulumi.dev.yaml").read_text() == STACK_FILE
    assert "of-another-backend" not in (sandbox.project / "Pulumi.dev.yaml").read_text()
    assert "# the reason" in (sandbox.project / "Pulumi.dev.yaml").read_text()


def test_the_sources_are_the_users_own(sandbox: Sandbox, program: Path) -> None:
    (program / "helper.py").write_text("VALUE = 2\n")
    assert sandbox.stack("dev").up().outputs["helper"].value == 2


def test_the_cli_and_the_automation_api_share_a_stack(sandbox: Sandbox) -> None:
    sandbox.stack("dev").up()
    assert sandbox.pulumi("stack", "output", "x", "-s", "dev").stdout.strip() == "1"


def test_a_failing_command_raises_with_what_it_said(sandbox: Sandbox) -> None:
    with pytest.raises(Exception, match="no stack named 'nowhere'"):
        sandbox.stack("dev").workspace.select_stack("nowhere")


def test_the_emulated_plugins_are_installed_here_and_nothing_else_can_be(sandbox: Sandbox) -> None:
    listed = sandbox.pulumi("plugin", "ls", "--json").stdout
    assert all(f'"name": "{name}"' in listed for name in PLUGINS)
    assert listed.count('"name"') == len(PLUGINS)
    assert sandbox.environment()["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_a_real_provider_on_path_is_out_of_sight(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pulumi-resource-aws").write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    assert str(tmp_path) not in sandbox.environment()["PATH"].split(os.pathsep)


def test_the_account_has_its_hosted_zones_from_the_beginning(sandbox: Sandbox) -> None:
    zones = sandbox.aws("route53").list_hosted_zones()["HostedZones"]
    assert [zone["Name"] for zone in zones] == ["example.com."]


def preview_of(sandbox: Sandbox, text: str) -> subprocess.CompletedProcess[str]:
    """Preview another program in the same project."""
    main = sandbox.project / "__main__.py"
    source = main.readlink()
    sandbox.stack("dev")
    try:
        main.unlink()
        main.write_text(text)
        return sandbox.pulumi("preview", "-s", "dev", "--diff")
    finally:
        main.unlink()
        main.symlink_to(source)


def test_a_mistake_of_the_user_reads_as_a_message(sandbox: Sandbox) -> None:
    preview = preview_of(sandbox, 'import pulumi\nraise pulumi.RunError("weights: the sum is 0")\n')
    assert preview.returncode != 0
    assert preview.stdout.count("weights: the sum is 0") == 1
    assert "unhandled" not in preview.stdout
    assert "Traceback" not in preview.stdout


def test_a_mistake_in_the_program_shows_the_programs_own_lines_once(sandbox: Sandbox) -> None:
    preview = preview_of(sandbox, "def divide():\n    return 1 / 0\n\n\ndivide()\n")
    assert preview.returncode != 0
    assert preview.stdout.count("ZeroDivisionError: division by zero") == 1
    assert "return 1 / 0" in preview.stdout
    assert "language_host.py" not in preview.stdout


def test_a_program_that_exits_does_not_pass(sandbox: Sandbox) -> None:
    preview = preview_of(sandbox, "raise SystemExit(3)\n")
    assert preview.returncode != 0
    assert "program exited: 3" in preview.stdout


def test_the_emulated_aws_ends_with_the_rehearsal(pulumi_engine: executable.Engine, program: Path) -> None:
    with Sandbox(pulumi_engine, program) as sandbox:
        assert not refuses_connections(sandbox.endpoint)
    assert refuses_connections(sandbox.endpoint)
    assert not sandbox.folder.exists()


@pytest.mark.usefixtures("pulumi_engine")
def test_the_emulated_aws_ends_even_if_the_rehearsal_is_killed(program: Path, tmp_path: Path) -> None:
    child = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from rehearsal.engine import executable
        from rehearsal.engine.sandbox import Sandbox
        with Sandbox(executable.find(), Path({str(program)!r}), folder=Path({str(tmp_path / "kept")!r})) as sandbox:
            print(sandbox.endpoint, flush=True)
            time.sleep(600)
        """
    )
    with subprocess.Popen([sys.executable, "-c", child], cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        endpoint = running.stdout.readline().strip()
        assert not refuses_connections(endpoint)
        running.send_signal(signal.SIGKILL)
    for _ in range(100):
        if refuses_connections(endpoint):
            return
        time.sleep(0.1)
    pytest.fail("the emulated AWS outlived its rehearsal")
