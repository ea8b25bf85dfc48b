"""The state of a resource, as it follows from the declaration of its type: foreseen by a preview, and as it was known.

Refuses to own any call to AWS: what is there is handed in.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from rehearsal.cloud.refused import Props
from rehearsal.plugins.aws.difference import matched
from rehearsal.plugins.aws.table import Field, Shape
from rehearsal.plugins.plugin import UNKNOWN


def foreseen(shape: Shape, state: Props, inputs: Props) -> Props:
    """Return the state that a preview can promise; ``state`` is empty before a resource exists."""
    promised: Props = {}
    for name, rules in shape.items():
        if name in inputs:
            promised[name] = _foreseen_value(rules, state.get(name), inputs[name])
        elif rules.computed or rules.output:
            promised[name] = state.get(name, UNKNOWN)
    return promised


def aligned(shape: Shape, known: Props, found: Props) -> Props:
    """Return ``found`` with the elements of its sets, and equal documents, as ``known`` has them."""
    return {
        name: _aligned_value(shape[name], known[name], value) if name in shape and name in known else value
        for name, value in found.items()
    }


def _foreseen_value(rules: Field, state: Any, given: Any) -> Any:
    if rules.fields is None or given == UNKNOWN:
        return given
    if rules.many == "one":
        return foreseen(rules.fields, state if isinstance(state, dict) else {}, given)
    states = state if isinstance(state, list) and rules.many == "list" else []
    return [
        foreseen(rules.fields, states[index] if index < len(states) else {}, part) if isinstance(part, dict) else part
        for index, part in enumerate(given)
    ]


def _aligned_value(rules: Field, known: Any, found: Any) -> Any:
    if isinstance(known, list) and isinstance(found, list) and rules.many != "one":
        one = dataclasses.replace(rules, many="one")
        pairs = list(matched(rules, known, found))
        if rules.many == "set":
            pairs.sort(key=lambda pair: (pair[0] is None, pair[0], pair[1]))
        return [
            found[after] if before is None else _aligned_value(one, known[before], found[after])
            for before, after in pairs
            if after is not None
        ]
    if isinstance(known, dict) and isinstance(found, dict) and rules.fields is not None:
        return aligned(rules.fields, known, found)
    return known if rules.same(known) == rules.same(found) else found
