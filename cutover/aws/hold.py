"""Where a rollback's hold stands in SSM, and what it is there: JSON.

Refuses to ask for it (live.py), and to leave or lift one (writes.py).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cutover.aws.session import LiveError
from cutover.rules.move import Hold
from cutover.rules.shift import HIGHEST

if TYPE_CHECKING:
    from settings.owner import Owner


class HoldError(LiveError):
    """What stands where the hold would is none that this program wrote. The text says what it is."""


def hold_name(owner: Owner) -> str:
    """Return the name of the SSM parameter that holds a stack's weights: JSON of `Hold`."""
    return f"/eks-cutover/{owner}/hold"


def hold_names(owner: Owner) -> tuple[str, str]:
    """Return where a hold may stand: where it is left now, and where older versions left it."""
    return hold_name(owner), f"/eks-cutover/{owner.stack}/hold"


def hold_of(says: Any) -> Hold:
    """Return a hold as JSON has it. A route that sends nothing anywhere is held at zeros, or at no clusters.

    :raises ValueError: it has a value that no hold has
    :raises TypeError: it has other keys than a hold, or something else than text in one
    :raises AttributeError: it is no map
    """
    hold = Hold(**says)
    for key in ("who", "why", "when", "version"):
        value = says.get(key, hold.version if key == "version" else None)
        if not isinstance(value, str):
            raise TypeError(f"{key} is {json.dumps(value)}, and not text")
    for route, weights in hold.weights.items():
        for cluster, weight in weights.items():
            if type(weight) is not int or not 0 <= weight <= HIGHEST:
                raise ValueError(f"{route} has {cluster} at {json.dumps(weight)}, and a weight is 0 to {HIGHEST}")
    return hold
