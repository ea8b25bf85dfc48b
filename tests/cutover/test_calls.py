"""Calls to the outside: whatever becomes of one is the program's own error, and what takes long is told."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
import time
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from botocore.parsers import ResponseParserError
from rich.console import Console
from typer.testing import CliRunner

from cutover import calls
from cutover.aws import leftovers, support
from cutover.aws.live import Live
from cutover.aws.session import LiveError, session
from cutover.aws.usage import Usage
from cutover.aws.writes import WriteError, Writes
from cutover.calls import at_once, failing_as, waiting
from cutover.commands import terminal
from cutover.commands.app import app
from cutover.commands.terminal import Code
from cutover.engine import lock
from cutover.engine.lock import LockError
from cutover.inside import objects
from cutover.inside.lists import Inside, InsideError
from cutover.rules.found import TargetGroup
from cutover.rules.verdict import Unread
from settings.aws import Aws
from settings.bindings import CONTROLLERS
from tests.conftest import ROOT, settings_of
from tests.cutover.spoiled import PAGE, spoiled
from tests.cutover.tagged import OWNER, reach
from tests.rehearsal.emulated import REGION, running

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from tests.rehearsal.emulated import Cloud

GROUP = TargetGroup("arn:of:a:group", "web", "v1-35", checked=True)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud")) as one:
        yield one


@pytest.mark.parametrize(
    "other",
    [
        ResponseParserError(f"Unable to parse response, invalid XML received:\nb'{PAGE.decode()}'"),
        json.JSONDecodeError("Expecting value", "Your session has expired", 0),
        subprocess.CalledProcessError(1, "helper"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        FileNotFoundError(2, "No such file or directory", "/a/token"),
        KeyError("Parameter"),
        TypeError("'NoneType' object is not subscriptable"),
        ssl.SSLError("certificate verify failed"),
        urllib3.exceptions.ProtocolError("Connection broken"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_is_raised_becomes_the_programs_own_error_in_one_line(other: Exception) -> None:
    with pytest.raises(LiveError) as raised, failing_as(LiveError):
        raise other
    assert str(raised.value)
    assert not {"\n", "<"} & set(str(raised.value))


@pytest.mark.parametrize("own", [WriteError("no"), KeyboardInterrupt()], ids=repr)
def test_what_is_the_programs_own_already_stays_what_it_is(own: BaseException) -> None:
    with pytest.raises(type(own)) as raised, failing_as(LiveError):
        raise own
    assert raised.value is own


@pytest.mark.parametrize("body", [PAGE, b"{}"], ids=["a page", "half an answer"])
def test_no_question_ends_in_anything_else(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    reach(cloud, monkeypatch)
    with spoiled(cloud.endpoint, lambda *_: body) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        account = session(Aws(region=REGION))
        live, writes = Live(account, OWNER), Writes(account, OWNER)
        questions: list[tuple[Callable[[], object], type[Exception]]] = [
            (live.traffic, LiveError),
            (live.hold, LiveError),
            (lambda: writes.registered([GROUP.arn]), WriteError),
            (lambda: Usage(account).cluster("dev-v1-35"), LiveError),
            (lambda: Usage(account).karpenter_nodes("dev-v1-35"), LiveError),
            (lambda: Inside(account, "dev-v1-35").list("/api/v1/services"), InsideError),
            (lambda: lock.read("s3://bucket", "eks-cutover", "dev"), LockError),
            (lambda: session(Aws.model_validate({"region": REGION, "allowedAccountIds": ("1" * 12,)})), LiveError),
        ]
        for ask, error in questions:
            with pytest.raises(error) as raised:
                ask()
            assert "<" not in str(raised.value)
        assert live.health([GROUP])[GROUP.arn].unreadable
        assert writes.set_weights({"arn:of:a:rule": {GROUP.arn: 1}}).failed
        assert isinstance(objects.read(account, "dev-v1-35", CONTROLLERS)["identities"], Unread)
        assert all(one.unread for one in support.read(account, settings_of("dev")))
        assert leftovers.sweep(account, "dev-v1-35", "https://issuer").unseen


@pytest.mark.parametrize(
    "profile",
    [
        "credential_process = /bin/echo Your session has expired, run login",
        "credential_process = /bin/false",
        "role_arn = arn:aws:iam::123456789012:role/x\nweb_identity_token_file = /nonexistent",
    ],
)
def test_a_helper_for_credentials_that_gives_none_is_told_without_a_traceback(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    reach(cloud, monkeypatch)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "conf").write_text(f"[profile helped]\n{profile}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "conf"))
    monkeypatch.setenv("AWS_PROFILE", "helped")
    in_threads: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", in_threads.append)
    said = CliRunner().invoke(app, ["rollback", "-s", "dev", "-C", str(ROOT), "--yes"])
    assert (said.exit_code, in_threads) == (Code.FAILED, [])
    assert "no credentials could be loaded" in said.stderr


def test_what_takes_long_is_told_by_its_name_and_not_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_SILENT_SECONDS", 0.05)
    monkeypatch.setattr(calls, "_LOOK_SECONDS", 0.01)
    told: list[str] = []
    heard = threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        heard.set()

    calls.tell_what_takes_long(tell)
    with waiting("sts AssumeRole"), waiting("sts AssumeRole"):
        assert heard.wait(60)
    assert [text.partition(" (")[0] for text in told] == ["Waiting for sts AssumeRole"]


def test_what_takes_long_is_shown_for_as_long_as_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_SILENT_SECONDS", 0.05)
    monkeypatch.setattr(calls, "_LOOK_SECONDS", 0.01)
    shown: list[str] = []
    heard = threading.Event()

    def show(text: str) -> None:
        shown.append(text)
        if "whoami" in text:
            heard.set()

    with calls.showing_what_takes_long(show), waiting("pulumi preview"):
        with waiting("pulumi whoami"):
            assert heard.wait(60)
        assert "whoami" not in shown[-1]
    assert shown[-1] == "", "before anything else is printed"
    assert "Waiting for pulumi preview" in "".join(shown)


def test_on_a_terminal_what_is_waited_for_turns_in_one_line_that_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "_SILENT_SECONDS", 0.05)
    monkeypatch.setattr(calls, "_LOOK_SECONDS", 0.01)
    written = StringIO()
    screen = Console(file=written, force_terminal=True, color_system=None, width=80)
    monkeypatch.setattr(terminal, "messages", screen)
    monkeypatch.setenv("TERM", "xterm")
    out = sys.stdout
    with terminal.told(), waiting("pulumi preview"):
        while "Waiting for pulumi preview (0 s)" not in written.getvalue():
            time.sleep(0.01)
        assert sys.stdout is out, "where results go"
    # A command of an earlier test may still tell what takes long, in lines that stay.
    shown = written.getvalue().replace("Waiting for pulumi preview (0 s).\n", "")
    assert shown.endswith("\x1b[1A\x1b[2K"), "the line is erased"


def test_a_call_that_hangs_is_told_by_service_action_and_region(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    reach(cloud, monkeypatch)
    waited_for: list[str] = []

    def spoil(_: str, action: str) -> None:
        waited_for.extend(what for what, _ in list(calls._open.values()) if action in what)  # pyright: ignore[reportPrivateUsage]

    with spoiled(cloud.endpoint, spoil) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        Live(session(Aws(region=REGION)), OWNER).hold()
    assert set(waited_for) == {f"ssm GetParameter in {REGION}"}  # a hold may stand at two names


def test_where_one_question_fails_the_others_are_not_waited_for() -> None:
    released = threading.Event()

    def ask(which: str) -> None:
        if which == "fails":
            raise LiveError("no")
        released.wait(60)

    with pytest.raises(LiveError):
        at_once(ask, ["fails", "hangs"], 2)
    assert not released.is_set()
    released.set()
