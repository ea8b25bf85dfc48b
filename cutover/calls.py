"""A call to the outside, and how it may fail: AWS's APIs, a cluster's API, a load balancer, a helper for credentials.

What botocore raises is one family, and not the only one: a page of a proxy in place of an answer, a credential helper
that prints a sentence, a token file that is gone, half an answer. Here all of it becomes the program's own error, in
one line that names the call. Here too it is said what is waited for, where that takes long. Refuses to know what was
asked, and what a failure means to who asked.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cutover.web import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

_T = TypeVar("_T")
_Item = TypeVar("_Item")

_PATIENCE = Config(connect_timeout=3, read_timeout=10, retries={"mode": "adaptive", "max_attempts": 6})
_SILENT_SECONDS, _THEN_SECONDS = 3.0, 30.0  # until it is said what is waited for, and at least until it is said again
_LOOK_SECONDS = 0.5
_FAMILIES = (BotoCoreError, ClientError, urllib3.exceptions.HTTPError, OSError)  # whose texts say what is wrong


class OutsideError(Exception):
    """The outside did not answer, or not as it should. The text says which call failed and why."""


class StrangeAnswerError(BotoCoreError):
    """A call of AWS ended in something that botocore does not call an error of its own."""

    fmt = "{call} failed: {error}"


@contextmanager
def failing_as(error: Callable[[str], OutsideError]) -> Generator[None]:
    """Turn whatever a block raises that asks the outside, and reads its answer, into the program's own ``error``."""
    try:
        yield
    except OutsideError:
        raise
    except Exception as other:
        raise error(told(other)) from other


def told(error: Exception) -> str:
    """Say in a line what the outside did wrong."""
    if isinstance(error, _FAMILIES):
        return reason(error)
    return f"what came in answer cannot be read ({type(error).__name__}: {reason(error)})"


def client(session: boto3.Session, service: str) -> Any:
    """Return a client of an AWS service whose calls are patient for a while, and fail by name.

    :raises OutsideError: what the environment says of AWS is of no use
    """
    with failing_as(OutsideError):
        return session.client(service, config=_PATIENCE)  # pyright: ignore[reportCallIssue, reportArgumentType]


def pages(client: Any, call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return what a list of AWS has under ``key``, over all of its pages.

    :raises ClientError: AWS refused
    """
    return [one for page in client.get_paginator(call).paginate(**arguments) for one in page[key]]


def open_session(**options: Any) -> boto3.Session:
    """Return a session that makes a client of a service once.

    Its clients fail by name, those too that it makes itself for its credentials.

    :raises OutsideError: there is no such profile, or the environment says of AWS what is of no use
    """
    with failing_as(OutsideError):
        session = boto3.Session(**options)
        session.events.register("creating-client-class", _add)
        # Every read asks for one, and how much a service takes at a time is what a client has learned.
        session.client = cache(session.client)
        return session


def at_once(ask: Callable[[_Item], _T], items: Iterable[_Item], limit: int) -> list[_T]:
    """Return what ``ask`` returns of each item, asked in parallel; where one raises, the others are not waited for."""
    with threads(limit) as pool:
        asked = [pool.submit(copy_context().run, ask, item) for item in items]
        return [one.result() for one in asked]


@contextmanager
def threads(limit: int) -> Generator[ThreadPoolExecutor]:
    """Give a block threads that it does not wait for when it ends early: a call may hang for minutes."""
    pool = ThreadPoolExecutor(limit)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_nobody_waits: ContextVar[bool] = ContextVar("nobody_waits", default=False)
_open: dict[object, tuple[str, float]] = {}  # what is waited for, and since when
_never = threading.Event()
_showing = threading.Lock()
_shows: list[Callable[[str], object]] = []  # where a line is shown for as long as it is true


@contextmanager
def waiting(what: str) -> Generator[None]:
    """Have it said what is waited for, where a block takes longer than somebody looks at a silent terminal."""
    place = object()
    if not _nobody_waits.get():
        _open[place] = what, time.monotonic()
    try:
        yield
    finally:
        _open.pop(place, None)
        _show()  # before anything else is printed


@contextmanager
def aside() -> Generator[None]:
    """Have nothing said of what a block waits for: nobody waits for the block."""
    token = _nobody_waits.set(True)
    try:
        yield
    finally:
        _nobody_waits.reset(token)


@cache
def tell_what_takes_long(tell: Callable[[str], object]) -> None:
    """Tell from now on, in the words of `waiting`, what takes long: first soon, then ever less often."""
    threading.Thread(target=_tell_what_takes_long, args=(tell,), daemon=True).start()


@contextmanager
def showing_what_takes_long(show: Callable[[str], object]) -> Generator[None]:
    """Show for the length of a block, in the words of `waiting`, what takes long now; "" where nothing does.

    It is called from any thread.
    """
    _shows.append(show)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            _show()

    threading.Thread(target=look, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        _shows.remove(show)
        show("")


def _show() -> None:
    with _showing:  # so that nothing is shown late that has ended
        long = [(seconds, what) for what, seconds in _since().items() if seconds >= _SILENT_SECONDS]
        # The shortest of them says most: it is a part of the others.
        line = "Waiting for {1} ({0:.0f} s)".format(*min(long)) if long else ""
        for show in tuple(_shows):
            show(line)


def _since() -> dict[str, float]:
    """Return how many seconds each thing has been waited for, the first of those that have one name."""
    present = time.monotonic()
    return {what: present - begin for what, begin in reversed(list(_open.values()))}


def _tell_what_takes_long(tell: Callable[[str], object]) -> None:
    due: dict[str, float] = {}
    while not _never.wait(_LOOK_SECONDS):
        since = _since()
        due = {what: seconds for what, seconds in due.items() if what in since}
        for what, seconds in since.items():
            if seconds >= due.get(what, _SILENT_SECONDS):
                due[what] = max(_THEN_SECONDS, 2 * seconds)
                tell(f"Waiting for {what} ({seconds:.0f} s).")


class _Watched:
    """What every client is besides: calls that are told while they take long, and that fail by name."""

    meta: Any

    def _make_api_call(self, operation_name: str, api_params: dict[str, Any]) -> Any:
        call = f"{self.meta.service_model.service_name} {operation_name} in {self.meta.region_name}"
        with waiting(call):
            try:
                return super()._make_api_call(operation_name, api_params)  # pyright: ignore[reportAttributeAccessIssue]
            except (BotoCoreError, ClientError):
                raise
            except Exception as error:
                raise StrangeAnswerError(call=call, error=told(error)) from error


def _add(base_classes: list[type], **_: Any) -> None:
    base_classes.insert(0, _Watched)
