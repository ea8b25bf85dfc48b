"""What AWS has of what a stack file takes for granted: hosted zones, zones, add-ons, access entries, places.

All of it is asked at once. Where AWS does not answer in time nothing is said, since the provider will. Refuses to judge
(cutover/rules/ground.py).
"""

from __future__ import annotations

from concurrent.futures import wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cutover.aws import existing_network, given_roles, log_buckets, log_groups, places
from cutover.aws.described import described
from cutover.aws.session import Sessions, session
from cutover.calls import OutsideError, at_once, client, pages, threads
from cutover.rules.apart import Standing
from cutover.rules.ground import Ground
from settings.aws import account_of
from settings.network import NewNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import boto3

    from settings import Settings

_PATIENCE_SECONDS = 15.0
_AT_ONCE = 5


def read(settings: Settings) -> Ground:
    """Ask AWS, all at once and for a short while; what cannot be read is left out."""
    try:
        account = session(settings.aws)
    except OutsideError:
        return Ground()
    sessions = Sessions(settings, account)
    asks: dict[str, Callable[[], Any]] = {
        "hosted": lambda: _read_hosted(settings, sessions),
        "zones": lambda: _read_zones(settings, account),
        "subnets": lambda: _read_subnets(settings, account),
        "addons": lambda: _read_addons(settings, account),
        "people": lambda: _read_entries(settings, account),
        "ranges": lambda: _read_ranges(settings, account),
        "places": lambda: places.read(settings, account),
        "elsewhere": lambda: places.elsewhere(settings, account),
        "standing": lambda: _read_standing(settings, sessions),
        "given": lambda: existing_network.read(settings, account),
        "account": lambda: _read_account(settings, account),
        "roles": lambda: given_roles.read(settings, account),
        "log_groups": lambda: log_groups.read(settings, account),
        "buckets": lambda: log_buckets.read(settings, account),
    }
    with threads(len(asks)) as pool:
        asked = {name: pool.submit(ask) for name, ask in asks.items()}
        done, _ = wait(asked.values(), timeout=_PATIENCE_SECONDS)
    answers = {name: one.result() for name, one in asked.items() if one in done and one.exception() is None}
    entries, callers = answers.pop("people", ((), ()))
    return Ground(**answers, entries=entries, callers=callers)


def _read_hosted(settings: Settings, sessions: Sessions) -> dict[tuple[str, str], list[bool]]:
    """Return by load balancer and name of what kinds the hosted zones are that have the names of its own."""
    found: dict[tuple[str, str], list[bool]] = {}
    for key, balancer in settings.own_load_balancers.items():
        if wanted := balancer.hosted_zones.values():
            found |= {(key, zone.name): [] for zone in wanted}
            for one in pages(client(sessions.of_zone(key), "route53"), "list_hosted_zones", "HostedZones"):
                if (key, name := one["Name"].rstrip(".")) in found:
                    found[key, name].append(one["Config"]["PrivateZone"])
    return found


def _read_zones(settings: Settings, account: boto3.Session) -> dict[str, str]:
    if not isinstance(settings.network, NewNetwork):
        return {}
    answer = client(account, "ec2").describe_availability_zones()
    return {zone["ZoneName"]: zone["ZoneId"] for zone in answer["AvailabilityZones"]}


def _read_subnets(settings: Settings, account: boto3.Session) -> dict[str, list[str]]:
    if not isinstance(settings.network, NewNetwork):
        return {}
    tags = {"pulumi:project": settings.project, "pulumi:stack": settings.stack}
    own = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    found: dict[str, list[str]] = {}
    for subnet in pages(client(account, "ec2"), "describe_subnets", "Subnets", Filters=own):
        found.setdefault(subnet["AvailabilityZone"], []).append(subnet["CidrBlock"])
    return found


def _read_addons(settings: Settings, account: boto3.Session) -> dict[tuple[str, str], list[str]]:
    eks = client(account, "eks")

    def versions(place: tuple[str, str]) -> list[str]:
        key, addon = place
        version = settings.own_clusters[key].version
        found = pages(eks, "describe_addon_versions", "addons", addonName=addon, kubernetesVersion=version)
        return [one["addonVersion"] for made in found for one in made["addonVersions"]]

    # EKS withdraws old versions, and a cluster that stands keeps its own.
    new = [key for key in settings.own_clusters if not _stands(eks, settings.eks_name(key))]
    places = [(key, addon) for key in new for addon in settings.own_clusters[key].addons.pinned]
    return dict(zip(places, at_once(versions, places, _AT_ONCE), strict=True))


def _stands(eks: Any, cluster: str) -> bool:
    return described(eks, cluster) is not None


def _read_entries(
    settings: Settings, account: boto3.Session
) -> tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]]:
    """Return the access entries that EKS has and this stack has not made, and those of who asks."""
    wanted = {
        (key, name): entry.principal_arn
        for key, cluster in settings.own_clusters.items()
        for name, entry in cluster.access_entries.items()
    }
    if not wanted:
        return (), ()
    caller, eks = client(account, "sts").get_caller_identity()["Arn"], client(account, "eks")
    entries, callers = list[tuple[str, str]](), list[tuple[str, str]]()
    for (key, name), principal in wanted.items():
        cluster = settings.eks_name(key)
        if not _stands(eks, cluster):
            callers += [(key, name)] if is_principal(caller, principal) else []
            continue
        try:
            entry = eks.describe_access_entry(clusterName=cluster, principalArn=principal)["accessEntry"]
        except ClientError:
            continue
        if "pulumi:stack" not in entry.get("tags", {}):
            entries.append((key, name))
    return entries, callers


def _read_standing(settings: Settings, sessions: Sessions) -> dict[str, Standing | None]:
    """Return each cluster that others made, None where one does not stand; what may not be read is left out."""
    found: dict[str, Standing | None] = {}
    for key in settings.existing_clusters:
        with suppress(OutsideError, ClientError):
            told = described(client(sessions.of(key), "eks"), settings.eks_name(key))
            found[key] = _standing(told) if told else None
    return found


def _standing(cluster: dict[str, Any]) -> Standing:
    balancing = cluster.get("kubernetesNetworkConfig", {}).get("elasticLoadBalancing", {})
    return Standing(
        cluster["resourcesVpcConfig"].get("vpcId", ""),
        automatic=bool(balancing.get("enabled")),
        account=account_of(cluster["arn"]),
    )


def _read_account(settings: Settings, account: boto3.Session) -> str:
    """Return the stack's account, where a cluster may stand in another."""
    apart = any(one.role for one in settings.existing_clusters.values())
    return client(account, "sts").get_caller_identity()["Account"] if apart else ""


def _read_ranges(settings: Settings, account: boto3.Session) -> dict[str, str]:
    eks, found = client(account, "eks"), dict[str, str]()
    for key in settings.own_clusters:
        with suppress(ClientError):
            told = eks.describe_cluster(name=settings.eks_name(key))["cluster"].get("kubernetesNetworkConfig", {})
            if "serviceIpv4Cidr" in told:
                found[key] = told["serviceIpv4Cidr"]
    return found


def is_principal(caller: str, principal: str) -> bool:
    """Tell whether a caller, as STS names it, is a principal of IAM; a session does not tell the path of its role."""
    account, name = caller.split(":", 5)[4:]
    kind, *path = name.split("/")
    if kind != "assumed-role":
        return caller.replace(":sts:", ":iam:") == principal
    return principal.split(":")[4] == account and principal.rsplit("/", maxsplit=1)[-1] == path[0]
