"""Percentiles, for which moto's CloudWatch has no statistic.

A percentile of data points is the smallest of them that as many are below; of a statistic set, which keeps no points,
its maximum: the same for a p99 of fewer than a hundred.
"""

from __future__ import annotations

import math
import re
from typing import Any

from moto.cloudwatch.models import Statistics

_PERCENTILE = re.compile(r"p(?P<percent>[0-9]{1,2}(\.[0-9]+)?)")
_others = Statistics.get_statistics_for_type


def install() -> None:
    """Let moto's CloudWatch answer with percentiles too."""
    Statistics.get_statistics_for_type = _statistic


def _statistic(self: Statistics, stat: str) -> Any:
    match = _PERCENTILE.fullmatch(stat)
    if match is None:
        return _others(self, stat)
    values = sorted([*self.metric_single_values_list, *(float(one.max) for one in self.metric_aggregated_list)])
    return values[max(0, math.ceil(len(values) * float(match["percent"]) / 100) - 1)]
