"""What an account has that a stack could start from: load balancers, one listener with its rules, clusters.

Nothing is written. What may not be read is left out, and the right that is missing is named. Refuses to judge
(cutover/rules/adoption.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cutover.aws.described import described
from cutover.aws.listeners import listener_of
from cutover.aws.live import TAGS_PER_CALL, denied_by, gone
from cutover.aws.records import keeper, targets
from cutover.aws.session import LiveError, in_role
from cutover.calls import at_once, client, failing_as, pages
from cutover.rules.adoption import Balancer, Behind, Cluster
from cutover.rules.whose import whose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import boto3

    from cutover.rules.listener import Listener
    from settings.aws import AssumedRole

_AT_ONCE = 10  # ELB refills as many reads a second, for everybody

_TAGS, _QUOTA = "elasticloadbalancing:DescribeTags", "rules-per-application-load-balancer"


@dataclass
class Seen:
    """What was read. ``denied`` are the rights that were missing, as IAM calls them.

    ``rule_quota`` is the account's quota of rules a load balancer, where it may be read.
    """

    balancers: list[Balancer] = field(default_factory=list["Balancer"])
    listener: Listener | None = None
    groups: dict[str, Behind] = field(default_factory=dict[str, "Behind"])
    records: list[str] = field(default_factory=list[str])
    clusters: list[Cluster] = field(default_factory=list["Cluster"])
    denied: list[str] = field(default_factory=list[str])
    rule_quota: int | None = None

    @property
    def untagged(self) -> bool:
        """Whether tags may not be read: then nothing tells whose anything is."""
        return _TAGS in self.denied


class Adoption:
    """Reads of one account."""

    def __init__(self, account: boto3.Session) -> None:
        self.seen = Seen()
        self._account = account
        self._elb: Any = client(account, "elbv2")
        self._ec2: Any = client(account, "ec2")
        self._route53: Any = client(account, "route53")

    def balancers(self) -> None:
        """See all Application Load Balancers, and whose they are.

        :raises LiveError: AWS could not be read
        """
        found = self._listed("elasticloadbalancing:DescribeLoadBalancers", "describe_load_balancers", "LoadBalancers")
        balancers = [one for one in found if one["Type"] == "application"]
        tags = self._tags([one["LoadBalancerArn"] for one in balancers])
        self.seen.balancers = [_balancer(one, tags) for one in balancers]

    def listener(self, name: str, meant: str) -> None:
        """See a listener, by its load balancer's name and its port or ARN: its rules, and whose they are.

        What is behind them, and the records that lead to it, belong to it.

        :raises LiveError: AWS could not be read
        """
        action = "elasticloadbalancing:DescribeLoadBalancers"
        for balancer in self._listed(action, "describe_load_balancers", "LoadBalancers", Names=[name]):
            arn = balancer["LoadBalancerArn"]
            action = "elasticloadbalancing:DescribeListeners"
            there = self._listed(action, "describe_listeners", "Listeners", LoadBalancerArn=arn)
            for one in (one for one in there if meant in {str(one["Port"]), one["ListenerArn"]}):
                action = "elasticloadbalancing:DescribeRules"
                rules = self._listed(action, "describe_rules", "Rules", ListenerArn=one["ListenerArn"])
                named = [rule["RuleArn"] for rule in rules if not rule["IsDefault"]]
                tags = self._tags([arn, one["ListenerArn"], *named])
                self.seen.balancers = [replace(_balancer(balancer, tags), ranges=self._ranges(balancer))]
                self.seen.listener = listener_of(one, rules, tags, None)
            self._groups(arn)
            limits = self._listed("elasticloadbalancing:DescribeAccountLimits", "describe_account_limits", "Limits")
            self.seen.rule_quota = next((int(one["Max"]) for one in limits if one["Name"] == _QUOTA), None)
            self._records(balancer["DNSName"])

    def clusters(self, wanted: Mapping[str, AssumedRole | None]) -> None:
        """See clusters by their names in EKS, each in the role by which it is reached, where one is named.

        :raises LiveError: AWS could not be read
        """
        self.seen.clusters = [self._cluster(name, role) for name, role in wanted.items()]

    def _cluster(self, name: str, role: AssumedRole | None) -> Cluster:
        by = role.role_arn if role else ""
        try:
            eks: Any = client(in_role(self._account, (role,)) if role else self._account, "eks")
            found = self._asked("eks:DescribeCluster", lambda: described(eks, name) or {})
        except LiveError as error:
            return Cluster(name, role=by, why=str(error))
        if not found:
            denied = found is None
            why = "it may not be read" if denied else "EKS has none of that name there"
            return Cluster(name, role=by, absent=not denied, why=why)
        network = found["resourcesVpcConfig"]
        return Cluster(
            name,
            found["version"],
            network.get("vpcId", ""),
            network.get("clusterSecurityGroupId", ""),
            found.get("accessConfig", {}).get("authenticationMode", ""),
            automatic=bool(found.get("computeConfig", {}).get("enabled")),
            role=by,
        )

    def _ranges(self, balancer: Mapping[str, Any]) -> list[str]:
        """Return the ranges of a load balancer's subnets, from which it reaches its targets."""
        subnets = [one["SubnetId"] for one in balancer["AvailabilityZones"]]
        found = self._asked("ec2:DescribeSubnets", lambda: self._ec2.describe_subnets(SubnetIds=subnets))
        return sorted(one["CidrBlock"] for one in (found or {}).get("Subnets", []))

    def _groups(self, balancer: str) -> None:
        action = "elasticloadbalancing:DescribeTargetGroups"
        groups = self._listed(action, "describe_target_groups", "TargetGroups", LoadBalancerArn=balancer)
        for group, behind in zip(groups, at_once(self._behind, groups, _AT_ONCE), strict=True):
            self.seen.groups[group["TargetGroupArn"]] = behind

    def _behind(self, group: Mapping[str, Any]) -> Behind:
        arn = group["TargetGroupArn"]
        action = "elasticloadbalancing:DescribeTargetHealth"
        health = self._asked(action, lambda: self._elb.describe_target_health(TargetGroupArn=arn))
        states = [one["TargetHealth"]["State"] for one in health["TargetHealthDescriptions"]] if health else None
        action = "elasticloadbalancing:DescribeTargetGroupAttributes"
        asked = self._asked(action, lambda: self._elb.describe_target_group_attributes(TargetGroupArn=arn))
        attributes = {one["Key"]: one["Value"] for one in (asked or {}).get("Attributes", [])}
        matcher = group.get("Matcher", {})
        return Behind(
            name=group["TargetGroupName"],
            target_type=group["TargetType"],
            protocol_version=group.get("ProtocolVersion", "HTTP1"),
            health_path=group.get("HealthCheckPath", "/"),
            matcher=matcher.get("HttpCode") or matcher.get("GrpcCode") or "200",
            deregistration_delay=int(attributes.get("deregistration_delay.timeout_seconds", 300)),
            healthy=None if states is None else states.count("healthy"),
            targets=None if states is None else len(states),
        )

    def _records(self, dns_name: str) -> None:
        """Find the records that lead to the load balancer, and their owners in external-dns."""
        wanted = dns_name.lower().rstrip(".")
        zones = self._asked("route53:ListHostedZones", lambda: pages(self._route53, "list_hosted_zones", "HostedZones"))
        for zone in zones or []:
            sets = self._asked(
                "route53:ListResourceRecordSets",
                lambda zone=zone: pages(
                    self._route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]
                ),
            )
            for one in sets or []:
                if wanted in targets(one):
                    kept = keeper(one["Name"], sets or [])
                    self.seen.records.append(f"{one['Name'].rstrip('.')}{f' (kept by {kept})' if kept else ''}")

    def _tags(self, arns: Sequence[str]) -> dict[str, dict[str, str]]:
        parts = [arns[start : start + TAGS_PER_CALL] for start in range(0, len(arns), TAGS_PER_CALL)]
        answers = at_once(
            lambda part: self._asked(_TAGS, lambda: self._elb.describe_tags(ResourceArns=part)), parts, _AT_ONCE
        )
        return {
            one["ResourceArn"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]}
            for answer in answers
            for one in (answer or {}).get("TagDescriptions", [])
        }

    def _listed(self, action: str, call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        return self._asked(action, lambda: pages(self._elb, call, key, **arguments)) or []

    def _asked(self, action: str, ask: Callable[[], Any]) -> Any:
        """Return what AWS answers, or None where that may not be read, or is not there.

        :raises LiveError: AWS could not be read for another reason
        """
        with failing_as(LiveError):
            try:
                return ask()
            except ClientError as error:
                if denied_by(error):
                    self.seen.denied.append(action)
                elif not gone(error):
                    raise
                return None


def _balancer(described: Mapping[str, Any], tags: Mapping[str, Mapping[str, str]]) -> Balancer:
    return Balancer(
        described["LoadBalancerName"],
        described.get("Scheme", ""),
        described.get("VpcId", ""),
        whose(tags.get(described["LoadBalancerArn"], {})),
        described.get("SecurityGroups", ()),
    )
