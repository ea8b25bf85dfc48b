"""How a command ends: by a signal through its undo, its engine stopped cleanly, and with its last word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer

from cutover import ending
from cutover.commands import terminal
from cutover.commands.terminal import Code
from cutover.engine.cli import Cli
from cutover.engine.project import Project
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENDS = {
    signal.SIGHUP: Code.HUNG_UP,
    signal.SIGINT: Code.INTERRUPTED,
    signal.SIGTERM: Code.TERMINATED,
    signal.SIGQUIT: Code.INTERRUPTED,
    signal.SIGUSR1: Code.INTERRUPTED,
    signal.SIGXCPU: Code.INTERRUPTED,
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text("name: eks-cutover\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    return Project(tmp_path, "dev")


def _code(act: Callable[[], object]) -> int:
    """Return the exit code of a command that is ended while it acts."""
    with pytest.raises(typer.Exit) as end, terminal.told():
        act()
    return end.value.exit_code


def _send(one: signal.Signals) -> None:
    assert signal.getsignal(one) is not signal.SIG_DFL, "it would end these tests"
    signal.raise_signal(one)


@pytest.mark.parametrize(("one", "code"), ENDS.items(), ids=lambda value: value.name)
def test_every_signal_ends_a_command_through_its_undo_with_an_exit_code_of_its_own(
    project: Project, one: signal.Signals, code: Code
) -> None:
    handler = signal.getsignal(one)

    def edit() -> None:
        with project.tentative(print), project._editing():  # pyright: ignore[reportPrivateUsage]
            project.file.write_text("an edit")
            _send(one)

    assert (_code(edit), project.file.read_text()) == (code, "config: {}\n")
    assert signal.getsignal(one) is handler


def test_a_second_signal_does_not_break_the_undo() -> None:
    undone: list[str] = []

    def act() -> None:
        try:
            _send(signal.SIGTERM)
        finally:
            _send(signal.SIGINT)
            _send(signal.SIGHUP)
            undone.append("all")

    assert (_code(act), undone) == (Code.TERMINATED, ["all"])


def test_what_must_not_be_left_half_done_is_done_before_the_signal_counts() -> None:
    done: list[str] = []

    def act() -> None:
        with ending.undisturbed():
            _send(signal.SIGTERM)
            done.append("all of it")
        ending.heed()
        done.append("more")

    assert (_code(act), done) == (Code.TERMINATED, ["all of it"])


def test_what_was_ignored_when_the_command_began_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with terminal.told():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


ENGINE = """#!{python}
import os, signal, sys
from pathlib import Path
here = Path({here!r})
asked = []
signal.signal(signal.SIGINT, lambda *_: asked.append("SIGINT"))
(here / "lock").touch()
os.kill(int((here / "parent").read_text()), getattr(signal, (here / "signal").read_text()))
for _ in range(200):
    if asked or sys.argv[2] == "config":
        break
    signal.sigtimedwait([], 0.1)
signal.sigtimedwait([], 0.3)
(here / "ended").write_text(" ".join(asked))
(here / "lock").unlink()
print("stopped cleanly")
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a CLI on PATH that signals its parent, and ends itself a while after SIGINT, when its lock is lifted."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "pulumi"
    command.write_text(ENGINE.format(python=sys.executable, here=str(tmp_path)))
    command.chmod(0o755)
    (tmp_path / "parent").write_text(str(os.getpid()))
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(Cli, "__init__", lambda self: setattr(self, "command", "pulumi"))
    return tmp_path


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_the_engine_is_asked_once_to_stop_and_is_waited_for(engine: Path, one: signal.Signals) -> None:
    (engine / "signal").write_text(one.name)
    assert _code(lambda: Cli().run(["up"], str(engine), {})) == ENDS[one]
    assert not (engine / "lock").exists()
    assert (engine / "ended").read_text() == "SIGINT"


def test_an_edit_of_the_stack_file_is_not_cut_off(engine: Path) -> None:
    (engine / "signal").write_text("SIGTERM")
    assert _code(lambda: Cli().run(["config", "set-all"], str(engine), {})) == Code.TERMINATED
    assert (engine / "ended").read_text() == ""


def test_no_terminal_reaches_the_engine_directly(engine: Path) -> None:
    (engine / "bin" / "pulumi").write_text(f"#!{sys.executable}\nimport os\nprint(os.getsid(0) == os.getpid())\n")
    assert Cli().run(["up"], str(engine), {}).stdout == "True"


def test_a_failure_ends_the_engine_whatever_the_shell_says(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONTINUE_ON_ERROR", "true")
    (engine / "bin" / "pulumi").write_text("#!/bin/sh\necho $PULUMI_CONTINUE_ON_ERROR\n")
    assert Cli().run(["up"], str(engine), {}).stdout == "false"


LAST_WORD = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from cutover import __main__
from cutover.commands import app as commands
def app(**_):
    ThreadPoolExecutor(1).submit(threading.Event().wait)
    print("the last word")
    sys.exit({code})
commands.app = app
__main__.main()
"""


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_ends_with_its_last_word_and_its_code_while_a_call_hangs(code: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LAST_WORD.format(code=code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (ran.stdout, ran.returncode) == ("the last word\n", code)


LOADING = """
import sys, time
class Slow:
    def find_spec(name, *_):
        if name == "cutover.commands.app":
            print("it loads", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow)
from cutover.__main__ import main
main()
"""


def test_ctrl_c_while_it_still_loads_ends_it_without_a_word() -> None:
    started = subprocess.Popen(
        [sys.executable, "-c", LOADING], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    started.stdout.readline()
    started.send_signal(signal.SIGINT)
    _, said = started.communicate()
    assert (started.returncode, said) == (-signal.SIGINT, "")
