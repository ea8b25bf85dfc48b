"""Which actions of IAM the emulated AWS was asked for, so that a policy can be held against them.

The query and JSON protocols name their action; of the REST services method and path tell it, by botocore's model.
Refuses to own the policies (docs/policies/), and what is answered.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import botocore.session

if TYPE_CHECKING:
    from rehearsal.cloud.store import Store

ASKED = "asked"
"""Documents of the store: one for each action that was asked for, as a policy names it (``eks:ListClusters``)."""

_IN_POLICIES = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}
_PART = re.compile(r"\{[^}]+\}")


class Asked:
    """What was asked for so far. An action is written down once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: set[str] = set()

    def note(self, service: str, action: str, method: str, path: str, query: str = "") -> None:
        """Write down a call of a ``service`` as boto3 names it; ``action`` is empty where the protocol is REST."""
        action = action or _operation(service, method, path, frozenset(parse_qs(query, keep_blank_values=True)))
        name = f"{_IN_POLICIES.get(service, service)}:{action}"
        if action and name not in self._seen:
            self._seen.add(name)
            self._store.put(ASKED, name, {})


def _operation(service: str, method: str, path: str, query: frozenset[str]) -> str:
    for pattern, asked, operation in _operations(service):
        if asked <= query and pattern.fullmatch(f"{method} {path.rstrip('/')}"):
            return operation
    return ""


@cache
def _operations(service: str) -> list[tuple[re.Pattern[str], frozenset[str], str]]:
    """Return the operations of a service by how they are asked for, those first that leave least open.

    Of S3 it is a parameter that tells most of them apart.
    """
    session = botocore.session.Session()
    if service not in session.get_available_services():
        return []
    model: dict[str, Any] = session.get_component("data_loader").load_service_model(service, "service-2")
    found = [
        (asked.get("authPath", path), query, asked["method"], name)  # of which a client of S3 has taken the bucket away
        for name, asked in ((name, operation["http"]) for name, operation in model["operations"].items())
        for path, _, query in [asked["requestUri"].partition("?")]
    ]
    found.sort(key=lambda one: (len(_PART.findall(one[0])), -len(one[1])))
    return [
        (
            re.compile(re.escape(method) + " " + "[^/]+".join(map(re.escape, _PART.split(path.rstrip("/"))))),
            frozenset(parse_qs(query, keep_blank_values=True)),
            name,
        )
        for path, query, method, name in found
    ]
