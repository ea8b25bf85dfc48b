"""Whether ELB lets a listener or a rule forward to the target groups of its actions.

From the Application Load Balancers user guide and its quotas; moto lets all of it through. Refuses to own the
forwarding of requests and the health of targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.cloud.session import Aws, AwsError
from rehearsal.plugins.aws.elbv2 import limits
from rehearsal.plugins.aws.elbv2.standing import find_load_balancer, find_target_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.cloud.refused import Props


def target_groups_named(actions: list[dict[str, Any]]) -> list[str]:
    """Return the ARNs of the target groups that API actions forward to, each once."""
    named = [
        arn
        for action in actions
        for arn in (
            action.get("TargetGroupArn"),
            *(group["TargetGroupArn"] for group in action.get("ForwardConfig", {}).get("TargetGroups", ())),
        )
        if arn
    ]
    return list(dict.fromkeys(named))


def judge_forward(
    aws: Aws,
    operation: str,
    balancer_arn: str,
    protocol: str,
    actions: list[dict[str, Any]],
    *,
    rules: Mapping[str, list[Props]],
) -> None:
    """Refuse what AWS refuses of the target groups that an action names, with all ``rules`` by load balancer.

    Raises:
        AwsError: a group is missing, in another VPC, on another load balancer, gRPC without HTTPS, or one too many.

    """
    arns = target_groups_named(actions)
    if not arns:
        return
    balancer = find_load_balancer(aws, balancer_arn)
    if balancer is None:
        raise AwsError("elbv2", operation, "LoadBalancerNotFound", f"Load balancer '{balancer_arn}' not found")
    for arn in arns:
        group = find_target_group(aws, arn)
        if group is None:
            raise AwsError("elbv2", operation, "TargetGroupNotFound", f"Target group '{arn}' not found")
        if group.get("VpcId") != balancer["VpcId"]:
            raise AwsError(
                "elbv2",
                operation,
                "InvalidConfigurationRequest",
                f"Target group '{arn}' is in a different VPC than load balancer '{balancer_arn}'",
            )
        if group.get("ProtocolVersion") == "GRPC" and protocol != "HTTPS":
            raise AwsError(
                "elbv2",
                operation,
                "InvalidConfigurationRequest",
                f"Listener protocol '{protocol}' is not supported with a target group with the protocol-version 'GRPC'",
            )
    attached = {at: {arn for rule in its for arn in target_groups_named(rule["Actions"])} for at, its in rules.items()}
    if elsewhere := [arn for arn in arns if any(arn in have for at, have in attached.items() if at != balancer_arn)]:
        raise AwsError(
            "elbv2",
            operation,
            "TargetGroupAssociationLimit",
            "The following target groups cannot be associated with more than one load balancer: "
            + ", ".join(elsewhere),
        )
    if len(attached[balancer_arn] | set(arns)) > limits.TARGET_GROUPS_PER_LOAD_BALANCER:
        raise AwsError(
            "elbv2",
            operation,
            "TooManyUniqueTargetGroupsPerLoadBalancer",
            f"The maximum number of unique target groups on load balancer '{balancer_arn}' has been reached",
        )
