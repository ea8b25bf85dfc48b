"""Who manages a field of an object: a server-side apply is refused what somebody else has written, unless it is forced.

Kept as the API server does, in ``metadata.managedFields``, but only for what others than the provider wrote: its own
entry decides nothing here. A list counts as one field. From Kubernetes' documentation of server-side apply, with the
words of the API server and of pulumi-kubernetes 4.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.kubernetes.cluster import at
from rehearsal.cloud.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rehearsal.cloud.kubernetes.cluster import Cluster
    from rehearsal.cloud.refused import Props

    _Path = tuple[str, ...]

_HELP = (
    "Server-Side Apply field conflict detected. See https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/"
    "managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources for troubleshooting help."
)


def edit_by_hand(
    cluster: Cluster,
    kind: str,
    namespace: str,
    name: str,
    *,
    fields: Mapping[_Path, Any],
    manager: str = "kubectl-edit",
) -> None:
    """Let somebody change ``fields`` of an object, by their paths, past the program. No webhook is asked."""

    def edit(live: Props | None) -> Props | None:
        if live is None:
            return None
        edited = copy.deepcopy(live)
        for path, value in fields.items():
            *above, last = path
            place = edited
            for key in above:
                place = place.setdefault(key, {})
            place[last] = value
        entry = {
            "manager": manager,
            "operation": "Update",
            "apiVersion": live["apiVersion"],
            "time": f"{datetime.now(UTC):%FT%TZ}",
            "fieldsType": "FieldsV1",
            "fieldsV1": _tree(fields),
        }
        edited["metadata"].setdefault("managedFields", []).append(entry)
        return edited

    cluster.change(kind, namespace, name, edit)


def agreed(manifest: Props, live: Props | None, *, force: bool) -> list[Props]:
    """Return the entries of the others after an apply of ``manifest``.

    What it sets to another value is taken from them if ``force``. Raises Refused where it would have to be.
    """
    entries = copy.deepcopy(at(live, "metadata", "managedFields") or [])
    conflicts: list[str] = []
    for entry in entries:
        disputed = [path for path in _paths(entry["fieldsV1"]) if _sets_another(manifest, live or {}, path)]
        used = f'with "{entry["manager"]}" using {entry["apiVersion"]}'
        conflicts += [f"{used}: .{'.'.join(path)}" for path in disputed]
        entry["fieldsV1"] = _tree(path for path in _paths(entry["fieldsV1"]) if path not in disputed)
    if conflicts and not force:
        what = f"1 conflict: conflict {conflicts[0]}" if len(conflicts) == 1 else _several(conflicts)
        raise Refused(
            f'{_HELP}\nThe resource managed by field manager "pulumi-kubernetes" had an apply conflict: '
            f"Apply failed with {what}"
        )
    return [entry for entry in entries if entry["fieldsV1"]]


def _several(conflicts: list[str]) -> str:
    return f"{len(conflicts)} conflicts: " + "\n".join(f"conflict {one}" for one in conflicts)


def _sets_another(manifest: Props, live: Props, path: _Path) -> bool:
    wanted = at(manifest, *path)
    return wanted is not None and wanted != at(live, *path)


def _tree(paths: Any) -> Props:
    tree: Props = {}
    for path in paths:
        place = tree
        for key in path:
            place = place.setdefault(f"f:{key}", {})
    return tree


def _paths(tree: Props, above: _Path = ()) -> Iterator[_Path]:
    for key, below in tree.items():
        path = (*above, key.removeprefix("f:"))
        if below:
            yield from _paths(below, path)
        else:
            yield path
