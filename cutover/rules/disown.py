"""What a stack gives away without a change in AWS: a route, a load balancer, or all that it has.

Pure, over resources as `pulumi stack export` has them. Owns what goes along: nothing in the state may rest on what is
no longer there. Refuses to write it (cutover/engine/project.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings.imports import INGRESS_RULE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from settings import Settings

    Resource = Mapping[str, Any]

_ROUTES = ("eks-cutover:route:Route", "eks-cutover:answer:Answer")
_LOAD_BALANCER = ("eks-cutover:load_balancer:SharedLoadBalancer", "eks-cutover:existing_listener:ExistingListener")

_NAMESPACE = "kubernetes:core/v1:Namespace"


def keys(settings: Settings, name: str) -> list[str] | None:
    """Return the keys of the stack file that go with a route or a load balancer; None where there is none so named."""
    if name in settings.matched:
        return [f"routes.{name}"]
    if name in settings.load_balancers:
        on_it = [route for route in settings.matched if settings.load_balancer_of(route) == name]
        return [f"loadBalancers.{name}", *(f"routes.{route}" for route in on_it)]
    return None


def given(resources: Sequence[Resource], before: Settings, after: Settings) -> list[str]:
    """Return the URNs of what stands for routes and load balancers that a stack file has no more, in order.

    With them goes all that rests on them, and what the next update would delete since it was made for them alone: ways
    into a cluster, and Kubernetes namespaces.
    """
    heads = {*_components(before, after), *_namespaces(before, after)}
    ways = _ways(before, after)
    gone: set[str] = set()
    so_far = -1
    while len(gone) > so_far:
        so_far = len(gone)
        for one in resources:
            name = one["urn"].rpartition("::")[2]
            way = one["type"] == INGRESS_RULE and any(name.startswith(key) and name.endswith(end) for key, end in ways)
            if way or (one["type"], name) in heads or not gone.isdisjoint(_needs(one)):
                gone.add(one["urn"])
    return [one["urn"] for one in resources if one["urn"] in gone]


def without(deployment: Mapping[str, Any], urns: Sequence[str]) -> dict[str, Any]:
    """Return a state without some resources."""
    left = [one for one in deployment["resources"] if one["urn"] not in set(urns)]
    return {**deployment, "resources": left}


def _components(before: Settings, after: Settings) -> Iterator[tuple[str, str]]:
    for name in before.matched.keys() - after.matched.keys():
        yield from ((kind, name) for kind in _ROUTES)
    for name in before.load_balancers.keys() - after.load_balancers.keys():
        yield from ((kind, name) for kind in _LOAD_BALANCER)


def _namespaces(before: Settings, after: Settings) -> Iterator[tuple[str, str]]:
    for name in before.namespaces().keys() - after.namespaces().keys():
        yield from ((_NAMESPACE, f"{key}-{name}") for key in before.own_clusters)


def _ways(before: Settings, after: Settings) -> list[tuple[str, str]]:
    """Return how the names begin and end of security group rules (components/access.py) that only these needed."""
    return [
        (key, f"-from-{balancer}-{first}-{last}")
        for key in before.clusters
        for balancer in before.load_balancers
        for first, last in before.target_ports(balancer, key).keys() - after.target_ports(balancer, key).keys()
    ]


def _needs(resource: Resource) -> Iterator[str]:
    """Yield the URNs that a resource cannot be without."""
    yield from (resource[field] for field in ("parent", "deletedWith") if resource.get(field))
    yield resource.get("provider", "").rpartition("::")[0]
    yield from resource.get("dependencies") or ()
    for urns in (resource.get("propertyDependencies") or {}).values():
        yield from urns or ()
