"""`cutover manifests KEY`: the bindings of a cluster, for the repository from which GitOps applies them.

Owns the question, and the comparison with a file that is there. Refuses to own what is in them (rules/manifests.py).
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cutover.aws import bound
from cutover.commands.opened import opened
from cutover.commands.terminal import Code, FolderOption, JsonOption, StackOption, results, say, stop
from cutover.rules import manifests as rules
from settings.bindings import level

if TYPE_CHECKING:
    from cutover.commands.opened import Opened


def manifests(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The cluster, such as blue.")],
    *,
    crd_level: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="The controller's version there, in place of the file's crdLevel: an old one knows fewer fields.",
        ),
    ] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compare with this file, with exit code 1 where it differs.")
    ] = None,
    stack: StackOption = None,
    cwd: FolderOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Print the TargetGroupBindings of a cluster that GitOps applies.

    Changes nothing, and prints the same each time. With --check, for CI, prints what
    differs from a file.

    Example: cutover manifests blue -s prod > clusters/blue/bindings.yaml
    JSON: docs/json.md
    """
    with opened("manifests", cwd, stack, as_json=as_json) as here:
        _check_applied(here, key)
        crd_level = crd_level or here.settings.crd_level(key) or rules.NEWEST
        try:
            version = level(crd_level)
        except ValueError:
            stop(Code.USAGE, f"--crd-level {crd_level} is no version of the controller. Write e.g. {rules.NEWEST}")
        if lacking := rules.unknown(here.settings, key, version):
            stop(
                Code.REFUSED,
                f"a controller of {crd_level} knows no {' and no '.join(lacking)}, and without it nothing of {key} "
                "would be registered in the load balancer's account. Have it upgraded to 2.12 or later",
            )
        vpcs = bound.vpcs(here.settings, here.account)
        documents = rules.bindings(here.settings, key, version, vpcs, _arns(here, key, version))
        text = rules.text(documents)
        difference = _difference(check, text) if check else []
        if as_json:
            here.show({"stack": here.project.stack, "manifests": documents, "difference": difference})
        elif check is None:
            results.print(text, end="", markup=False, highlight=False, soft_wrap=True)
        else:
            for line in difference:
                results.print(line, markup=False, highlight=False, soft_wrap=True)
    if difference:
        say(
            f"{check} is not what the stack file says. Write it anew: cutover manifests {key} -s {here.named} > {check}"
        )
        raise typer.Exit(Code.REFUSED)


def _check_applied(here: Opened, key: str) -> None:
    """End the command for a cluster whose bindings nobody else applies."""
    clusters = here.settings.clusters
    if key not in clusters:
        stop(Code.USAGE, f"there is no cluster {key} in {here.file_name}. There are {', '.join(clusters)}")
    if not clusters[key].named_groups:
        stop(
            Code.USAGE,
            f"the stack applies the bindings of {key} itself, so a second one would be refused. To leave them to "
            f"GitOps: clusters.{key}.bindings: {{applyBy: gitops}}, for a cluster that was made elsewhere",
        )


def _arns(here: Opened, key: str, version: tuple[int, int]) -> dict[str, str]:
    """Return the target group of each route by ARN, where the controller knows no name of one."""
    if rules.names_groups(here.settings, key, version):
        return {}
    found = here.live.find()
    arns = {route: found.group_of(route, key) for route in here.settings.routes}
    if lacking := [route for route, arn in arns.items() if arn is None]:
        stop(
            Code.REFUSED,
            f"the controller of {key} knows a target group by its ARN alone, and AWS has none yet of "
            f"{', '.join(lacking)} for it. Make them first: pulumi up -s {here.named}",
        )
    return {route: arn for route, arn in arns.items() if arn}


def _difference(file: Path, text: str) -> list[str]:
    try:
        there = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        there = ""
    lines = (there.splitlines(), text.splitlines())
    return list(difflib.unified_diff(*lines, str(file), "the stack file", lineterm=""))
