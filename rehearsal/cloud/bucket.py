"""A token bucket, by which AWS limits its callers and a controller limits itself.

Refuses to own the clock, and what happens to a call that gets no token.
"""

from __future__ import annotations


class Bucket:
    """``size`` calls at once, ``refill`` more each second. Times are seconds of any steady clock."""

    def __init__(self, size: int, refill: float, now: float) -> None:
        self._size, self._refill = size, refill
        self._tokens, self._then = float(size), now

    def take(self, now: float) -> bool:
        """Take a token, or return False when there is none."""
        self._tokens = min(self._size, self._tokens + (now - self._then) * self._refill)
        self._then = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
