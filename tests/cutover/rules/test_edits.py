"""What an update takes away from whoever has edited an object by hand."""

from __future__ import annotations

from typing import Any

import pytest

from cutover.rules.edits import edits

WHEN = "2026-11-26T09:10:11Z"
PORT = {"f:spec": {"f:serviceRef": {"f:port": {}}}}


def _binding(port: float, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"managedFields": list(entries)}, "spec": {"serviceRef": {"name": "web", "port": port}}}


def _entry(manager: str, fields: dict[str, Any] = PORT, **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": WHEN, "fieldsV1": fields, **more}


WANTED = {"spec": {"serviceRef": {"name": "web", "port": 80.0}}}


def test_an_edit_that_an_update_takes_away_is_told_with_who_made_it_and_when() -> None:
    assert edits(_binding(81.0, _entry("kubectl-edit")), WANTED) == [
        f"spec.serviceRef.port was set to 81 by kubectl-edit on {WHEN}, and is 80 again"
    ]


@pytest.mark.parametrize(
    "live",
    [
        _binding(80, _entry("kubectl-edit")),
        _binding(81),
        _binding(81, _entry("pulumi-kubernetes-1a2b3c4d")),
        _binding(81, _entry("kubectl-edit", {"f:metadata": {"f:labels": {".": {}, "f:team": {}}}})),
        _binding(81, _entry("controller", {"f:status": {"f:observedGeneration": {}}}, subresource="status")),
        {},
    ],
)
def test_what_is_not_edited_or_not_changed_back_is_not_told(live: dict[str, Any]) -> None:
    assert edits(live, WANTED) == []


def test_of_a_list_the_whole_is_told() -> None:
    live = {
        "metadata": {"managedFields": [_entry("dashboard", {"f:spec": {"f:listeners": {'k:{"port":1}': {}}}})]},
        "spec": {"listeners": [1]},
    }
    [told] = edits(live, {"spec": {"listeners": [2]}})
    assert told.startswith("spec.listeners was set to [1] by dashboard")
