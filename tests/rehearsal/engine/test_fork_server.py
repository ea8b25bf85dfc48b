"""What the fork server makes is what Python would have started, and lives no longer than whoever asked for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rehearsal.engine import fork_client, fork_server
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_TELLING = """
import json, os, sys
print(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd(),
                  "module": __name__, "heard": sys.stdin.read(),
                  "loaded": type(sys.modules["pulumi_aws.ec2"]).__name__}))
sys.stderr.write("and told")
sys.exit(7)
"""
_WAITING = """
import os, signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(5))
print(os.getpid(), flush=True)
time.sleep(600)
"""
_ENVIRONMENT = {"OF_THE_CLIENT": "1", "LC_ALL": "C.UTF-8"}  # Python adds a locale where there is none


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[..., subprocess.Popen[str]]]:
    """Return the way to start a client of a server that knows the modules `telling` and `waiting`."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "telling.py").write_text(_TELLING)
    (folder / "waiting.py").write_text(_WAITING)
    socket = folder / "socket"
    with _server(folder, socket) as server:
        yield lambda module, *arguments: _client(socket, module, *arguments)
        assert server.poll() is None


def _server(folder: Path, socket: Path) -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", fork_server.__name__, str(socket)],
        env={"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert server.stdout
    assert server.stdout.readline() == "listening\n"
    return server


def _client(socket: Path, module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", fork_client.__file__, str(socket), module, *arguments],
        env=_ENVIRONMENT,
        cwd=Path(fork_client.__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _process_of(client: subprocess.Popen[str]) -> int:
    assert client.stdout
    return int(client.stdout.readline())


def _is_gone(process: int) -> bool:
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_a_process_has_everything_of_its_client_and_finds_the_sdks_loaded(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    client = start("telling", "--one", "two words")
    told, warned = client.communicate("a word\n")
    assert json.loads(told) == {
        "arguments": ["--one", "two words"],
        "environment": _ENVIRONMENT,
        "folder": str(Path(fork_client.__file__).parent),
        "module": "__main__",
        "heard": "a word\n",
        "loaded": "module",  # and no longer one that loads itself at the first use
    }
    assert (warned, client.returncode) == ("and told", 7)


def test_a_signal_to_the_client_is_one_to_the_process(start: Callable[..., subprocess.Popen[str]]) -> None:
    client = start("waiting")
    process = _process_of(client)
    client.send_signal(signal.SIGINT)
    assert client.wait(10) == 5
    assert _is_gone(process)


def test_a_process_whose_client_is_killed_is_gone(start: Callable[..., subprocess.Popen[str]]) -> None:
    client = start("waiting")
    process = _process_of(client)
    client.kill()
    assert _is_gone(process)


def test_a_process_that_is_killed_ends_its_client_as_a_shell_would_say_it(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    client = start("waiting")
    os.kill(_process_of(client), signal.SIGKILL)
    assert client.wait(10) == 128 + signal.SIGKILL


def test_everything_ends_with_the_server_and_the_server_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(_WAITING)
    with _server(tmp_path, tmp_path / "socket") as server:
        client = _client(tmp_path / "socket", "waiting")
        process = _process_of(client)
        assert server.stdin
        server.stdin.close()
        assert client.wait(10) != 0
    assert _is_gone(process)
