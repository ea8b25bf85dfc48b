"""What is wrong between the keys of a load balancer, and between it and its routes: certificates, quotas, ranges."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

from settings.conditions import covers
from settings.network import ExistingNetwork, NewNetwork
from settings.rules.mistake import Mistake, alike, as_far_as_known
from settings.values import cidr6

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.listeners import ExistingLoadBalancer
    from settings.load_balancers import LoadBalancer
    from settings.models import Settings

MAX_GROUPS_PER_LOAD_BALANCER = 100
MAX_CERTIFICATE_NAMES = 10
MAX_FIRST_NAME = 64  # characters of the name after which ACM calls a certificate
MAX_SECURITY_RULES = 60  # of one direction in a security group


@as_far_as_known
def load_balancer_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what is wrong with each load balancer, and with what its routes make of it."""
    for key, balancer in settings.own_load_balancers.items():
        yield from _zone_mistakes(key, balancer)
        yield from _network_mistakes(settings, key, balancer)
        yield from _certificate_mistakes(settings, f"loadBalancers.{key}", balancer)
        yield from _limit_mistakes(settings, key, balancer)
    for key, balancer in settings.load_balancers.items():
        yield from _rule_mistakes(settings, key, balancer)
    names = Counter(name for balancer in settings.own_load_balancers.values() for name in balancer.records)
    for name in (name for name, count in names.items() if count > 1):
        yield Mistake(
            "CUT211",
            "loadBalancers",
            f"the name {name} stands {names[name]} times. The second record would be refused as existing. "
            "Keep it at one load balancer",
        )


@as_far_as_known
def _zone_mistakes(key: str, balancer: LoadBalancer) -> Iterator[Mistake]:
    where, zones = f"loadBalancers.{key}", balancer.hosted_zones
    if balancer.names and not zones and balancer.dns.managed_by == "external" and not balancer.certificate_arn:
        yield Mistake(
            "CUT278",
            f"{where}.certificateArn",
            f"missing, and so is a zone, while names has {', '.join(balancer.names)}. Without a zone nobody could "
            "prove to ACM that the names are yours. Give a certificate that is valid for them, or the zone",
        )
    if balancer.records and not zones:
        yield Mistake(
            "CUT212",
            f"{where}.zone",
            f"missing, but names has {', '.join(balancer.names)}. Nobody could make the records. "
            "Give the hosted zone of the names",
        )
    for name in balancer.names:
        if zones and balancer.zone_of(name) is None:
            given = " or ".join(dict.fromkeys(one.name for one in zones.values()))
            yield Mistake(
                "CUT213",
                f"{where}.names",
                f"{name} does not lie in the zone {given}. The record would never be asked for. "
                "Correct the name, or the zone",
            )
    told: dict[str, str] = {}
    for place, zone in zones.items():
        if first := told.get(zone.name):
            yield Mistake(
                "CUT482",
                f"{where}.{place}",
                f"{zone.name} is {first} already. In which of them a record is made would be left to chance. "
                "Leave one out",
            )
        told.setdefault(zone.name, place)


@as_far_as_known
def _network_mistakes(settings: Settings, key: str, balancer: LoadBalancer) -> Iterator[Mistake]:
    where = f"loadBalancers.{key}"
    if balancer.dualstack and isinstance(settings.network, NewNetwork):
        yield Mistake(
            "CUT485",
            f"{where}.ipAddressType",
            "dualstack, and the VPC that the stack makes has ranges of IPv4 alone. ELB would refuse it. Bring a VPC "
            "whose subnets have ranges of IPv6 (network.vpcId), or leave it out",
        )
    for place, one in enumerate(balancer.ingress_cidrs or ()):
        if cidr6(one) and not balancer.dualstack:
            yield Mistake(
                "CUT484",
                f"{where}.ingressCidrs[{place}]",
                f"{one} is a range of IPv6, and the load balancer has no address there. Nobody would come from it. "
                "Leave it out, or write ipAddressType: dualstack",
            )
    if isinstance(settings.network, ExistingNetwork):
        if balancer.scheme == "internet-facing" and len(settings.network.public_subnet_ids) < 2:  # noqa: PLR2004
            yield Mistake(
                "CUT215",
                "network.publicSubnetIds",
                f"fewer than two, and load balancer {key} is internet-facing. ELB wants two zones. "
                "Give a public subnet in each of two zones",
            )
        if balancer.scheme == "internal" and balancer.ingress_cidrs is None:
            yield Mistake(
                "CUT216",
                f"{where}.ingressCidrs",
                "missing for an internal load balancer in an existing VPC, whose range is not known here. Nobody "
                "could connect. Give the ranges of the clients",
            )


@as_far_as_known
def _certificate_mistakes(settings: Settings, where: str, balancer: LoadBalancer) -> Iterator[Mistake]:
    if balancer.certificate_arns and not balancer.https:
        yield Mistake(
            "CUT255",
            f"{where}.certificateArns",
            "there is neither certificateArn nor names, so the load balancer speaks plain HTTP. ELB would refuse a "
            "certificate for it. Move one of them to certificateArn",
        )
    certificates = {"certificateArn": balancer.certificate_arn}
    certificates |= {f"certificateArns[{place}]": arn for place, arn in enumerate(balancer.certificate_arns)}
    for what, arn in certificates.items():
        if arn and arn.split(":")[3] != settings.aws.region:
            yield Mistake(
                "CUT214",
                f"{where}.{what}",
                f"{arn} does not lie in {settings.aws.region}. ELB would refuse the listener. Give a certificate of "
                "that region",
            )
    if balancer.certificate_arn in balancer.certificate_arns:
        yield Mistake(
            "CUT256",
            f"{where}.certificateArns",
            f"{balancer.certificate_arn} is certificateArn already. Taking it out here would take it from the "
            "listener, too. Leave it out",
        )
    if balancer.web_acl_arn and balancer.web_acl_arn.split(":")[3] != settings.aws.region:
        yield Mistake(
            "CUT257",
            f"{where}.webAclArn",
            f"{balancer.web_acl_arn} does not lie in {settings.aws.region}. WAF would refuse it, and the update would "
            "stop behind the load balancer. Give a web ACL of that region",
        )


@as_far_as_known
def _limit_mistakes(settings: Settings, key: str, balancer: LoadBalancer) -> Iterator[Mistake]:
    names = () if balancer.certificate_arn else balancer.names
    around = [zone for name in names if (zone := balancer.zone_of(name))]
    if private := next((zone for zone in around if zone.private), None):
        yield Mistake(
            "CUT217",
            f"loadBalancers.{key}.certificateArn",
            f"missing, and the zone {private.name} is private. ACM looks for its records in public zones, "
            "so the update would wait for a certificate until it fails. Give one that is valid for the names",
        )
    if len(names) > MAX_CERTIFICATE_NAMES:
        yield Mistake(
            "CUT218",
            f"loadBalancers.{key}.names",
            f"{len(names)} names, and ACM gives a certificate {MAX_CERTIFICATE_NAMES}. It would refuse the certificate "
            "halfway through the update. Use a wildcard, or give a certificateArn of your own",
        )
    if names and len(names[0]) > MAX_FIRST_NAME:
        yield Mistake(
            "CUT219",
            f"loadBalancers.{key}.names",
            f"the first, {names[0]}, has {len(names[0])} characters, and ACM calls a certificate after a name of at "
            f"most {MAX_FIRST_NAME}. It would refuse the certificate halfway through the update. Put a shorter name "
            "first",
        )
    ranges, ports = len(settings.ingress_cidrs(key)), 2 if balancer.https else 1
    if ranges * ports > MAX_SECURITY_RULES:
        yield Mistake(
            "CUT220",
            f"loadBalancers.{key}.ingressCidrs",
            f"{ranges} ranges on {'ports 80 and 443' if ports > 1 else 'port 80'} make {ranges * ports} rules, and a "
            f"security group holds {MAX_SECURITY_RULES}. The update would stop halfway. Write fewer, wider ranges",
        )


@as_far_as_known
def _rule_mistakes(settings: Settings, key: str, balancer: LoadBalancer | ExistingLoadBalancer) -> Iterator[Mistake]:
    alone = len(settings.load_balancers) == 1  # where there are several, a route that names none lies on none
    on_it = {
        name: route
        for name, route in settings.matched.items()
        if route.load_balancer == key or (alone and not route.load_balancer)
    }
    routes = [route for name, route in settings.routes.items() if name in on_it]
    groups = len(routes) * len(settings.clusters)
    rules = groups + sum(route.live for route in routes) + len(on_it) - len(routes)
    if groups > MAX_GROUPS_PER_LOAD_BALANCER:
        yield Mistake(
            "CUT221",
            f"loadBalancers.{key}",
            f"{len(routes)} routes over {len(settings.clusters)} clusters make {groups} target groups, and a load "
            f"balancer takes {MAX_GROUPS_PER_LOAD_BALANCER}. The update would stop halfway. Move routes to another one",
        )
    if rules > balancer.rule_quota:
        yield Mistake(
            "CUT222",
            f"loadBalancers.{key}.ruleQuota",
            f"{len(on_it)} routes over {len(settings.clusters)} clusters make {rules} rules, and the quota is "
            f"{balancer.rule_quota}. The update would stop halfway. Move routes to another load balancer, or have the "
            "quota raised in Service Quotas and write it here",
        )
    priorities = {name: route.priority for name, route in on_it.items()}
    for name, first in alike(priorities):
        yield Mistake(
            "CUT223",
            f"routes.{name}.priority",
            f"{priorities[name]} is also the priority of {first}. Two rules would want one place, and ELB would refuse "
            "the second (PriorityInUse). Give each route of a load balancer a place of its own",
        )
    told: set[str] = set()
    named = sorted(
        (name for name, route in on_it.items() if route.values or route.source_cidrs), key=priorities.__getitem__
    )
    for first, name in combinations(named, 2):
        if name in told or not covers(on_it[first], on_it[name]):
            continue
        told.add(name)
        cure = f"Give {first} a priority above {priorities[name]} that no other has, or tell the two apart"
        yield Mistake(
            "CUT224",
            f"routes.{name}",
            f"all that it matches, {first} matches too, and comes first. It would never get a request, nor would its "
            f"preview. {'Tell the two apart' if covers(on_it[name], on_it[first]) else cure} by hosts or paths",
        )
