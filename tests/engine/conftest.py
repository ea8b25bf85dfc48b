"""Both stack files that ship, up on the real engine over the emulated AWS."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING

import pytest

from cutover.engine.run import watch
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.engine.sandbox import Sandbox
from tests.engine.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rehearsal.engine import executable


@pytest.fixture(scope="session")
def stands(pulumi_engine: executable.Engine) -> Generator[Callable[[str], Standing]]:
    """Return the way to a stack file that ships, brought up when it is first asked for, and once."""
    with ExitStack() as end:

        @cache
        def stand(name: str) -> Standing:
            sandbox = end.enter_context(Sandbox(pulumi_engine, PROGRAM, zones=ZONES))
            standing = Standing(sandbox, name, sandbox.stack(name))
            assert not watch(standing.stack.up).failure
            standing.heal(4)
            return standing

        yield stand


@pytest.fixture(params=["dev", "prod"])
def standing(request: pytest.FixtureRequest, stands: Callable[[str], Standing]) -> Standing:
    """Return both stack files that ship, as they stand; tests preview edits of them, or take back what they apply."""
    return stands(request.param)
