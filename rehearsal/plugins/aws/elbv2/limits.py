"""What an Application Load Balancer takes at most.

From the quotas in the Application Load Balancers user guide and from the provider's plan checks. Refuses to own who
judges by which: each is read from here where it is needed.
"""

from __future__ import annotations

import re
from typing import Any

RULES_PER_LOAD_BALANCER = 100
TARGET_GROUPS_PER_LOAD_BALANCER = 100
TARGET_GROUPS_PER_ACTION = 5
CONDITION_VALUES_PER_RULE = 5
CONDITION_WILDCARDS_PER_RULE = 6
HIGHEST_WEIGHT = 999
LONGEST_STICKINESS_SECONDS = 604_800
HIGHEST_PRIORITY = 50_000
DEFAULT_RULE_PRIORITY = 99_999
LONGEST_NAME = 32
LONGEST_HEADER_VALUE = 128
LEAST_ZONES = 2


def wrong_name(value: Any) -> str | None:
    """Return what is wrong with the name of a load balancer or target group, or None."""
    if len(str(value)) > LONGEST_NAME:
        return f"to be at most {LONGEST_NAME} characters long, got {value}"
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", str(value)):
        return f"to have alphanumeric characters and hyphens only, and no hyphen at either end, got {value}"
    return None
