"""What makes a migration of anybody's stack file: what it takes for granted is there, and what cannot be is replaced.

Owns what the emulated account has before the first update (hosted zones, certificates, a VPC), and the edits of the
file's copy. Refuses to judge the file (settings/) and to play it (migration.py).
"""

from __future__ import annotations

import copy
import ipaddress
import json
import time
from typing import TYPE_CHECKING, Any

from rehearsal.play import elsewhere, stackfile
from rehearsal.play.foreign_cluster import land
from settings.aws import account_of
from settings.values import order_of, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.engine.sandbox import Sandbox
    from rehearsal.play.stackfile import Config

_PREVIEW = "eks-cutover:preview"
_OF_THE_CALLER = ("aws:profile", "aws:assumeRoles", "aws:allowedAccountIds")
_SIZES = ("capacity", "weights")  # of a route, which its own number of pods and the stack's weights stand for
_SEALED = "rehearsal-of-a-secret"  # what stands for a value that only the stack's own backend could open
_RANGE, _SUBNET, _SUBNET_STEP = "10.0.0.0/16", "10.0.{}.0/20", 16
_ISSUED_WITHIN_SECONDS = 15.0
_LOGS = ("accessLogs", "connectionLogs")
_GIVEN_ROLES = {"clusterRoleArn", "nodeRoleArn", "loadBalancerRoleArn", "appMeshRoleArn", "roleArn"}
_TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": [f"{one}.amazonaws.com" for one in ("eks", "ec2", "pods.eks")]},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}
_DELIVERY = {
    "Effect": "Allow",
    "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
    "Action": "s3:PutObject",
    "Resource": "*",
}


def prepare(sandbox: Sandbox, stack: str) -> tuple[Config, list[str]]:
    """Make what a stack file takes for granted, and edit its copy, of a stack that is there already.

    Return the configuration that is played, with nothing sealed, and what it says otherwise, as sentences.
    """
    config, said = played(stackfile.read(sandbox.project, stack))
    if stackfile.leave_out(sandbox.project, stack, "environment"):
        said.append("environment: left out, since nothing here reaches Pulumi Cloud; what it would give is not played.")
    make_zones(sandbox, config)
    _make_certificates(sandbox, config)
    _make_what_load_balancers_use(sandbox, config)
    make_roles(sandbox.aws("iam"), config)
    _make_network(sandbox, config)

    secrets = {path: holder[name] for path, holder, name in _secrets(config)}

    def rewrite(written: Config) -> None:
        written.clear()
        written.update(copy.deepcopy(config))
        for _, holder, name in [*_secrets(written)]:
            del holder[name]

    stackfile.edit(sandbox.project, stack, rewrite)
    if secrets:
        pairs = (f"{path}={secret}" for path, secret in secrets.items())
        each = [word for pair in pairs for word in ("--secret", pair)]
        sealed = sandbox.pulumi("config", "set-all", "--path", *each, "-s", stack)
        if sealed.returncode != 0:
            raise RuntimeError(f"{', '.join(secrets)} could not be sealed: {sealed.stdout}")
    return config, said


def _secrets(config: Config) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the path of every secret, what it stands in, and its key there."""
    if "secret" in config.get(_PREVIEW, {}):
        yield f"{_PREVIEW}.secret", config[_PREVIEW], "secret"
    for name, oidc in _logins(config).items():
        yield f"eks-cutover:routes.{name}.authenticate.oidc.clientSecret", oidc, "clientSecret"


def _logins(config: Config) -> dict[str, dict[str, Any]]:
    """Return by route what is written of an identity provider."""
    routes = config["eks-cutover:routes"]
    return {
        name: route["authenticate"]["oidc"] for name, route in routes.items() if "oidc" in route.get("authenticate", {})
    }


def make_zones(sandbox: Sandbox, config: Config) -> None:
    """Make the hosted zones that a stack file names, where they are not there yet."""
    wanted: set[tuple[str, str, bool]] = set()
    for balancer in config["eks-cutover:loadBalancers"].values():
        account = elsewhere.account_of_role(sandbox, balancer.get("dns", {}).get("assumeRole", ""))
        for zone in [*([balancer["zone"]] if "zone" in balancer else []), *balancer.get("zones", [])]:
            wanted.add((account, zone, False) if isinstance(zone, str) else (account, zone["name"], zone["private"]))
    for account, name, private in sorted(wanted):
        route53, ec2 = sandbox.aws("route53", account=account), sandbox.aws("ec2", account=account)
        zones = route53.list_hosted_zones()["HostedZones"]
        if (name, private) in {(one["Name"].rstrip("."), one["Config"]["PrivateZone"]) for one in zones}:
            continue
        more: dict[str, Any] = {}
        if private:  # such a zone is made for a VPC, and that of the stack does not stand yet
            vpc = ec2.create_vpc(CidrBlock=_RANGE)["Vpc"]["VpcId"]
            more = {"VPC": {"VPCRegion": ec2.meta.region_name, "VPCId": vpc}, "HostedZoneConfig": {"PrivateZone": True}}
        route53.create_hosted_zone(Name=name, CallerReference=f"{name} {private}", **more)


def played(config: Config) -> tuple[Config, list[str]]:
    """Return the configuration that is played, and what it says otherwise than the file, as sentences."""
    found, said = opened(copy.deepcopy(config)), list[str]()
    if left := [key for key in _OF_THE_CALLER if found.pop(key, None) is not None]:
        said.append(f"{', '.join(left)}: left out, since the emulated account asks nobody who calls.")
    if found.pop("eks-cutover:import", None) is not None:
        said.append("import: left out, since what it names is in another account; it is made instead.")
    said += _among_ourselves(found)
    for login in _logins(found).values():
        login.setdefault("clientSecret", _SEALED)  # a file that was just copied has none
    sizes = [
        f"routes.{name}.{key}" for name, route in found["eks-cutover:routes"].items() for key in _SIZES if key in route
    ]
    said += [*_asked_from_here(found), *_at_one_port(found)]
    for route in found["eks-cutover:routes"].values():
        for key in _SIZES:
            route.pop(key, None)
    if found.get("eks-cutover:gate", {}).pop("override", None) is not None:
        sizes.append("gate.override")
    if sizes:
        said.append(f"{', '.join(sizes)}: left out, since all routes move together, to clusters of the same size.")
    return found, [*said, *_as_two_clusters(found), *elsewhere.as_played(found)]


def _among_ourselves(config: Config) -> list[str]:
    """Let in the rehearsal's own clients in place of others, and ask for no database, and return it as sentences."""
    said: list[str] = []
    if config.pop("eks-cutover:allowEgressTo", None) is not None:
        said.append("allowEgressTo: left out, since no database stands in the emulated VPC.")
    asking = {"preview": config.get(_PREVIEW, {})}
    asking |= {f"routes.{name}": route for name, route in config["eks-cutover:routes"].items()}
    for key, one in asking.items():
        if one.get("sourceCidrs"):
            one["sourceCidrs"] = ["127.0.0.0/8"]
            said.append(f"{key}.sourceCidrs: the rehearsal's own clients.")
    return said


def _asked_from_here(config: Config) -> list[str]:
    """Leave out the probes that nobody inside a rehearsal can ask, and return it as sentences."""
    sources = config.get(_PREVIEW, {}).get("sourceCidrs")
    left = [
        name
        for name, route in config["eks-cutover:routes"].items()
        if (sources or route.get("sourceCidrs") or route.get("protocolVersion") == "GRPC")
        and route.pop("probes", None) is not None
    ]
    why = "the way to the emulated load balancers is a proxy's, which speaks no gRPC and has no address of its own"
    return [f"{', '.join(f'routes.{name}.probes' for name in left)}: left out, since {why}."] if left else []


def _at_one_port(config: Config) -> list[str]:
    """Have targets checked where they are asked, and return it as sentences."""
    left = [name for name, one in stackfile.routes(config).items() if one["healthCheck"].pop("port", None) is not None]
    named = ", ".join(f"routes.{name}.healthCheck.port" for name in left)
    return [f"{named}: left out, since an emulated pod listens at one port."] if left else []


def opened(value: Any) -> Any:
    """Return a value with a word in the place of whatever is sealed."""
    if isinstance(value, dict):
        return _SEALED if list(value) == ["secure"] else {key: opened(part) for key, part in value.items()}
    return [opened(part) for part in value] if isinstance(value, list) else value


def _as_two_clusters(config: Config) -> list[str]:
    """Leave the oldest and the newest cluster, or make a next one of the only one."""
    clusters = config["eks-cutover:clusters"]
    old, *others = sorted(clusters, key=order_of)
    if not others:
        made = {key: value for key, value in clusters[old].items() if key not in {"name", "meshName"}}
        if "existing" in made:
            new = f"{old}-b"
            clusters[new] = {**made, "existing": {"name": new}}
        else:
            new = _next(old)
            clusters[new] = {**made, "version": f"{new.removeprefix('v').replace('-', '.')}"}
        said = [f"{new} is made for the rehearsal, a copy of {old}, which is the only cluster in the file."]
    else:
        *between, new = others
        for key in between:
            del clusters[key]
        said = [f"{', '.join(between)}: left out; it goes from {old} to {new}."] if between else []
    config["eks-cutover:weights"] = {old: 100, new: 0}
    return said


def _next(key: str) -> str:
    major, minor, _ = version_of(key)
    return f"v{major}-{minor + 1}"


def _make_certificates(sandbox: Sandbox, config: Config) -> None:
    """Have a certificate issued for each that the file names, and name it in its place."""
    acm = sandbox.aws("acm")
    for name, balancer in config["eks-cutover:loadBalancers"].items():
        domain = next(iter(balancer.get("names", ())), f"{name}.example.com")
        if "certificateArn" in balancer:
            balancer["certificateArn"] = _certificate(acm, domain)
        if more := balancer.get("certificateArns"):
            balancer["certificateArns"] = [_certificate(acm, f"more-{place}.{domain}") for place, _ in enumerate(more)]


def _certificate(acm: Any, domain: str) -> str:
    made = acm.request_certificate(DomainName=domain, ValidationMethod="DNS")["CertificateArn"]
    end = time.monotonic() + _ISSUED_WITHIN_SECONDS
    while acm.describe_certificate(CertificateArn=made)["Certificate"]["Status"] != "ISSUED":
        if time.monotonic() > end:
            raise TimeoutError(f"the emulated ACM issued no certificate for {domain}")
        time.sleep(0.2)
    return made


def _make_what_load_balancers_use(sandbox: Sandbox, config: Config) -> None:
    """Make the buckets of logs and the web ACLs that the file names, and name the latter in their place."""
    s3, waf = sandbox.aws("s3"), sandbox.aws("wafv2")
    balancers = config["eks-cutover:loadBalancers"]
    logs = [balancer[key]["bucket"] for balancer in balancers.values() for key in _LOGS if key in balancer]
    for bucket in dict.fromkeys(logs):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": sandbox.region})
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [_DELIVERY]}))
    for name, balancer in balancers.items():
        if "webAclArn" in balancer:
            seen = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": name}
            made = waf.create_web_acl(Name=name, Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen)
            balancer["webAclArn"] = made["Summary"]["ARN"]


def make_roles(iam: Any, config: Config) -> None:
    """Make the roles that the file gives to clusters, and name them in their place."""
    given: list[dict[str, Any]] = []
    for cluster in config["eks-cutover:clusters"].values():
        given += [cluster, cluster.get("controllers", {}), cluster.get("karpenter", {})]
    named = {keys[key] for keys in given for key in _GIVEN_ROLES & keys.keys()}
    made = {arn: _role(iam, arn) for arn in sorted(named)}
    for keys in given:
        keys.update({key: made[keys[key]] for key in _GIVEN_ROLES & keys.keys()})


def _role(iam: Any, arn: str) -> str:
    """Make the role of an ARN in this account, for whoever may be given one, and return its ARN."""
    path, _, name = arn.partition(":role")[2].rpartition("/")
    trust = {"Version": "2012-10-17", "Statement": [_TRUST]}
    made = iam.create_role(RoleName=name, Path=f"{path}/", AssumeRolePolicyDocument=json.dumps(trust))
    # Not the ARN that is told, since moto knows the partitions of regions and not those of IAM.
    return arn.replace(account_of(arn), account_of(made["Role"]["Arn"]), 1)


def _make_network(sandbox: Sandbox, config: Config) -> None:
    """Make a VPC with as many subnets as the file names, and name them in their place."""
    network = config.get("eks-cutover:network", {})
    if "vpcId" not in network:
        return
    if elsewhere.listeners(config):
        config["eks-cutover:network"] = land(sandbox).network
        return
    ec2 = sandbox.aws("ec2")
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    made_vpc = ec2.create_vpc(CidrBlock=_RANGE, AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    network["vpcId"] = vpc = made_vpc["VpcId"]
    six = ipaddress.IPv6Network(made_vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]).subnets(new_prefix=64)
    third = 0
    for key in ("publicSubnetIds", "privateSubnetIds"):
        made: list[str] = []
        for place, _ in enumerate(network.get(key, ())):
            zone = zones[place % len(zones)]
            ranges = {"CidrBlock": _SUBNET.format(third), "Ipv6CidrBlock": str(next(six))}
            subnet = ec2.create_subnet(VpcId=vpc, AvailabilityZone=zone, **ranges)
            made.append(subnet["Subnet"]["SubnetId"])
            third += _SUBNET_STEP
        if made:
            network[key] = made
