"""The longest deregistration delay, 3600 s, which moto refuses although its words include it.

Source: ELB's documentation, target group attributes. Refuses to own all other attributes, which are moto's.
"""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import ELBv2Backend

_DELAY, _LONGEST = "deregistration_delay.timeout_seconds", "3600"
_others = ELBv2Backend.modify_target_group_attributes


def install() -> None:
    """Let moto's load balancing take the longest delay too."""
    ELBv2Backend.modify_target_group_attributes = _modify


def _modify(self: ELBv2Backend, target_group_arn: str, attributes: dict[str, Any]) -> None:
    longest = {_DELAY: _LONGEST} if attributes.get(_DELAY) == _LONGEST else {}
    _others(self, target_group_arn, {key: value for key, value in attributes.items() if key not in longest})
    self.target_groups[target_group_arn].attributes.update(longest)
