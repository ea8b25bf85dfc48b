"""What stands in the account: a load balancer, listener or target group by its ARN, and all that is on one.

State lies in moto. Refuses to judge any of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.session import Aws, AwsError
from rehearsal.plugins.aws.calls import find

if TYPE_CHECKING:
    from rehearsal.cloud.refused import Props


def find_load_balancer(aws: Aws, arn: str) -> Props | None:
    """Return a load balancer, or None when it is gone."""
    gone = ("LoadBalancerNotFound",)
    return find(aws, gone, "elbv2", "describe_load_balancers", "LoadBalancers", LoadBalancerArns=[arn])


def find_target_group(aws: Aws, arn: str) -> Props | None:
    """Return a target group, or None when it is gone."""
    return find(aws, ("TargetGroupNotFound",), "elbv2", "describe_target_groups", "TargetGroups", TargetGroupArns=[arn])


def find_listener(aws: Aws, arn: str) -> Props | None:
    """Return a listener, or None when it or its load balancer is gone."""
    gone = ("ListenerNotFound", "LoadBalancerNotFound")
    return find(aws, gone, "elbv2", "describe_listeners", "Listeners", ListenerArns=[arn])


def every_load_balancer(aws: Aws) -> list[Props]:
    """Return all load balancers of the account."""
    return aws.pages("elbv2", "describe_load_balancers", "LoadBalancers")


def listeners_of(aws: Aws, balancer_arn: str) -> list[Props]:
    """Return the listeners of a load balancer; one that is gone has none."""
    try:
        return aws.pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer_arn)
    except AwsError as error:
        if error.code == "LoadBalancerNotFound":
            return []
        raise


def rules_of(aws: Aws, listener_arn: str) -> list[Props]:
    """Return the rules of a listener; one that is gone has none."""
    answer = aws.found(("ListenerNotFound",), "elbv2", "describe_rules", ListenerArn=listener_arn, PageSize=400)
    return answer["Rules"] if answer else []


def rules_by_load_balancer(aws: Aws) -> dict[str, list[Props]]:
    """Return all rules of the account by the ARN of their load balancer, each with that of its listener."""
    return {
        balancer["LoadBalancerArn"]: [
            {**rule, "ListenerArn": listener["ListenerArn"]}
            for listener in listeners_of(aws, balancer["LoadBalancerArn"])
            for rule in rules_of(aws, listener["ListenerArn"])
        ]
        for balancer in every_load_balancer(aws)
    }
