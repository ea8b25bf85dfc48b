"""Both stack files that ship, up on the real engine over the emulated AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cutover.run import watch
from rehearsal import engine
from rehearsal.__main__ import PROGRAM, ZONES
from rehearsal.sandbox import Sandbox
from tests.engine.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(scope="session")
def pulumi_engine() -> engine.Engine:
    """Return the engine, built first where there is none."""
    return engine.find()


@pytest.fixture(scope="session", params=["dev", "prod"])
def standing(request: pytest.FixtureRequest, pulumi_engine: engine.Engine) -> Generator[Standing]:
    """Bring a stack file that ships up once; tests preview edits of it, or take back what they apply."""
    with Sandbox(pulumi_engine, PROGRAM, zones=ZONES) as sandbox:
        stack = sandbox.stack(request.param)
        first = watch(stack.up)
        assert not first.failure
        yield Standing(sandbox, request.param, stack)
