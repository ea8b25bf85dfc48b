"""How a signal ends a command: every one as Ctrl-C does, through the same undo, and only once.

A CI job that is cancelled (SIGTERM) and a terminal that is closed (SIGHUP) are no other ends than Ctrl-C: each is
raised as KeyboardInterrupt in the main thread, once. What comes after that is told that the command is ending already,
so that no second signal breaks the undo. A signal that was ignored when the command began (nohup) stays ignored.
Refuses to own what is undone: that stands in `finally` where it was done.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGXCPU,
)
_ALREADY = b"Ending already: what was begun is put back, or told.\n"


class _State:
    """The signal that ends the command, whether it was raised already, and how many blocks it must wait for."""

    by: int | None = None
    raised = False
    shields = 0


_state = _State()


@contextmanager
def by_signals() -> Generator[None]:
    """Let every signal that would end the process end the block by KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is _end:
        yield
        return
    _state.by, _state.raised = None, False
    before = {one: signal.getsignal(one) for one in _SIGNALS}
    for one, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(one, _end)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def undisturbed() -> Generator[None]:
    """Let a signal wait for the block, an undo or what must not be left half done, and then until it is heeded."""
    _state.shields += 1
    try:
        yield
    finally:
        _state.shields -= 1


def heed() -> None:
    """End now if a signal has come that had to wait.

    :raises KeyboardInterrupt: so it is
    """
    if _state.by is not None and not _state.raised and not _state.shields:
        _state.raised = True
        raise KeyboardInterrupt


def asked() -> bool:
    """Tell whether a signal has asked the command to end."""
    return _state.by is not None


def signalled() -> int:
    """Return the signal by which the command ends: an end that came from elsewhere (a prompt's) counts as Ctrl-C."""
    return _state.by or signal.SIGINT


def _end(number: int, _: FrameType | None) -> None:
    if _state.by is not None:
        with suppress(OSError):
            os.write(2, _ALREADY)
        return
    _state.by = number
    if not _state.shields:
        _state.raised = True
        raise KeyboardInterrupt
