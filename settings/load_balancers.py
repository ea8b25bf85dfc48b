"""`loadBalancers`: what each key takes, and what another value would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag

from settings.aws import AssumableRoleArn
from settings.priorities import EVERY_PLACE, Places
from settings.values import DNS_NAME, DomainName, Model, Several, cidr, cidr6, edited, rule, seconds, text, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

# AWS gives a target group's or load balancer's name 32 characters, of which Pulumi's auto-naming takes a hyphen and 7
# digits. A target group is named after its route and its cluster, whose key has at most 7 characters (v1-36-b).
_LONGEST_LOAD_BALANCER = 32 - len("-1234567")

RecordName = Annotated[
    str,
    rule(
        "CUT131",
        text(rf"(?=.{{1,253}}$)(\*\.)?{DNS_NAME}"),
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

IdleTimeout = Annotated[int, seconds("CUT193", 1, 4000, "an idle timeout", "e.g. 60, or leave it out")]

ClientKeepAlive = Annotated[int, seconds("CUT194", 60, 604800, "a client's keep-alive", "e.g. 3600, or leave it out")]

BucketName = Annotated[
    str,
    rule(
        "CUT195",
        text(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
        "this is no name of a bucket. ELB would refuse the logs, and the update would stop behind the load balancer. "
        "Write the name alone, such as shop-logs",
    ),
]

LogPrefix = Annotated[
    str,
    rule(
        "CUT196",
        text(r"(?!.*AWSLogs)[^/](.*[^/])?"),
        "a prefix of logs neither begins nor ends with /, and has no AWSLogs, which ELB adds itself. ELB would refuse "
        "the logs, and the update would stop behind the load balancer. Write e.g. shop/public",
    ),
]

WebAclArn = Annotated[
    str,
    rule(
        "CUT197",
        text(r"arn:aws[a-z-]*:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/[^/]+/[a-z0-9-]+"),
        "this is no ARN of a regional web ACL. WAF would refuse it, and the update would stop behind the load "
        "balancer. Take one from `aws wafv2 list-web-acls --scope REGIONAL`",
    ),
]

TlsPolicy = Annotated[
    str,
    rule(
        "CUT198",
        text(r"ELBSecurityPolicy-[A-Za-z0-9-]+"),
        "this is no policy of ELB's. ELB would refuse the listener. Take one from `aws elbv2 describe-ssl-policies`, "
        "or leave it out",
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


TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
"""AWS's recommended policy; the API's default, ELBSecurityPolicy-2016-08, still speaks TLS 1.0."""

MAX_MORE_CERTIFICATES = 25  # beside the default one, which the quota leaves out

ClientCidr = Annotated[
    str,
    rule(
        "CUT483",
        lambda value: cidr(value) or cidr6(value),
        "this is no range of addresses. AWS would refuse it halfway through the update. Write its first address and "
        "its length, such as 203.0.113.0/24, or 2001:db8::/32 for a dualstack load balancer",
    ),
]


class Zone(Model):
    """A Route 53 hosted zone, and which one where there may be two of a name."""

    name: DomainName = Field(description="its name")
    private: bool = Field(description="the private zone of that name, not the public one")


NamedZone = Annotated[
    Annotated[DomainName, Tag("text")] | Annotated[Zone, Tag("map")],
    Discriminator(lambda value: "map" if isinstance(value, dict | Zone) else "text"),
]


class Dns(Model):
    """The DNS records under a load balancer's names."""

    managed_by: Literal["stack", "external"] = Field(
        default="stack",
        description="who keeps them: the stack, or somebody else, such as external-dns; then no zone is needed where "
        "certificateArn is given, and Route 53 and ACM are asked nothing",
        json_schema_extra=edited("external deletes the records, which is refused while a live route lies on it"),
    )
    assume_role: AssumableRoleArn | None = Field(
        default=None,
        description="the role that writes them, where the zone is in another account than the load balancer",
        json_schema_extra=edited("replaces the records, which is refused while a live route lies on it"),
    )


class Logs(Model):
    """Logs that ELB writes into a bucket of the region, whose policy lets it."""

    bucket: BucketName = Field(description="the bucket")
    prefix: LogPrefix | None = Field(default=None, description="what the names of its objects begin with")


class LoadBalancer(Model):
    """A load balancer that belongs to the stack, and the DNS names that point to it and never move."""

    scheme: Literal["internet-facing", "internal"] = Field(
        description="who can reach it",
        json_schema_extra=edited("replaces the load balancer, which is refused while a live route lies on it"),
    )
    zone: NamedZone | None = Field(
        default=None,
        description="the Route 53 hosted zone of the names, which must exist: its name for a public one, else "
        "{name, private}",
        json_schema_extra=edited("replaces the records; without names nothing reads it, which every run says"),
    )
    zones: Several[NamedZone] = Field(
        default=(),
        description="more hosted zones, where the names lie in several; each name lies in the narrowest",
        json_schema_extra=edited("replaces the records of names that lie in another one then"),
    )
    names: Several[RecordName] = Field(
        default=(),
        description="the names that lead to it",
        json_schema_extra=edited("replaces the certificate that is made for them, the new one first"),
    )
    dns: Dns = Field(default=Dns(), description="the records under the names")
    certificate_arn: CertificateArn | None = Field(
        default=None, description="an ACM certificate for HTTPS; without one, one is made for the names"
    )
    certificate_arns: Several[CertificateArn] = Field(
        default=(),
        max_length=MAX_MORE_CERTIFICATES,
        description="more ACM certificates for HTTPS, of which ELB takes the one that fits the name that is asked for",
    )
    tls_policy: TlsPolicy | None = Field(
        default=None, description=f"what TLS it speaks, a policy of ELB's; left out: {TLS_POLICY}"
    )
    idle_timeout: IdleTimeout | None = Field(
        default=None, description="seconds that a connection may be silent, 1 to 4000; left out: 60"
    )
    client_keep_alive: ClientKeepAlive | None = Field(
        default=None, description="seconds that a client's connection lasts, 60 to 604800; left out: 3600"
    )
    forwarded_for: Literal["append", "preserve", "remove"] | None = Field(
        default=None, description="what becomes of X-Forwarded-For; left out: append"
    )
    preserve_host_header: bool | None = Field(
        default=None, description="pass the Host header on as it came, port and all; left out: false"
    )
    access_logs: Logs | None = Field(default=None, description="a log of requests")
    connection_logs: Logs | None = Field(default=None, description="a log of connections, TLS among it")
    web_acl_arn: WebAclArn | None = Field(
        default=None,
        description="a web ACL of WAF, which looks at every request first",
        json_schema_extra=edited("another takes the place of the first; for some seconds in between no rule applies"),
    )
    ingress_cidrs: Several[ClientCidr] | None = Field(
        default=None,
        min_length=1,
        description="who may connect; left out: everyone (internet-facing), or the new VPC (internal)",
    )
    ip_address_type: Literal["ipv4", "dualstack"] = Field(
        default="ipv4",
        description="dualstack is reached by IPv6 too, and its names have an AAAA record each; its subnets, of a VPC "
        "made elsewhere, must have ranges of IPv6. Targets are reached by IPv4 all the same",
        json_schema_extra=edited("is applied in place, and back to ipv4 takes the AAAA records away"),
    )
    deletion_protection: bool = Field(default=False, description="refuse its deletion, in AWS and in Pulumi")
    rule_quota: RuleQuota = Field(default=100, description="the account's quota of rules per load balancer")

    @property
    def records(self) -> tuple[str, ...]:
        """The names whose records the stack makes."""
        return self.names if self.dns.managed_by == "stack" else ()

    @property
    def dualstack(self) -> bool:
        """Whether it has addresses of IPv6, too."""
        return self.ip_address_type == "dualstack"

    @property
    def written_zones(self) -> dict[str, str | Zone]:
        """The hosted zones as they are written, by key; none where the stack makes nothing in one."""
        if self.dns.managed_by == "external" and self.certificate_arn:
            return {}
        more = {f"zones[{place}]": one for place, one in enumerate(self.zones)}
        return {"zone": self.zone, **more} if self.zone else more

    @property
    def hosted_zones(self) -> dict[str, Zone]:
        """The hosted zones by key: public ones, unless the file says otherwise."""
        written = self.written_zones.items()
        return {key: Zone(name=one, private=False) if isinstance(one, str) else one for key, one in written}

    def zone_of(self, name: str) -> Zone | None:
        """Return the zone in which a name lies: the narrowest, as DNS has it."""
        around = [one for one in self.hosted_zones.values() if f".{name}".endswith(f".{one.name}")]
        return max(around, key=lambda one: len(one.name), default=None)

    def unread(self, where: str) -> Iterator[str]:
        """Yield which of its keys, which stand under ``where``, change nothing."""
        around = [self.zone_of(name) for name in self.names]
        if any(around):
            idle = [key for key, zone in self.hosted_zones.items() if zone not in around]
            yield from (f"{where}.{key} changes nothing: none of the names lies in it." for key in idle)
        else:
            given = {"zone": self.zone, "zones": self.zones, "dns.assumeRole": self.dns.assume_role}
            idle = [key for key, value in given.items() if value]
            yield from (f"{where}.{key} changes nothing: there are no names to make in a zone." for key in idle)
        if self.tls_policy and not self.https:
            yield f"{where}.tlsPolicy changes nothing: without a certificate it speaks plain HTTP."

    @property
    def own(self) -> bool:
        """Whether the stack makes it."""
        return True

    @property
    def places(self) -> Places:
        """Where its rules lie: nobody else has any there."""
        return EVERY_PLACE

    @property
    def https(self) -> bool:
        """Whether there is, or can be, a certificate; without one the load balancer speaks plain HTTP."""
        return self.certificate_arn is not None or bool(self.names)
