"""A route that the load balancer answers itself: one rule, among the weighted ones, that knows no cluster.

Refuses to own the order of rules (settings/priorities.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from components.conditions import conditions
from components.tags import own_tags
from settings.owner import ANSWER_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.answers import Answer as AnswerSettings


@dataclass(frozen=True, kw_only=True)
class AnswerArgs:
    """What is answered, on which listener, and at which priority there."""

    answer: AnswerSettings
    listener_arn: pulumi.Input[str]
    priority: int


class Answer(pulumi.ComponentResource):
    """A redirect or a fixed response. It may come and go at any time: nothing is served by it."""

    def __init__(self, name: str, args: AnswerArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:answer:Answer", name, None, opts)
        answer = args.answer
        aws.lb.ListenerRule(
            f"{name}-answer",
            listener_arn=args.listener_arn,
            priority=args.priority,
            conditions=conditions(answer, answer.source_cidrs),
            actions=list(_actions(answer)),
            tags={**own_tags(), ANSWER_TAG: name},
            opts=ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _actions(answer: AnswerSettings) -> Iterator[aws.lb.ListenerRuleActionArgs]:
    """Yield what the rule does: the settings have let one of the two through."""
    if redirect := answer.redirect:
        to = aws.lb.ListenerRuleActionRedirectArgs(
            status_code=f"HTTP_{redirect.code}",
            protocol=redirect.protocol,
            host=redirect.host,
            port=redirect.port,
            path=redirect.path,
            query=redirect.query,
        )
        yield aws.lb.ListenerRuleActionArgs(type="redirect", redirect=to)
    if response := answer.fixed_response:
        text = aws.lb.ListenerRuleActionFixedResponseArgs(
            content_type=response.content_type, message_body=response.body, status_code=response.code
        )
        yield aws.lb.ListenerRuleActionArgs(type="fixed-response", fixed_response=text)
