"""Stack files that somebody might write, at the edges of what AWS takes and a little beyond.

Most have few clusters and routes, since every one of them is played. Refuses to judge them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

STACK = "shop"
_ZONES = {
    # Without use1-az3, which only AWS knows by its letter (cutover/aws/ground.py asks).
    "us-east-1": "abcdf",
    "ap-northeast-1": "acd",
    "eu-central-1": "abc",
    "us-gov-west-1": "abc",
    "cn-north-1": "ab",
}
_PARTITIONS = {"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"}
_RANGES = (
    "10.20.0.0/16",
    "10.20.0.0/21",
    "10.20.8.0/21",
    "11.0.0.0/16",
    "100.64.0.0/16",
    "172.16.0.0/17",
    "192.168.0.0/16",
    "198.18.0.0/16",
    "198.51.96.0/20",
)
_PEERS = ("0.0.0.0/0", "10.0.0.0/8", "192.0.2.0/24", "198.51.100.7/32", "203.0.113.0/25", "127.0.0.0/8", "224.0.0.1/32")
_PUBLIC = ("203.0.113.0/24", "198.51.100.7/32", "11.0.0.0/8", "192.88.99.0/24", "8.8.8.8/32", "9.0.0.0/8")
_SERVICES = ("172.20.0.0/16", "10.20.16.0/20", "10.100.0.0/16", "192.168.1.0/24", "172.16.0.0/12", "10.96.0.0/12")
_TYPES = ("m7i.large", "m6i.xlarge", "c7a.2xlarge", "r8i.metal-24xl", "u-3tb1.56xlarge", "t3.nano")
_KEYS = ("v1-35", "v1-36", "v1-36-b")
_NAMES = ("a", "web", "b-web", "grpc-api", "x" * 16, "v1-36", "b", "a-v1-36")
_BALANCERS = ("public", "private", "public-x", "z" * 24, "internally", "x-alb", "a")
_NAMESPACES = ("web", "b-web", "default", "kube-system", "n" * 63)
_LABELS = ("app", "x-app", "validation-app", "*", "a" * 63, "xn--bcher-kva", "1", "w.w")
_HOSTS = st.from_regex(r"[A-Za-z0-9.*?-]{1,9}\.[A-Za-z]{1,4}", fullmatch=True)
_PATHS = st.from_regex(r"/[A-Za-z0-9_.$/~\"'@:+*?&-]{0,9}", fullmatch=True)
_LOGIN = "https://login.example.com"
_OIDC = {
    **{key: f"{_LOGIN}/{key}" for key in ("issuer", "authorizationEndpoint", "tokenEndpoint", "userInfoEndpoint")},
    "clientId": "shop",
    "clientSecret": "s" * 64,
    "sessionTimeout": 1,
    "onUnauthenticatedRequest": "allow",
}
_POOL = {
    "userPoolArn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_AbCdEf",
    "userPoolClientId": "shop",
    "userPoolDomain": "shop",
    "sessionTimeout": 604800,
}
_TAGS = st.from_regex(r"[A-Za-z0-9 _.:/=+@é日-]{1,9}", fullmatch=True) | st.sampled_from(["k" * 128, "Name", "é" * 128])


def _some(values: Sequence[Any], least: int = 0, most: int = 3) -> SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True)


def _maybe(draw: DrawFn, **keys: SearchStrategy[Any]) -> dict[str, Any]:
    """Draw a few of some keys: one that is left out has its default."""
    chosen = draw(st.sets(st.sampled_from(sorted(keys)), max_size=3))
    return {key: draw(keys[key]) for key in sorted(chosen)}


@st.composite
def stack_files(draw: DrawFn) -> dict[str, Any]:
    """Draw the ``config`` of a stack file."""
    region = draw(st.sampled_from(sorted(_ZONES)))
    named = draw(
        st.lists(st.sampled_from(_BALANCERS), min_size=1, max_size=draw(st.sampled_from([1, 1, 2])), unique=True)
    )
    network = draw(_networks(region))
    balancers = {name: draw(_load_balancers(region, of_others="vpcId" in network)) for name in named}
    keys = draw(_some(_KEYS, 1, draw(st.sampled_from([1, 1, 2]))))
    clusters = {key: draw(_clusters(key, region)) for key in keys}
    names = draw(_some(_NAMES, 0, 3))
    many = draw(st.integers(0, 49)) == 0
    names += [f"r{number}" for number in range(draw(st.integers(30, 49)))] if many else []
    routes = {
        name: {**draw(_routes(many=many)), "priority": place, "loadBalancer": draw(st.sampled_from(sorted(balancers)))}
        for place, name in enumerate(names, 1)
    }
    config: dict[str, Any] = {
        "aws:region": region,
        "eks-cutover:network": network,
        "eks-cutover:loadBalancers": balancers,
        "eks-cutover:clusters": clusters,
        "eks-cutover:weights": {key: draw(st.integers(0, 1)) * 999 for key in keys[1:]} | {keys[0]: 100},
        "eks-cutover:routes": routes,
    }
    if draw(st.booleans()):
        tags = st.dictionaries(_TAGS, _TAGS | st.just("v" * 256), max_size=3)
        many_tags = st.sampled_from([1, 43, 44]).map(lambda count: {f"k{number}": "v" for number in range(count)})
        config["aws:defaultTags"] = {"tags": draw(tags | many_tags)}
    if draw(st.booleans()):
        header = st.sampled_from(["X-Cluster", "h" * 40, "hosts", "-", "Cookie"])
        config["eks-cutover:preview"] = _maybe(draw, header=header, sourceCidrs=_some(_PEERS))
    if draw(st.booleans()):
        config |= draw(_discovery(clusters))
    if draw(st.booleans()):
        iam = f"arn:{_PARTITIONS.get(region, 'aws')}:iam::123456789012"
        accounts = st.sampled_from(["web/web", "a/b.c", f"{'n' * 63}/{'s' * 253}"])
        config["eks-cutover:podIdentities"] = draw(st.dictionaries(accounts, st.just(f"{iam}:role/a/b")))
        boundary = st.just(f"{iam}:policy/boundary")
        charts = st.sampled_from(["https://charts.example.com/eks", "oci://registry.example.com:5000/charts"])
        config["eks-cutover:mirrors"] = _maybe(draw, charts=charts, images=st.just("registry.example.com:5000/eks"))
        config["eks-cutover:iam"] = _maybe(draw, path=st.sampled_from(["/", "/a/b/"]), permissionsBoundary=boundary)
    return config


@st.composite
def _networks(draw: DrawFn, region: str) -> dict[str, Any]:
    if draw(st.booleans()):
        most = min(3, len(_ZONES[region]))  # ELB takes one subnet of a zone, which the file does not show
        private, public = draw(st.integers(2, most)), draw(st.sampled_from([0, 2, most]))
        ids = [f"subnet-{number:08x}" for number in range(private + public)]
        return {"vpcId": "vpc-0a1b2c3d", "privateSubnetIds": ids[:private], "publicSubnetIds": ids[private:]}
    letters = draw(st.permutations(_ZONES[region]))[: draw(st.sampled_from([2, 2, 3, 5]))]
    network: dict[str, Any] = {"cidr": draw(st.sampled_from(_RANGES)), "zones": [region + letter for letter in letters]}
    return {**network, **_maybe(draw, natGateways=st.sampled_from(["single", "perZone"]))}


@st.composite
def _load_balancers(draw: DrawFn, region: str, *, of_others: bool) -> dict[str, Any]:
    count = draw(st.sampled_from([1, 1, 1, 2, 10]))
    domain = draw(st.sampled_from(["example.com", "e.co", f"{'d' * 60}.example.com"]))
    labels = [*draw(st.permutations(_LABELS)), *(f"n{number}" for number in range(count))]
    names = [f"{label}.{domain}" for label in labels[:count]]
    partition = _PARTITIONS.get(region, "aws")
    certificate = f"arn:{partition}:acm:{region}:123456789012:certificate/1"
    ranges = _some(_PEERS, 1) | st.sampled_from([30, 60]).map(
        lambda count: [f"192.0.2.{number}/32" for number in range(count)]
    )
    balancer: dict[str, Any] = {"scheme": draw(st.sampled_from(["internet-facing", "internal"]))}
    if balancer["scheme"] == "internal" or draw(st.booleans()):
        balancer["ingressCidrs"] = draw(ranges)
    if of_others and draw(st.booleans()):
        balancer["ipAddressType"] = "dualstack"
        if "ingressCidrs" in balancer:
            balancer["ingressCidrs"] = [*balancer["ingressCidrs"], "2001:db8::/32", "::/0"]
    if draw(st.integers(0, 3)):
        private = draw(st.booleans())
        balancer |= {"zone": {"name": domain, "private": True} if private else domain, "names": names}
        balancer |= {"certificateArn": certificate} if private or draw(st.booleans()) else {}
        if draw(st.booleans()):
            balancer |= {"zones": ["example.org"], "names": [*names, "*.example.org"]}
    more = f"arn:{partition}:acm:{region}:123456789012:certificate/2"
    balancer |= {"certificateArns": [more]} if "zone" in balancer and draw(st.booleans()) else {}
    logs = st.fixed_dictionaries(
        {"bucket": st.sampled_from(["abc", "a.b-" + "c" * 59])}, optional={"prefix": st.just("a/b")}
    )
    return {
        **balancer,
        **_maybe(
            draw,
            deletionProtection=st.booleans(),
            idleTimeout=st.sampled_from([1, 4000]),
            clientKeepAlive=st.sampled_from([60, 604800]),
            forwardedFor=st.sampled_from(["append", "preserve", "remove"]),
            preserveHostHeader=st.booleans(),
            tlsPolicy=st.just("ELBSecurityPolicy-TLS13-1-2-2021-06"),
            accessLogs=logs,
            connectionLogs=logs,
        ),
    }


@st.composite
def _clusters(draw: DrawFn, key: str, region: str) -> dict[str, Any]:
    partition = _PARTITIONS.get(region, "aws")
    least, most = sorted(draw(st.tuples(st.integers(0, 3), st.sampled_from([3, 450, 100_000]))))
    types = _some(_TYPES, 1, 2) | st.just(20).map(lambda count: [f"m{number}i.large" for number in range(1, count + 1)])
    principals = [f"arn:{partition}:iam::123456789012:{name}" for name in ("role/ci", "role/a/b", "user/me")]
    policy = st.sampled_from(["AmazonEKSViewPolicy", "AmazonEKSAdminPolicy"])
    entry = st.fixed_dictionaries(
        {"principalArn": st.sampled_from(principals), "policies": st.lists(policy, max_size=2, unique=True)}
    )
    minor = key.split("-")[1]
    addons = {
        "vpcCni": "v1.21.1-eksbuild.1",
        "kubeProxy": draw(st.sampled_from([f"v1.{minor}.0-eksbuild.1", "v1.33.1-eksbuild.2", "v1.0.0-eksbuild.1"])),
        "podIdentityAgent": "v1.3.10-eksbuild.1",
        "coredns": "v1.13.1-eksbuild.1",
        "metricsServer": "v0.8.0-eksbuild.6",
        **_maybe(draw, **{"aws-ebs-csi-driver": _addon(partition)}),
    }
    public = _some(_PUBLIC, 1) | st.just(40).map(lambda count: [f"203.0.113.{number}/32" for number in range(count)])
    label = st.sampled_from(["pool", "example.com/A.b_c", "k" * 63])
    taint = st.fixed_dictionaries({"key": label, "effect": st.sampled_from(["NO_SCHEDULE", "NO_EXECUTE"])})
    nodes = {
        "instanceTypes": draw(types),
        "minSize": least,
        "desiredSize": most,
        "maxSize": most,
        **_maybe(draw, capacityType=st.just("SPOT"), operatingSystem=st.just("BOTTLEROCKET")),
    }
    another = {
        **nodes,
        **_maybe(
            draw,
            labels=st.dictionaries(label, st.sampled_from(["v" * 63, "1.b_c"]), max_size=3),
            taints=st.lists(taint, max_size=2, unique_by=lambda one: one["key"]),
            updatePolicy=st.sampled_from([{"maxUnavailable": 100}, {"maxUnavailablePercentage": 1}]),
            releaseVersion=st.sampled_from([f"1.{minor}.0-20260801", "1.36.1-943d9a41"]),
            zones=st.sampled_from([[region + letter] for letter in "abc"]),
            diskSize=st.sampled_from([1, 16384]),
        ),
    }
    name = draw(st.sampled_from(["batch", "g" * 40]))
    return {
        "version": f"1.{minor}",
        "nodes": draw(st.sampled_from([nodes, {"nodes": nodes, name: another}])),
        "addons": addons,
        "controllers": {"loadBalancer": "3.5.0", **draw(st.sampled_from([{}, {"appMesh": "1.13.3"}]))},
        **_maybe(
            draw,
            endpoint=st.fixed_dictionaries({"publicCidrs": public}),
            accessEntries=st.dictionaries(st.sampled_from(["ci", "sre"]), entry),
            logTypes=_some(["api", "audit", "scheduler"]),
            supportType=st.sampled_from(["STANDARD", "EXTENDED"]),
            serviceCidr=st.sampled_from(_SERVICES),
            name=st.sampled_from(["shop", "s" * 63, "9"]),
            deletionProtection=st.booleans(),
            karpenter=st.sampled_from([{}, {"namespace": "k" * 63, "serviceAccount": "a.b"}]),
            logRetentionDays=st.sampled_from([1, 3653]),
            tags=st.dictionaries(_TAGS, _TAGS, max_size=2),
            clusterRoleArn=st.just(f"arn:{partition}:iam::123456789012:role/org/eks"),
            nodeRoleArn=st.sampled_from([f"arn:{partition}:iam::123456789012:role/{name}" for name in ("n", "ci")]),
            encryptionKeyArn=st.just(f"arn:{partition}:kms:{region}:123456789012:key/1"),
        ),
    }


def _addon(partition: str) -> st.SearchStrategy[dict[str, Any]]:
    policy = f"arn:{partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
    roles = [{"roleArn": f"arn:{partition}:iam::123456789012:role/ebs"}, {"policyArns": [policy]}]
    accounts = st.sampled_from(["ebs-csi-controller-sa", "a.b"])
    role = st.builds(lambda account, given: {"serviceAccount": account, **given}, accounts, st.sampled_from(roles))
    optional = {"role": role, "configuration": st.just({"a": {"b": 1}}), "beforeNodes": st.just(False)}
    return st.fixed_dictionaries({"version": st.just("v1.54.0-eksbuild.1")}, optional=optional)


@st.composite
def _routes(draw: DrawFn, *, many: bool) -> dict[str, Any]:
    words = st.sampled_from(["a.b", "A.Example.com", "*.example.com", f"{'h' * 124}.com"])
    paths = st.sampled_from(["/a/*", "/" + "p" * 127, "/???*", "/&+:@"])
    grpc = not many and draw(st.integers(0, 4)) == 0
    http = draw(st.sampled_from(["200", "200-299", "200,404", "499", "200-499", "200,202-204"]))
    made: dict[str, Any] = {
        "targetType": draw(st.sampled_from(["instance", "ip"])),
        "service": {
            "namespace": draw(st.sampled_from(_NAMESPACES)),
            "name": "web",
            "port": 80,
        },
        "healthCheck": _maybe(
            draw,
            path=st.just("/a.B/c") if grpc else st.sampled_from(["/", "/h?a=b&c=%20", "/" + "c" * 1023]),
            matcher=st.sampled_from(["0", "12", "0-99"]) if grpc else st.just(http),
            interval=st.sampled_from([6, 300]),
            timeout=st.sampled_from([2, 5]),
            healthyThreshold=st.integers(2, 10),
        ),
    }
    made["healthCheck"].setdefault("path", "/grpc.health.v1.Health/Check")
    login = st.sampled_from([{"oidc": _OIDC}, {"cognito": _POOL}, {"oidc": {**_OIDC, "sessionCookieName": "A" * 128}}])
    if many:
        return {**made, "paths": ["/*"], "hosts": [f"{draw(st.uuids())}.com"]}
    if draw(st.integers(0, 4)) == 0:
        probes: list[Any] = (
            [[{}], [{"service": "a.B"}]] if grpc else [[{"path": "/?a=b"}], [{"path": "/", "expect": "302"}]]
        )
        made |= {
            "probes": draw(st.sampled_from(probes)),
            "hosts": ["a.b"],
            "protocolVersion": "GRPC" if grpc else "HTTP1",
        }
        return made
    return {
        **made,
        "hosts": draw(st.lists(words | _HOSTS, min_size=1, max_size=2, unique=True)),
        "paths": draw(st.lists(paths | _PATHS, max_size=2, unique=True)),
        "protocolVersion": "GRPC" if grpc else draw(st.sampled_from(["HTTP1", "HTTP1", "HTTP2"])),
        **_maybe(
            draw,
            deregistrationDelay=st.sampled_from([0, 1, 3600]),
            slowStart=st.sampled_from([0, 30, 900]),
            algorithm=st.sampled_from(["round_robin", "least_outstanding_requests", "weighted_random"]),
            stickiness=st.fixed_dictionaries({"duration": st.sampled_from([1, 604800])}),
            live=st.booleans(),
            authenticate=login,
        ),
    }


@st.composite
def _discovery(draw: DrawFn, clusters: dict[str, Any]) -> dict[str, Any]:
    node = {"podLabels": {"app": "a"}, "port": 9000, "protocol": "grpc"}
    services = {
        name: draw(st.sampled_from([{}, {"virtualNode": {**node, "namespace": draw(st.sampled_from(_NAMESPACES))}}]))
        for name in draw(_some(("a", "b-web", "web", "s" * 63)))
    }
    meshed = all("appMesh" in cluster["controllers"] for cluster in clusters.values())
    namespace = draw(st.sampled_from(["svc.local", "a.example.org", "n" * 63 + ".io"]))
    return {
        "eks-cutover:serviceDiscovery": {"namespace": namespace, "services": services},
        "eks-cutover:mesh": {"kind": draw(st.sampled_from(["none", "appMesh"])) if meshed else "none"},
    }
