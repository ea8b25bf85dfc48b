"""The kinds of value that a stack file holds: what each takes, what another value would cost, what to write instead.

Refuses to own which key holds which kind (models.py) and rules over several keys (rules.py).
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_core import PydanticCustomError

from settings.owner import is_reserved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MAX_ROUTE_PRIORITY = 1000
MAX_SOAK_HOURS = 720

_KEY = re.compile(r"v(?P<major>1)-(?P<minor>[0-9]{2})(?:-(?P<again>[b-d]))?")
_DNS_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME = rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})+"

# AWS gives a target group's or load balancer's name 32 characters, of which Pulumi's auto-naming takes a hyphen and 7
# digits. A target group is named after its route and its cluster, whose key has at most 7 characters (v1-36-b).
_LONGEST_LOAD_BALANCER = 32 - len("-1234567")
_LONGEST_ROUTE = 32 - len("-v1-36-b-1234567")

# EKS takes the range of Services from one of these.
_PRIVATE = tuple(ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
# This host, loopback, link-local, multicast and what is reserved: EC2 makes no VPC of them.
_NOWHERE = tuple(
    ipaddress.IPv4Network(block)
    for block in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
)
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")  # among providers and their customers

MAX_INSTANCE_TYPES = 20  # of a node group (EKS's API reference)
MAX_PUBLIC_CIDRS = 40
_WIDEST = 8  # no organisation has more, and 40 of them are a sixth of everyone
# AWS takes 50 tags. A target group has 6 that are not the user's: two owners' of the program, its route, its cluster,
# and the provider's pulumi:project and pulumi:stack.
MAX_TAGS = 50 - 6
_TAG_SIGNS = "_.:/=+-@"
_ARM = re.compile(r"a1\.|[a-z]+[0-9]+g")  # AWS names a Graviton processor by a g behind the generation


def refused(code: str, says: str) -> PydanticCustomError:
    """Return the refusal of a value: its code, by which people search, and what is wrong, what would follow, a cure."""
    return PydanticCustomError("rule", "{text}", {"text": says, "code": code})


def rule(code: str, holds: Callable[[Any], bool], says: str) -> BeforeValidator:
    """Check a value before its type is looked at, so that a wrong type and a wrong value get the same answer."""

    def check(value: Any) -> Any:
        if not holds(value):
            raise refused(code, says)
        return value

    return BeforeValidator(check)


def text(pattern: str | re.Pattern[str]) -> Callable[[Any], bool]:
    """Hold for text that the whole pattern matches."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def whole(least: int, most: int) -> Callable[[Any], bool]:
    """Hold for whole numbers from ``least`` to ``most``; true and false are none."""
    return lambda value: type(value) is int and least <= value <= most


def cidr(value: Any, shortest: int = 0, longest: int = 32) -> bool:
    """Tell whether ``value`` is an IPv4 range as AWS writes it, whose prefix length lies between two lengths."""
    try:
        network = ipaddress.IPv4Network(value)
    except (ValueError, TypeError):
        return False
    return str(network) == value and shortest <= network.prefixlen <= longest


def within(value: str, blocks: Iterable[ipaddress.IPv4Network]) -> bool:
    """Tell whether an IPv4 range lies in one of some blocks."""
    return any(map(ipaddress.IPv4Network(value).subnet_of, blocks))


def tag(least: int, most: int) -> Callable[[Any], bool]:
    """Hold for text that IAM takes in a tag, and with it every service that gets the tags."""
    return lambda value: (
        isinstance(value, str)
        and least <= len(value) <= most
        and not value.lower().startswith("aws:")
        and all(sign in _TAG_SIGNS or unicodedata.category(sign)[0] in "LNZ" for sign in value)
    )


def apart_in_iam(tags: Mapping[str, str]) -> Mapping[str, str]:
    """Check that the keys of tags differ in more than case, which is all that IAM looks at."""
    seen: dict[str, str] = {}
    for key in tags:
        first = seen.setdefault(key.lower(), key)
        if first != key:
            says = f"{first} and {key} are one key to IAM. It would refuse every role halfway through the update"
            raise refused("CUT103", f"{says}. Leave one out")
    return tags


def one_node_group(types: Sequence[str]) -> Sequence[str]:
    """Check that all instance types run one machine image, and that they are not more than EKS takes."""
    arm = [name for name in types if _ARM.match(name)]
    if arm and len(arm) < len(types):
        says = f"{', '.join(arm)} has an Arm processor, and the others have none. A node group has one machine image"
        raise refused("CUT104", f"{says}, so EKS would refuse it. Keep to one kind")
    if len(types) > MAX_INSTANCE_TYPES:
        says = f"more than {MAX_INSTANCE_TYPES} instance types. EKS would refuse the node group once the cluster is up"
        raise refused("CUT105", f"{says}. Leave some out")
    return types


def distinct(values: Sequence[Any]) -> Sequence[Any]:
    """Check that nothing stands in a list twice."""
    for place, value in enumerate(values):
        if value in values[:place]:
            says = f"{value} stands there twice. The second would be refused, or mean nothing. Leave one out"
            raise refused("CUT106", says)
    return values


def codes(value: Any) -> bool:
    """Hold for codes and ranges of codes, as ELB takes them for a health check."""
    ranges = [part.split("-") for part in value.split(",")] if isinstance(value, str) else [[""]]
    return all(
        len(ends) <= 2 and all(map(text(r"[0-9]{1,3}"), ends)) and int(ends[0]) <= int(ends[-1])  # noqa: PLR2004
        for ends in ranges
    )


def seconds(code: str, least: int, most: int, what: str, example: str) -> BeforeValidator:
    """Take whole seconds in ELB's bounds for ``what``."""
    return rule(code, whole(least, most), f"{what} is {least} to {most} seconds. ELB would refuse it. Write {example}")


def nodes(least: int) -> BeforeValidator:
    """Take a number of nodes of at least ``least``."""
    return rule(
        "CUT107",
        lambda value: type(value) is int and value >= least,
        f"a number of nodes here is a whole number of at least {least}. EKS would refuse another, or have no node "
        "for the add-ons. Write e.g. 3, without quotes",
    )


def version_of(key: str) -> tuple[int, int, int]:
    """Return (major, minor, repetition) of a cluster's key: v1-36 is (1, 36, 0), v1-36-b is (1, 36, 1).

    :raises ValueError: it is no key of a cluster
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise ValueError(key)
    return int(match["major"]), int(match["minor"]), "abcd".index(match["again"] or "a")


T = TypeVar("T")
Several = Annotated[tuple[T, ...], AfterValidator(distinct)]

StackName = Annotated[
    str,
    rule(
        "CUT108",
        text(r"(?=.{1,55}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
        "a stack's name here is at most 55 lower-case letters, digits and hyphens: EKS clusters and meshes are named "
        "after it, and AWS would refuse them. Make the stack under another name with `pulumi stack init`",
    ),
]
Region = Annotated[
    str,
    rule(
        "CUT109",
        text(r"[a-z]{2,4}(-[a-z]+)+-[0-9]"),
        "this is no region. No call to AWS would find its way. Write e.g. ap-northeast-1",
    ),
]
ClusterKey = Annotated[
    str,
    rule(
        "CUT110",
        text(_KEY),
        "a cluster's key is its version, such as v1-36, and v1-36-b, -c or -d for another cluster of that version. "
        "A key that hides the version lets an edit upgrade the cluster that serves. Begin with the version",
    ),
]
Weight = Annotated[
    int,
    rule(
        "CUT111",
        whole(0, 999),
        "a weight is a whole number from 0 to 999. ELB would refuse the rule, and the shift would stop at this route. "
        "Write a share such as 10, without quotes",
    ),
]
Version = Annotated[
    str,
    rule(
        "CUT112",
        text(r"1\.[0-9]{2}"),
        'a Kubernetes version is text such as "1.36". Without quotes YAML reads a number, and 1.30 becomes 1.3. '
        "Write it in quotes, without a patch level",
    ),
]
Cidr = Annotated[
    str,
    rule(
        "CUT113",
        cidr,
        "this is no IPv4 range, and nothing here has an address of another kind. AWS would refuse it halfway through "
        "the update. Write its first address and its length, such as 10.20.0.0/16",
    ),
]
VpcCidr = Annotated[
    str,
    rule(
        "CUT114",
        lambda value: not within(value, _NOWHERE),
        "this range is kept for loopback, link-local addresses, multicast or nothing at all. EC2 would refuse the VPC. "
        "Write a private range, such as 10.20.0.0/16",
    ),
    rule(
        "CUT115",
        lambda value: cidr(value, 16, 21),
        "a new network is a range from /16 to /21. AWS has no VPC above /16, and below /21 the public subnets would be "
        "too small for a load balancer. Write its first address and its length, such as 10.20.0.0/16",
    ),
]
ServiceCidr = Annotated[
    str,
    rule(
        "CUT116",
        lambda value: cidr(value, 12, 24) and within(value, _PRIVATE),
        "a service range is /12 to /24, inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16. EKS would refuse the "
        "cluster. Write e.g. 172.20.0.0/16, or leave it out",
    ),
]
Port = Annotated[
    int,
    rule(
        "CUT117",
        whole(1, 65535),
        "a port is a whole number from 1 to 65535. No target could be registered. Write e.g. 80, without quotes",
    ),
]
CheckCode = Annotated[
    str,
    rule(
        "CUT118",
        text(r"CUT0[0-9]{2}"),
        "this is no code of a check. Nothing would be ignored. Write one as `cutover status KEY` shows it, such as "
        "CUT014",
    ),
]
CheckReason = Annotated[
    str,
    rule(
        "CUT119",
        text(r"\s*\S.*"),
        "a reason is a line of text. Nobody would know why the check may fail. Write why",
    ),
]
DnsLabel = Annotated[
    str,
    rule(
        "CUT120",
        text(_DNS_LABEL),
        "this is no Kubernetes name: lower-case letters, digits and hyphens, at most 63. The API server would refuse "
        "it once the cluster is up. Write the name as kubectl shows it",
    ),
]
ClusterName = Annotated[
    str,
    rule(
        "CUT121",
        text(_DNS_LABEL),
        "a cluster's name is lower-case letters, digits and hyphens, at most 63, since its mesh has it too. EKS or the "
        "API server would refuse it once the network is up. Write e.g. shop-v1-36",
    ),
]
TagKey = Annotated[
    str,
    rule(
        "CUT122",
        tag(1, 128),
        "a tag's key is 1 to 128 letters, digits, spaces and _ . : / = + - @. IAM would refuse every role, halfway "
        "through the update. Write it with these alone",
    ),
    rule(
        "CUT123",
        lambda value: not is_reserved(value),
        "this tag is the program's, Pulumi's or AWS's own. With another value on every resource the gate and the "
        "commands would not find the stack's rules, or take another's for them. Remove it, or name it otherwise",
    ),
]
TagValue = Annotated[
    str,
    rule(
        "CUT124",
        tag(0, 256),
        "a tag's value is text of at most 256 letters, digits, spaces and _ . : / = + - @, and does not begin with "
        "aws:. IAM would refuse every role, halfway through the update. Write it with these alone, a number in quotes",
    ),
]
Tags = Annotated[
    dict[TagKey, TagValue],
    AfterValidator(apart_in_iam),
    rule(
        "CUT125",
        lambda value: not isinstance(value, dict) or len(value) <= MAX_TAGS,
        f"more than {MAX_TAGS} tags. AWS takes 50, and the program and Pulumi have 6 of their own on a target group. "
        "The update would stop halfway. Leave some out",
    ),
]
VpcId = Annotated[
    str,
    rule(
        "CUT126",
        text(r"vpc-([0-9a-f]{8}|[0-9a-f]{17})"),
        "this is no id of a VPC. EC2 would find none. Take one from `aws ec2 describe-vpcs`, such as "
        "vpc-0a1b2c3d4e5f67890",
    ),
]
SubnetId = Annotated[
    str,
    rule(
        "CUT127",
        text(r"subnet-([0-9a-f]{8}|[0-9a-f]{17})"),
        "this is no id of a subnet. EC2 would find none. Take one from `aws ec2 describe-subnets`, such as "
        "subnet-0a1b2c3d4e5f67890",
    ),
]
AccountId = Annotated[
    str,
    rule(
        "CUT128",
        text(r"[0-9]{12}"),
        "an account's id is text of 12 digits. Without quotes YAML reads a number, which may lose its zeros, and no "
        'account would be the right one. Write e.g. "123456789012"',
    ),
]
InstanceType = Annotated[
    str,
    rule(
        "CUT129",
        text(r"[a-z]+[a-z0-9-]*[0-9][a-z0-9-]*\.(nano|micro|small|medium|large|[0-9]*xlarge|metal(-[0-9]+xl)?)"),
        "this is no EC2 instance type. EKS would refuse the node group once the cluster is up. Write e.g. m7i.large",
    ),
]
InstanceTypes = Annotated[Several[InstanceType], AfterValidator(one_node_group)]
DomainName = Annotated[
    str,
    rule(
        "CUT130",
        text(rf"(?=.{{1,253}}$){_DNS_NAME}"),
        "this is no DNS name. Route 53 has no zone of such a name. Write e.g. example.com, in lower case, "
        "without a dot at the end",
    ),
]
RecordName = Annotated[
    str,
    rule(
        "CUT131",
        text(rf"(?=.{{1,253}}$)(\*\.)?{_DNS_NAME}"),
        "this is no DNS name. Route 53 would refuse the record. Write e.g. app.example.com, in lower case, "
        "without a dot at the end",
    ),
]
CertificateArn = Annotated[
    str,
    rule(
        "CUT132",
        text(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+"),
        "this is no ARN of an ACM certificate. ELB would refuse the listener. Take one from "
        "`aws acm list-certificates`, or leave it out",
    ),
]
Name = Annotated[
    str,
    rule(
        "CUT133",
        text(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"),
        "a name here is at most 63 lower-case letters, digits and hyphens, and begins with a letter. AWS and "
        "Kubernetes would refuse another. Write e.g. web",
    ),
]
LoadBalancerName = Annotated[
    str,
    rule(
        "CUT134",
        text(rf"(?=.{{1,{_LONGEST_LOAD_BALANCER}}}$)(?!internal(-|$))[a-z]([a-z0-9-]*[a-z0-9])?"),
        f"a load balancer's name is at most {_LONGEST_LOAD_BALANCER} lower-case letters, digits and hyphens, begins "
        "with a letter, and not with internal, which ELB refuses. AWS takes 32 characters, and auto-naming adds 8, "
        "without which a replacement could not stand beside what it replaces. Write e.g. public",
    ),
]
RouteName = Annotated[
    str,
    rule(
        "CUT135",
        text(rf"(?=.{{1,{_LONGEST_ROUTE}}}$)(?!.*--)[a-z]([a-z0-9-]*[a-z0-9])?"),
        f"a route's name is at most {_LONGEST_ROUTE} lower-case letters, digits and single hyphens, and begins with a "
        "letter. AWS takes 32 characters for a target group; the cluster's key takes up to 8 of them, and auto-naming "
        "another 8, without which a replacement could not stand beside what it replaces. Write e.g. web",
    ),
]
HostPattern = Annotated[
    str,
    rule(
        "CUT136",
        text(r"(?=.{1,128}$)[A-Za-z0-9.*?-]*\.[A-Za-z]+"),
        "a host condition is at most 128 letters, digits, dots, hyphens, * and ?, with only letters after the last "
        "dot. ELB would refuse the rule. Write e.g. app.example.com or *.example.com",
    ),
]
PathPattern = Annotated[
    str,
    rule(
        "CUT137",
        text(r"/[A-Za-z0-9_.$/~\"'@:+*?&-]{0,127}"),
        "a path condition begins with / and has at most 128 characters of those that ELB takes. ELB would refuse the "
        "rule. Write e.g. /* or /api/*",
    ),
]
ChartVersion = Annotated[
    str,
    rule(
        "CUT138",
        text(r"[0-9]+\.[0-9]+\.[0-9]+"),
        "a chart version is text such as 3.5.0. A range or a number would let the controller change unplanned. "
        "Write all three parts",
    ),
]
AddonVersion = Annotated[
    str,
    rule(
        "CUT139",
        text(r"v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+"),
        "an add-on version is text such as v1.20.4-eksbuild.2. An unpinned add-on updates unplanned. Take one from "
        "`aws eks describe-addon-versions`",
    ),
]
RoleArn = Annotated[
    str,
    rule(
        "CUT140",
        text(r"arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+"),
        "this is no ARN of an IAM role or user. AWS would refuse it. Write e.g. arn:aws:iam::123456789012:role/sre",
    ),
]
AssumableRoleArn = Annotated[
    str,
    rule(
        "CUT141",
        text(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+"),
        "this is no ARN of an IAM role, and only a role can be assumed. No call to AWS would be let in. Write e.g. "
        "arn:aws:iam::123456789012:role/deployer",
    ),
]
SessionName = Annotated[
    str,
    rule(
        "CUT142",
        text(r"[A-Za-z0-9_+=,.@-]{2,64}"),
        "a session's name is text of 2 to 64 letters, digits and _ + = , . @ -. STS would refuse it. Write e.g. deploy",
    ),
]
ExternalId = Annotated[
    str,
    rule(
        "CUT143",
        text(r"[A-Za-z0-9_+=,.@:/-]{2,1224}"),
        "an external id is text of 2 to 1224 letters, digits and _ + = , . @ : / -. STS would refuse it. Write it as "
        "the role's trust has it, in quotes",
    ),
]
AccessPolicy = Annotated[
    str,
    rule(
        "CUT144",
        text(r"Amazon[A-Za-z]+Policy"),
        "an EKS access policy is named like AmazonEKSViewPolicy, without an ARN. EKS would refuse the entry once the "
        "cluster is up. Take one from `aws eks list-access-policies`",
    ),
]
NodeMinimum = Annotated[int, nodes(0)]
NodeCount = Annotated[int, nodes(1)]
Capacity = Annotated[
    int,
    rule(
        "CUT145",
        whole(1, 1000),
        "a capacity is a whole number of healthy targets from 1 to 1000. The gate could not tell what a share needs. "
        "Write what the route needs at its peak, or leave it out",
    ),
]
MinHealthy = Annotated[
    int,
    rule(
        "CUT146",
        whole(1, 1000),
        "minHealthy is a whole number of targets from 1 to 1000. At 0 a cluster without a target could be given a "
        "share. Write e.g. 2",
    ),
]
Headroom = Annotated[
    float,
    rule(
        "CUT147",
        lambda value: type(value) in (int, float) and value >= 1,
        "headroom is a number of 1 or more. Below 1 a cluster would get more than it can carry. Write e.g. 1.2",
    ),
]
Share = Annotated[
    int,
    rule(
        "CUT148",
        whole(1, 100),
        "a step is a whole number of percent from 1 to 100. Nothing would tell `cutover promote` how much to shift. "
        "Write e.g. 10, without quotes",
    ),
]
HoldTime = Annotated[
    int,
    rule(
        "CUT149",
        whole(180, 86400),
        "hold is 180 to 86400 seconds. The metrics of a minute come two minutes later, and with less there would be "
        "none to judge by. Write e.g. 300",
    ),
]
ErrorRatio = Annotated[
    float,
    rule(
        "CUT150",
        lambda value: type(value) in (int, float) and 0 <= value < 1,
        "maxErrorRatio is a number from 0 to below 1. At 1 a cluster that fails every request would be promoted. "
        "Write e.g. 0.01 for one request in a hundred",
    ),
]
LatencyRatio = Annotated[
    float,
    rule(
        "CUT151",
        lambda value: type(value) in (int, float) and value >= 1,
        "maxLatencyRatio is a number of 1 or more. Below 1 a cluster as fast as the old one would be rolled back. "
        "Write e.g. 1.5",
    ),
]
MinRequests = Annotated[
    int,
    rule(
        "CUT152",
        whole(1, 1_000_000),
        "minRequests is a whole number from 1 to 1000000. At 0 a cluster that nobody has asked yet would be promoted. "
        "Write e.g. 200",
    ),
]
Failures = Annotated[
    int,
    rule(
        "CUT153",
        whole(1, 10),
        "failures is a whole number of judgements from 1 to 10. At 0 every promotion would be rolled back, and with "
        "many clients would see the errors for hours. Write e.g. 2",
    ),
]
SoakHours = Annotated[
    float,
    rule(
        "CUT154",
        lambda value: type(value) in (int, float) and 0 <= value <= MAX_SOAK_HOURS,
        "soakHours is a number of hours from 0 to 720. Longer, an unused cluster would be paid for over a month. Write "
        "e.g. 24",
    ),
]
AttributeKey = Annotated[
    str,
    rule(
        "CUT155",
        lambda value: text(r"[!-~]{1,255}")(value) and not value.startswith("AWS_"),
        "an attribute's key is 1 to 255 visible characters and does not begin with AWS_, which Cloud Map keeps for "
        "itself. No instance could be registered. Write e.g. team",
    ),
]
AttributeValue = Annotated[
    str,
    rule(
        "CUT156",
        text(r"(?=.{1,1024}$)[!-~]([ -~]*[!-~])?"),
        "an attribute's value is text of 1 to 1024 visible characters. No instance could be registered. Write e.g. dev",
    ),
]
HealthCheckPath = Annotated[
    str,
    rule(
        "CUT157",
        text(r"/[!-~]{0,1023}"),
        "a health check's path begins with /, has no space and at most 1024 characters. ELB would refuse the target "
        "group. Write e.g. /healthz, or for GRPC /grpc.health.v1.Health/Check",
    ),
]
Matcher = Annotated[
    str,
    rule(
        "CUT158",
        codes,
        "this is no list of codes, or a range in it ends before it begins. ELB would refuse the target group. Write "
        'them in quotes, e.g. "200", "200,204" or "200-299"',
    ),
]
Interval = Annotated[int, seconds("CUT159", 5, 300, "a health check's interval", "e.g. 15")]
Timeout = Annotated[int, seconds("CUT160", 2, 120, "a health check's timeout", "e.g. 5")]
Threshold = Annotated[
    int, rule("CUT161", whole(2, 10), "a threshold is 2 to 10 checks. ELB would refuse it. Write e.g. 2")
]
DeregistrationDelay = Annotated[int, seconds("CUT162", 0, 3600, "a deregistration delay", "e.g. 300")]
StickinessDuration = Annotated[int, seconds("CUT163", 1, 604800, "stickiness", "e.g. 300, or leave stickiness out")]
SlowStart = Annotated[
    int,
    rule(
        "CUT164",
        lambda value: whole(0, 0)(value) or whole(30, 900)(value),
        "slow start is 0, or 30 to 900 seconds. ELB would refuse it. Write e.g. 30, or leave it out",
    ),
]
RoutePriority = Annotated[
    int,
    rule(
        "CUT165",
        whole(1, MAX_ROUTE_PRIORITY),
        f"a priority is a whole number from 1 to {MAX_ROUTE_PRIORITY}. There is no room for its rules on the listener. "
        "Write its place in the order of the routes, 1 first",
    ),
]
RuleQuota = Annotated[
    int,
    rule(
        "CUT166",
        whole(1, 1000),
        "a quota of rules is a whole number from 1 to 1000. Rules above it are refused halfway through an update. "
        "Write what Service Quotas shows for this account",
    ),
]
RestrictedCidr = Annotated[
    str,
    rule(
        "CUT167",
        lambda value: not within(value, (*_PRIVATE, _SHARED, *_NOWHERE)),
        "nobody comes from this range by way of the internet. EKS would refuse the cluster. Write the public addresses "
        "of offices and runners; whoever is in the VPC reaches the private endpoint without them",
    ),
    rule(
        "CUT168",
        lambda value: cidr(value, shortest=_WIDEST),
        f"this is no IPv4 range, or wider than /{_WIDEST}, which with a few of its like is everyone. A Kubernetes API "
        "open to everyone is one leaked token from a lost cluster. Write the ranges of offices and runners, or leave "
        "publicCidrs out",
    ),
]
HeaderName = Annotated[
    str,
    rule(
        # ELB takes more, but the load balancer drops every header with another character before it looks at its rules.
        "CUT169",
        text(r"(?i)(?!host$)[a-z0-9-]{1,40}"),
        "a preview header is 1 to 40 letters, digits and hyphens, and not Host. The load balancer would drop the "
        "header, and no preview rule would match. Write e.g. X-Cutover-Cluster",
    ),
]
PreviewSecret = Annotated[
    SecretStr,
    rule(
        "CUT170",
        text(r"[A-Za-z0-9_-]{16,100}"),
        "a preview secret is 16 to 100 letters, digits, _ and -. A shorter one could be guessed, and since rules match "
        "patterns, * and ? would let strangers in. Set another with `pulumi config set --secret --path` and this key",
    ),
]
