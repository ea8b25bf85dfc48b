"""Where it stands in SSM what probes of a route saw in a cluster, and what it is there: JSON of a `Record`.

One parameter a route and cluster: whoever asks a part of them overwrites nobody's. Refuses to judge it
(rules/probes.py), and to write it (writes.py).
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cutover.calls import at_once, told
from cutover.rules.probes import Record
from cutover.rules.verdict import Unread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settings.owner import Owner

_AT_ONCE = 10  # SSM takes 40 reads a second, for everybody


def record_name(owner: Owner, route: str, cluster: str) -> str:
    """Return the name of the SSM parameter that has what a route's probes saw in a cluster."""
    return f"/eks-cutover/{owner}/probes/{cluster}/{route}"


def record_of(value: str) -> Record:
    """Return a record as JSON has it.

    :raises ValueError: it is none
    """
    says = json.loads(value)
    if not isinstance(says, dict) or says.keys() != {one.name for one in fields(Record)}:
        raise ValueError("it has other keys than a record")
    if strange := [key for key, text in says.items() if not isinstance(text, str)]:
        raise ValueError(f"{strange[0]} is no text")
    if datetime.fromisoformat(says["when"]).tzinfo is None:
        raise ValueError("its time is of no zone")
    return Record(**says)


def read(ssm: Any, owner: Owner, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Record | Unread | None]:
    """Return what stands there by route and cluster; None where nobody has asked."""
    every = list(places)
    return dict(zip(every, at_once(lambda place: _read(ssm, owner, *place), every, _AT_ONCE), strict=True))


def _read(ssm: Any, owner: Owner, route: str, cluster: str) -> Record | Unread | None:
    try:
        return record_of(ssm.get_parameter(Name=record_name(owner, route, cluster))["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return None
    except Exception as error:
        return Unread(told(error))
