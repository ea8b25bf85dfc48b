"""What is wrong with names that the program joins from several keys: Pulumi and AWS take each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.aws import account_of
from settings.rules.mistake import Mistake, alike, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from settings.load_balancers import LoadBalancer
    from settings.models import Settings


@as_far_as_known
def name_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield clusters and meshes that would have one name."""
    roles = {key: cluster.role for key, cluster in settings.clusters.items()}
    names = {key: (account_of(role) if role else "", settings.eks_name(key)) for key, role in roles.items()}
    for key, first in alike(names):
        if key in settings.existing_clusters:
            yield Mistake(
                "CUT276",
                f"clusters.{key}.existing.name",
                f"{names[key][1]} is also the cluster of {first}. The bindings of both would have one name there, and "
                "the second would be refused. Keep one of them",
            )
            continue
        yield Mistake(
            "CUT239",
            f"clusters.{key}.name",
            f"{names[key][1]} is also the name of {first} in EKS, which has one cluster of a name. It would refuse the "
            "second halfway through the update. Give each cluster a name of its own",
        )


@as_far_as_known
def joined_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what would have another's name in Pulumi, where names begin with those of clusters and load balancers."""
    inside = {
        "the namespace": {key: settings.namespaces() for key in settings.own_clusters},
        "the virtual node": {key: settings.virtual_nodes() for key in settings.own_clusters},
    }
    for what, names in inside.items():
        each = {key: [(name, name) for name in its] for key, its in names.items()}
        for key, name, _, first, other in _joined_alike(each):
            yield Mistake(
                "CUT240",
                f"clusters.{key}",
                f"{what} {name} would be {key}-{name} in Pulumi, as {what} {other} of {first} is, and a name is taken "
                "once. No preview would end. Give the cluster another letter at its end",
            )
    records = {key: list(_records(balancer)) for key, balancer in settings.own_load_balancers.items()}
    for key, name, record, first, other in _joined_alike(records):
        cure = "Leave one of the two names out" if first == key else "Give the load balancer another key"
        yield Mistake(
            "CUT241",
            f"loadBalancers.{key}.names",
            f"{record} would be {key}-{name} in Pulumi, as {other} of {first} is, and a name is taken once. No preview "
            f"would end. {cure}",
        )


def _records(balancer: LoadBalancer) -> Iterator[tuple[str, str]]:
    """Yield the name behind its key of each record that a load balancer has, and what it is."""
    yield from ((name, name) for name in balancer.records)
    if balancer.certificate_arn is None:
        for domain in dict.fromkeys(name.removeprefix("*.") for name in balancer.names):
            yield f"validation-{domain}", f"the validation of {domain}"


def _joined_alike(
    names: Mapping[str, Iterable[tuple[str, str]]],
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield owner, name and word of what has another's name once it is joined to its owner's, and the other's two.

    ``names`` are, by owner, each name and the word for it.
    """
    seen: dict[str, tuple[str, str]] = {}
    for owner, its in names.items():
        for name, word in its:
            first = seen.setdefault(f"{owner}-{name}", (owner, word))
            if first != (owner, word):
                yield owner, name, word, *first
