"""What stood before the stack: a load balancer and its listener, made by plain calls of the API.

Owns making it, the servers behind it, and telling whether anything of others was changed. Refuses to own clusters
(foreign_cluster.py), and what the stack makes there.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from rehearsal.play.foreign_cluster import Land, clusters_of_others, land
from rehearsal.world import loopback
from rehearsal.world.pods import CLUSTER_HEADER
from settings.owner import STACK_TAG

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from rehearsal.engine.sandbox import Sandbox

NAME, PORT = "shared-alb", 443
PLACES = (10, 11, 12, 401, 402, 20, 21, 403, 404, 1000)
"""Where its ten rules stand; the last answers all paths of the host."""

WHO = "before"
"""What answers there, where the stack's clusters say their keys."""

_HTTP = 80
_FIXED = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}


@dataclass(frozen=True)
class Brownfield:
    """A load balancer of somebody else with a listener and ten rules, and the VPC that it stands in."""

    sandbox: Sandbox
    land: Land
    name: str
    listener: str

    def standing(self) -> dict[str, Any]:
        """Return all that its maker owns, as AWS describes it: nothing of the stack's is in it."""
        elb = self.sandbox.aws("elbv2")
        (balancer,) = elb.describe_load_balancers(Names=[self.name])["LoadBalancers"]
        arn = balancer["LoadBalancerArn"]
        rules = elb.describe_rules(ListenerArn=self.listener)["Rules"]
        groups = elb.describe_target_groups()["TargetGroups"]
        tags = tags_of(elb, [arn, *(one["RuleArn"] for one in rules), *(one["TargetGroupArn"] for one in groups)])
        route53 = self.sandbox.aws("route53")
        zones = [one["Id"] for one in route53.list_hosted_zones()["HostedZones"]]
        return {
            "clusters": clusters_of_others(self.sandbox),
            "balancer": balancer,
            "attributes": elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"],
            "listeners": elb.describe_listeners(LoadBalancerArn=arn)["Listeners"],
            "rules": [one for one in rules if STACK_TAG not in tags.get(one["RuleArn"], {})],
            "groups": [one for one in groups if STACK_TAG not in tags.get(one["TargetGroupArn"], {})],
            "tags": {arn: had for arn, had in tags.items() if STACK_TAG not in had},
            "records": [route53.list_resource_record_sets(HostedZoneId=one)["ResourceRecordSets"] for one in zones],
        }


def tags_of(elb: Any, arns: list[str]) -> dict[str, dict[str, str]]:
    """Return the tags of what ELB has, by ARN, in as few calls as it takes: its rate is shared with whom is watched."""
    parts = [arns[start : start + 20] for start in range(0, len(arns), 20)]
    answers = [elb.describe_tags(ResourceArns=part)["TagDescriptions"] for part in parts]
    return {one["ResourceArn"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for part in answers for one in part}


@contextmanager
def brownfield(
    sandbox: Sandbox,
    *hosts: str,
    name: str = NAME,
    port: int = PORT,
    places: Sequence[int] = PLACES,
    at: Land | None = None,
) -> Generator[Brownfield]:
    """Make it: the rule at the last of ``places`` answers ``hosts``, or whatever is asked, nine others other requests.

    The load balancer stands ``at`` a VPC that is there, or in one of its own.
    """
    ec2, elb, there = sandbox.aws("ec2"), sandbox.aws("elbv2"), at or land(sandbox)
    group = ec2.create_security_group(GroupName=name, Description="shared", VpcId=there.vpc)["GroupId"]
    balancer = elb.create_load_balancer(
        Name=name,
        Scheme="internet-facing",
        Subnets=there.public,
        SecurityGroups=[group],
        Tags=[{"Key": "made-by", "Value": "terraform"}],
    )["LoadBalancers"][0]
    tls = {"Protocol": "HTTPS", "Certificates": [{"CertificateArn": _certificate(sandbox)}]}
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Port=port,
        **(tls if port != _HTTP else {"Protocol": "HTTP"}),
        DefaultActions=[_FIXED],
    )["Listeners"][0]["ListenerArn"]
    with _server(loopback.address(str(sandbox.folder), f"before {name}")) as (address, listens):
        old = elb.create_target_group(
            Name=f"before-{name}"[:32].rstrip("-"),
            Protocol="HTTP",
            Port=80,
            VpcId=there.vpc,
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
        )["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=old, Targets=[{"Id": address, "Port": listens}])
        forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": old, "Weight": 1}]}}
        for place, (field, values, action) in zip(places, _others(places, hosts, forward), strict=True):
            conditions = [{"Field": field, "Values": values}]
            elb.create_rule(ListenerArn=listener, Priority=place, Conditions=conditions, Actions=[action])
        for host in hosts:
            _record(sandbox, host, balancer)
        yield Brownfield(sandbox, there, name, listener)


def _others(
    places: Sequence[int], hosts: Sequence[str], forward: dict[str, Any]
) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Yield what each of ten rules asks for, and what it does."""
    redirect = {
        "Type": "redirect",
        "RedirectConfig": {"StatusCode": "HTTP_301", "Host": "www.example.com", "Protocol": "HTTPS", "Port": "443"},
    }
    yield from (("host-header", [f"team-{place}.example.com"], forward) for place in places[:5])
    yield "host-header", ["old.example.com"], redirect
    yield "path-pattern", ["/robots.txt"], _FIXED
    yield "path-pattern", ["/.well-known/*"], _FIXED
    yield "host-header", ["gone.example.com"], _FIXED
    yield ("host-header", [*hosts], forward) if hosts else ("path-pattern", ["/*"], forward)


def _certificate(sandbox: Sandbox) -> str:
    return sandbox.aws("acm").request_certificate(DomainName="*.example.com")["CertificateArn"]


def _record(sandbox: Sandbox, host: str, balancer: Mapping[str, Any]) -> None:
    """Lead a host to a load balancer, in the hosted zone of its domain, which is made where there is none."""
    route53, domain = sandbox.aws("route53"), host.partition(".")[2] or host
    alias = {
        "HostedZoneId": balancer["CanonicalHostedZoneId"],
        "DNSName": balancer["DNSName"],
        "EvaluateTargetHealth": False,
    }
    change = {"Action": "CREATE", "ResourceRecordSet": {"Name": host, "Type": "A", "AliasTarget": alias}}
    zones = {one["Name"].rstrip("."): one["Id"] for one in route53.list_hosted_zones()["HostedZones"]}
    zone = zones.get(domain) or route53.create_hosted_zone(Name=domain, CallerReference=domain)["HostedZone"]["Id"]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})


@contextmanager
def _server(address: str) -> Generator[tuple[str, int]]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header(CLUSTER_HEADER, WHO)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            """Say nothing."""

    server = ThreadingHTTPServer((address, 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield address, server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
