"""`cutover adopt`: what stands in an account that a stack could start from, and the stack file for it.

It runs before there is a stack, and reads alone. Owns the question and the tables. Refuses to own what can be taken
(rules/adoption.py) and the reads (aws/adoption.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.aws.adoption import Adoption
from cutover.aws.session import in_role
from cutover.calls import OutsideError, open_session
from cutover.commands import tables
from cutover.commands.terminal import (
    Code,
    FolderOption,
    JsonOption,
    documented,
    messages,
    results,
    say,
    show_json,
    stop,
)
from cutover.inside.lists import BINDINGS, DEFINITIONS, Inside
from cutover.rules.admission import level_of
from cutover.rules.adoption import NOWHERE, Room, candidates, room, shadows, statement, written
from settings.aws import AssumedRole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import boto3

    from cutover.aws.adoption import Seen
    from cutover.rules.adoption import Behind, Cluster
    from cutover.rules.listener import Listener, Rule

_PARTS = 5  # of a listener's ARN, between its slashes; the third is the load balancer's name
_SHOWN = 50  # load balancers, beyond which a table is no help


def adopt(
    *,
    listener: Annotated[
        str | None,
        typer.Option(metavar="NAME:PORT", help="One listener, by its load balancer's name (my-alb:443), or its ARN."),
    ] = None,
    clusters: Annotated[
        str,
        typer.Option(
            metavar="NAME,NAME",
            help="Clusters by their names in EKS, the one that serves first; NAME=ROLE-ARN of another account.",
        ),
    ] = "",
    region: Annotated[str | None, typer.Option(help="The region, else that of the environment.")] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of the AWS configuration files.")] = None,
    write: Annotated[
        str | None, typer.Option(metavar="STACK", help="Write Pulumi.STACK.yaml for what was found.")
    ] = None,
    cwd: FolderOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Show what stands that a stack could start from: whose it is, and what can be taken.

    Changes nothing in AWS. Without --listener it lists the load balancers. With
    --write it writes a stack file in which every route is at live: false.

    Example: cutover adopt --listener my-alb:443 --clusters blue,green --write prod
    JSON: docs/json.md
    """
    with documented("adopt", as_json=as_json):
        file = _new_file(cwd, write) if write else None
        account = open_session(region_name=region, profile_name=profile)
        if account.region_name is None:
            stop(Code.USAGE, "no region is named. Nothing was read. Add --region, or set AWS_REGION")
        adoption, named = Adoption(account), _named(clusters)
        if listener:
            adoption.listener(*_place(listener))
        else:
            adoption.balancers()
        adoption.clusters(named)
        seen = adoption.seen
        seen.clusters = [_with_level(account, one, named[one.name]) for one in seen.clusters]
        every, left = candidates(seen.listener, seen.groups) if seen.listener else ([], {})
        found = room(seen.listener, every) if seen.listener else Room(NOWHERE, [], {})
        found = replace(found, left={**left, **found.left})
        if as_json:
            show_json("adopt", _document(seen, found))
        else:
            _show(seen, listener, found)
        if file:
            _write(file, account.region_name, seen, found)


def _with_level(account: boto3.Session, cluster: Cluster, role: AssumedRole | None) -> Cluster:
    """Return a cluster with the version of its bindings' CRD, as far as its API can be read from here."""
    if cluster.why:
        return cluster
    try:
        inside = Inside(in_role(account, (role,)) if role else account, cluster.name)
        level = None if inside.silent() else level_of(inside.list(DEFINITIONS, named=BINDINGS))
        return replace(cluster, crd_level=level)
    except OutsideError:
        return replace(cluster, crd_level=None)


def _named(clusters: str) -> dict[str, AssumedRole | None]:
    named = dict[str, AssumedRole | None]()
    for name, _, role in (one.partition("=") for one in clusters.split(",") if one):
        try:
            named[name] = AssumedRole.model_validate({"roleArn": role}) if role else None
        except ValueError:
            stop(
                Code.USAGE,
                f"--clusters {name}={role} names no role. Nothing was read. Write e.g. "
                f"{name}=arn:aws:iam::123456789012:role/reader",
            )
    return named


def _place(listener: str) -> tuple[str, str]:
    parts = listener.split("/")
    if listener.startswith("arn:") and len(parts) == _PARTS:
        return parts[2], listener
    name, _, port = listener.rpartition(":")
    if not name or not port.isdigit():
        stop(Code.USAGE, f"--listener {listener} names no listener. Nothing was read. Write e.g. my-alb:443")
    return name, port


def _new_file(folder: Path, stack: str) -> Path:
    file = folder / f"Pulumi.{stack}.yaml"
    if file.exists():
        stop(Code.USAGE, f"{file} is there already, and stays as it is. Name another stack, or move it away")
    return file


def _write(file: Path, region: str, seen: Seen, found: Room) -> None:
    if seen.listener is None or not found.routes or not seen.clusters:
        lacks = {
            "a listener (--listener NAME:PORT)": seen.listener,
            "a rule that can become a route, and free places before it": found.routes,
            "clusters (--clusters NAME,NAME)": seen.clusters,
        }
        missing = ", ".join(what for what, there in lacks.items() if not there)
        stop(Code.REFUSED, f"Nothing was written, since a stack needs {missing}")
    if seen.listener.kept:
        stop(
            Code.REFUSED,
            f"Nothing was written: {seen.listener.named[0]} is kept by a controller for {seen.listener.kept}, which "
            "deletes every rule that it has not made. Take a listener that no Ingress or Gateway owns",
        )
    if absent := [one.name for one in seen.clusters if one.absent]:
        stop(
            Code.REFUSED,
            f"Nothing was written: EKS has no cluster {', '.join(absent)} there. For one of another account name a "
            f"role of that: --clusters {absent[0]}=arn:aws:iam::ACCOUNT:role/NAME",
        )
    if seen.untagged:
        stop(
            Code.REFUSED,
            "Nothing was written: without DescribeTags nothing tells whether a controller keeps "
            f"{seen.listener.named[0]}. It would delete every rule that it has not made. Have "
            "elasticloadbalancing:DescribeTags granted, and ask again",
        )
    (balancer,), quota = seen.balancers, seen.rule_quota
    file.write_text(written(balancer, seen.listener, found, seen.clusters, region=region, rule_quota=quota))
    say(f"{file} is written. Decide what it says to decide, then: pulumi preview -s {file.suffixes[0][1:]}")


def _show(seen: Seen, listener: str | None, found: Room) -> None:
    if listener and seen.listener is None:
        say(f"There is no listener {listener} here, or it may not be read.", "yellow")
    if not listener and not seen.balancers:
        say("There is no Application Load Balancer here. Start with one of the stack's own: Pulumi.dev.yaml.", "yellow")
    rows = [(one.name, one.scheme, one.vpc, one.owner or "?") for one in seen.balancers]
    if rows:
        tables.show(results, ("load balancer", "scheme", "VPC", "whose"), rows[:_SHOWN], spare=("VPC", "scheme"))
    if len(rows) > _SHOWN:
        say(f"{len(rows) - _SHOWN} more are not shown: --json has them all. Look at one: --listener NAME:PORT")
    if seen.listener:
        names = {one.rule.arn: one.name for one in found.routes}
        rules = [
            (
                "default" if rule.place is None else str(rule.place),
                ", ".join([*rule.hosts, *rule.paths, *rule.besides]) or "all",
                _does(rule, seen.groups),
                rule.owner or "?",
                names.get(rule.arn, "stays"),
            )
            for rule in seen.listener.rules
        ]
        tables.show(results, ("place", "asks for", "does", "whose", "route"), rows=rules, spare=("whose",))
        for text in _notes(seen, seen.listener, found):
            results.print(text, markup=False)
    rows = [(one.name, one.version, one.vpc, one.security_group, one.why or _mode(one)) for one in seen.clusters]
    if rows:
        tables.show(results, ("cluster", "version", "VPC", "security group", "login"), rows, spare=("security group",))
    if seen.denied:
        say("What may not be read is left out. The statement that is missing:", "yellow")
        messages.print(json.dumps(statement(seen.denied), indent=2), markup=False)


def _mode(cluster: Any) -> str:
    return f"{cluster.mode}{', Auto Mode' if cluster.automatic else ''}"


def _does(rule: Rule, groups: Mapping[str, Behind]) -> str:
    if not rule.forwards:
        return rule.instead
    to = [_group(groups.get(arn), arn) for arn in rule.forwards]
    return f"{f'{rule.before}, ' if rule.before else ''}{', '.join(to)}"


def _group(group: Behind | None, arn: str) -> str:
    if group is None:
        return arn
    return group.name if group.healthy is None else f"{group.name} ({group.healthy} of {group.targets} healthy)"


def _notes(seen: Seen, listener: Listener, found: Room) -> Iterator[str]:
    for rule, why in found.left.items():
        yield f"stays: {rule}: {why}"
    if listener.kept:
        yield f"refused for now: a controller keeps it for {listener.kept}, and deletes rules that it has not made"
    if seen.records:
        yield f"records: {', '.join(seen.records)}"
    if found.routes:
        yield f"places: {found.places.first} to {found.places.last} are free, before the rules that answer today"
    else:
        yield "places: none are free before the rules that answer today: have their maker give them higher places"
    for route, rules in shadows(listener, found).items():
        yield f"shadowed: {rules} would answer requests of {route} before it"
    for vpc in (one.vpc for one in seen.balancers):
        for cluster in (one for one in seen.clusters if one.beyond(vpc)):
            yield (
                f"apart: {cluster.name} stands in {cluster.vpc}, and the load balancer in {vpc}: pods are reached by "
                "address, if there is a way between the two, and nodes are not"
            )


def _document(seen: Seen, found: Room) -> dict[str, Any]:
    return {
        "loadBalancers": [asdict(one) for one in seen.balancers],
        "rules": [asdict(rule) for rule in seen.listener.rules] if seen.listener else [],
        "keptBy": seen.listener.kept if seen.listener else "",
        "routes": {one.name: one.rule.arn for one in found.routes},
        "stays": dict(found.left),
        "shadowed": shadows(seen.listener, found) if seen.listener else {},
        "places": {"min": found.places.first, "max": found.places.last} if found.routes else None,
        "ruleQuota": seen.rule_quota,
        "records": seen.records,
        "clusters": [asdict(one) for one in seen.clusters],
        "missingRights": sorted(set(seen.denied)),
    }
