"""What the emulated types take, the real provider's schema has: no property passes here that is refused there.

Beside it stands that the emulated provider refuses what its shapes lack (test_aws_table.py), and that it takes a stack
file with every key (tests/test_accepting.py): so all that the program declares is in the pinned provider's schema, as
its SDK has it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pytest
from pulumi import _types  # pyright: ignore[reportPrivateUsage]

from rehearsal.plugins.aws.provider import TYPES
from rehearsal.plugins.aws.table import GIVEN, Shape, block, list_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def _schema(token: str) -> Mapping[str, Any]:
    """Return the properties of a resource in the SDK, by the names that go over the wire."""
    _, module, name = token.split(":")
    resource = getattr(importlib.import_module(f"pulumi_aws.{module.partition('/')[0]}"), name)
    return _types.resource_types(resource)


def _unknown(shape: Shape, schema: Mapping[str, Any], at: str = "") -> Iterator[str]:
    for name, field in shape.items():
        if field.output:
            continue
        where = f"{at}.{name}".removeprefix(".")
        kind: Any = schema.get(name)
        several = get_origin(kind) is Sequence
        one: Any = get_args(kind)[0] if several else kind
        block_there = _types.is_output_type(one)
        if kind is None:
            yield f"{where} is not there"
        elif (several, block_there) != (field.many != "one", field.fields is not None):
            yield f"{where} is a {kind} there"
        elif field.fields is not None:
            yield from _unknown(field.fields, _types.output_type_types(one), where)


@pytest.mark.parametrize("token", TYPES)
def test_every_property_is_in_the_schema_of_the_real_provider(token: str) -> None:
    assert list(_unknown(TYPES[token].shape, _schema(token))) == []


def test_a_property_that_is_not_there_is_found() -> None:
    shape = {
        "protocol": GIVEN,
        "colour": GIVEN,
        "healthCheck": block({"path": GIVEN, "smell": GIVEN}),
        "stickiness": list_of({"type": GIVEN}),
        "vpcId": block({"id": GIVEN}),
    }
    found = list(_unknown(shape, _schema("aws:lb/targetGroup:TargetGroup")))
    assert [line.partition(" ")[0] for line in found] == ["colour", "healthCheck.smell", "stickiness", "vpcId"]
