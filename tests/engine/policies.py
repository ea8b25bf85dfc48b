"""The policies of docs/first-hour.md, held against what the emulated AWS was asked for."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rehearsal.cloud.asked import ASKED
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rehearsal.engine.sandbox import Sandbox

_READS = ("Describe", "Get", "List")


def denied(sandbox: Sandbox) -> list[str]:
    """Return what was asked for and would be denied: reads to the role of previews, all else to the one of updates."""
    asked = sorted(sandbox.store.all(ASKED))
    assert asked
    reads, changes = _allowed("reads"), _allowed("changes")
    return [
        action
        for action in asked
        if not _allows(reads if action.partition(":")[2].startswith(_READS) else reads + changes, action)
    ]


def _allowed(policy: str) -> list[str]:
    statements = json.loads((ROOT / "docs" / "policies" / f"{policy}.json").read_text())["Statement"]
    named = [statement["Action"] for statement in statements]
    return [action for one in named for action in ([one] if isinstance(one, str) else one)]


def _allows(patterns: Iterable[str], action: str) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in patterns)
