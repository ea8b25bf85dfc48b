"""What Karpenter needs of AWS in a cluster: rights of its controller, a profile of its nodes, a queue of interruptions.

Its nodes take the role of the cluster's node groups, whose entry EKS makes by itself (docs/adr/0028). Refuses to own
its chart, NodePools and NodeClasses, which GitOps brings, and to mark subnets, which are every cluster's.

The rights follow what Karpenter's documentation says that its controller calls (v1, getting started, CloudFormation
reference): it makes only what it tags as this cluster's, and changes only what is tagged so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from components import roles
from components.tags import own_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settings.iam import Iam
    from settings.karpenter import Karpenter as KarpenterSettings

_KEPT_SECONDS = 300  # after which nobody can act on an interruption any more
_MADE = ("fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume")
_USED = ("capacity-reservation", "image", "security-group", "snapshot", "subnet")
_LAUNCHES = ("ec2:CreateFleet", "ec2:RunInstances")
_READS = (
    "ec2:DescribeCapacityReservations",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "pricing:GetProducts",
)
_INTERRUPTIONS = {
    "source": ["aws.ec2", "aws.health"],
    "detail-type": [
        "AWS Health Event",
        "EC2 Capacity Reservation Instance Interruption Warning",
        "EC2 Instance Rebalance Recommendation",
        "EC2 Instance State-change Notification",
        "EC2 Spot Instance Interruption Warning",
    ],
}


@dataclass(frozen=True, kw_only=True)
class KarpenterArgs:
    """``eks_name`` is the cluster's name in EKS, ``node_role_arn`` that of the role of its node groups."""

    karpenter: KarpenterSettings
    cluster_name: pulumi.Input[str]
    eks_name: str
    region: str
    partition: str
    node_role_arn: pulumi.Output[str]
    iam: Iam


class Karpenter(pulumi.ComponentResource):
    """What Karpenter is told: ``queue`` and ``instance_profile``, both names."""

    queue: pulumi.Output[str]
    instance_profile: pulumi.Output[str]

    def __init__(self, name: str, args: KarpenterArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("eks-cutover:karpenter:Karpenter", name, None, opts)
        self._name, self._args, self._child = f"{name}-karpenter", args, ResourceOptions(parent=self)
        node_role = args.node_role_arn.apply(lambda arn: arn.rsplit("/", 1)[-1])
        profile = aws.iam.InstanceProfile(self._name, role=node_role, path=args.iam.path, opts=self._child)
        queue = self._queue()
        self.queue, self.instance_profile = queue.name, profile.name
        role_arn, rights = self._role(queue)
        aws.eks.PodIdentityAssociation(
            self._name,
            cluster_name=args.cluster_name,
            namespace=args.karpenter.namespace,
            service_account=args.karpenter.service_account,
            role_arn=role_arn,
            tags=own_tags(),
            opts=ResourceOptions(parent=self, depends_on=rights),
        )
        self.register_outputs({"queue": self.queue})

    def _queue(self) -> aws.sqs.Queue:
        queue = aws.sqs.Queue(
            self._name, message_retention_seconds=_KEPT_SECONDS, sqs_managed_sse_enabled=True, opts=self._child
        )
        rule = aws.cloudwatch.EventRule(self._name, event_pattern=json.dumps(_INTERRUPTIONS), opts=self._child)
        policy = pulumi.Output.all(queue.arn, rule.arn).apply(lambda arns: json.dumps(_sending(*arns)))
        allowed = aws.sqs.QueuePolicy(self._name, queue_url=queue.url, policy=policy, opts=self._child)
        aws.cloudwatch.EventTarget(
            self._name,
            rule=rule.name,
            target_id="karpenter",
            arn=queue.arn,
            opts=ResourceOptions(parent=self, depends_on=[allowed]),
        )
        return queue

    def _role(self, queue: aws.sqs.Queue) -> tuple[pulumi.Input[str], Sequence[pulumi.Resource]]:
        args = self._args
        if args.karpenter.role_arn:
            return args.karpenter.role_arn, ()
        role = roles.role(self._name, roles.POD_IDENTITY, args.iam, self._child)
        policy = pulumi.Output.all(queue.arn, args.node_role_arn).apply(lambda arns: json.dumps(_rights(args, *arns)))
        return role.arn, [aws.iam.RolePolicy(self._name, role=role.name, policy=policy, opts=self._child)]


def _sending(queue: str, rule: str) -> dict[str, Any]:
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }
    )


def _rights(args: KarpenterArgs, queue: str, node_role: str) -> dict[str, Any]:
    tag = f"kubernetes.io/cluster/{args.eks_name}"
    asked = {
        "StringEquals": {f"aws:RequestTag/{tag}": "owned", "aws:RequestTag/eks:eks-cluster-name": args.eks_name},
        "StringLike": {"aws:RequestTag/karpenter.sh/nodepool": "*"},
    }
    own = {
        "StringEquals": {f"aws:ResourceTag/{tag}": "owned"},
        "StringLike": {"aws:ResourceTag/karpenter.sh/nodepool": "*"},
    }
    making = {**asked, "StringEquals": {**asked["StringEquals"], "ec2:CreateAction": [*_creations()]}}
    later = {"ForAllValues:StringEquals": {"aws:TagKeys": ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]}}

    def ec2(*kinds: str) -> list[str]:
        return [f"arn:{args.partition}:ec2:{args.region}:*:{kind}/*" for kind in kinds]

    images = [f"arn:{args.partition}:ec2:{args.region}::{kind}/*" for kind in ("image", "snapshot")]
    nodes = {"StringLike": {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}}
    parameters = f"arn:{args.partition}:ssm:{args.region}::parameter/aws/service/*"
    cluster = f"arn:{args.partition}:eks:{args.region}:*:cluster/{args.eks_name}"
    return _document(
        _allow(_LAUNCHES, [*ec2(*_USED), *images]),
        _allow(_LAUNCHES, ec2("launch-template"), own),
        _allow((*_LAUNCHES, "ec2:CreateLaunchTemplate"), ec2(*_MADE), asked),
        _allow(("ec2:CreateTags",), ec2(*_MADE), making),
        _allow(("ec2:CreateTags",), ec2("instance"), {**own, **later}),
        _allow(("ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"), ec2("instance", "launch-template"), own),
        _allow(_READS, ["*"]),
        _allow(("ssm:GetParameter",), [parameters]),
        _allow(("sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"), [queue]),
        _allow(("iam:PassRole",), [node_role], nodes),
        _allow(("iam:GetInstanceProfile", "iam:ListInstanceProfiles"), ["*"]),
        _allow(("eks:DescribeCluster",), [cluster]),
    )


def _creations() -> list[str]:
    return [one.removeprefix("ec2:") for one in (*_LAUNCHES, "ec2:CreateLaunchTemplate")]


def _allow(actions: Sequence[str], resources: Sequence[str], condition: dict[str, Any] | None = None) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**allowed, "Condition": condition} if condition else allowed


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
