"""The keys that docs/json.md promises, held against what a command prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cutover.commands.terminal import SHAPE
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def as_documented(kind: str, *documents: Any) -> None:
    """Assert that documents of a command have, together, just the keys that are documented."""
    text = (ROOT / "docs" / "json.md").read_text()
    documented = set(re.findall(r"^\| `(\S+)` \|", text.partition(f"\n## {kind}\n")[2].partition("\n## ")[0], re.M))
    assert all((document["kind"], document["shape"]) == (kind, SHAPE) for document in documents)
    printed = {key for document in documents for key in _keys(document, "", documented)}
    assert printed - {"kind", "shape"} == {key.removesuffix("[]") for key in documented}


def _keys(value: Any, at: str, documented: set[str]) -> Iterator[str]:
    """Yield all keys with their places; what is documented as a whole, such as weights by cluster, is one."""
    if at and not any(key.startswith(f"{at}.") for key in documented):
        return
    if isinstance(value, list):
        for item in value:
            yield from _keys(item, at, documented)
    elif isinstance(value, dict):
        for key, inner in value.items():
            place = f"{at}.{key}" if at else key
            yield place
            yield from _keys(inner, f"{place}[]" if isinstance(inner, list) else place, documented)
