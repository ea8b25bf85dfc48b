"""The conditions of a listener rule. Refuses to own what a rule does (route.py, answer.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_aws as aws

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from settings.matching import Matching

_Condition = aws.lb.ListenerRuleConditionArgs


def conditions(matching: Matching, source_cidrs: Sequence[str]) -> list[aws.lb.ListenerRuleConditionArgs]:
    """Return what a rule asks for; ``source_cidrs`` are the ranges of its clients, of which ELB takes one condition."""
    found = list(_of_the_request(matching))
    if source_cidrs:
        found.append(_Condition(source_ip=aws.lb.ListenerRuleConditionSourceIpArgs(values=source_cidrs)))
    return found


def _of_the_request(matching: Matching) -> Iterator[aws.lb.ListenerRuleConditionArgs]:
    if matching.hosts:
        yield _Condition(host_header=aws.lb.ListenerRuleConditionHostHeaderArgs(values=matching.hosts))
    if matching.paths:
        yield _Condition(path_pattern=aws.lb.ListenerRuleConditionPathPatternArgs(values=matching.paths))
    for name, values in matching.headers.items():
        header = aws.lb.ListenerRuleConditionHttpHeaderArgs(http_header_name=name, values=values)
        yield _Condition(http_header=header)
    if matching.methods:
        methods = aws.lb.ListenerRuleConditionHttpRequestMethodArgs(values=matching.methods)
        yield _Condition(http_request_method=methods)
    if matching.query:
        yield _Condition(
            query_strings=[
                aws.lb.ListenerRuleConditionQueryStringArgs(key=one.key, value=one.value) for one in matching.query
            ]
        )
