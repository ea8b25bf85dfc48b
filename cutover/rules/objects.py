"""How the objects of a cluster are called and told from those that it brings by itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutover.rules.verdict import Unread, known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cutover.rules.verdict import Objects

    _Object = Mapping[str, Any]


def own(inside: Objects, kind: str) -> list[_Object]:
    """Return the objects of a kind that a cluster does not bring by itself."""
    return [one for one in known(inside[kind]) if not one["metadata"].get("namespace", "").startswith("kube-")]


def readable(inside: Objects, kind: str) -> Iterable[_Object]:
    """Return the objects of a kind, or none where they could not be read."""
    found = inside[kind]
    return [] if isinstance(found, Unread) else found


def containers(workload: _Object) -> list[_Object]:
    """Return a workload's containers, those that run first and end among them."""
    spec = workload["spec"]["template"]["spec"]
    return [*spec.get("initContainers", []), *spec.get("containers", [])]


def labels(one: _Object) -> Mapping[str, str]:
    """Return the labels of an object."""
    return one["metadata"].get("labels") or {}


def name_of(one: _Object) -> str:
    """Return an object's name as people write it: behind its namespace, where it has one."""
    namespace = one["metadata"].get("namespace")
    return f"{namespace}/{one['metadata']['name']}" if namespace else one["metadata"]["name"]
