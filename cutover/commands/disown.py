"""`cutover disown [NAME]`: give something back to whoever shall own it, and change nothing in AWS.

Owns the question and the order: the stack file first, since a key that stays would make it all anew. Refuses to own
what goes along (rules/disown.py). Why the state is written, and nothing is deleted under `retain`: ADR 0021.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cutover.commands.opened import opened
from cutover.commands.terminal import Code, FolderOption, JsonOption, StackOption, YesOption, confirm, say, stop
from cutover.rules import disown as rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutover.commands.opened import Opened


_NO_THINGS = ("pulumi:", "eks-cutover:", "eks:index:")  # providers and components


def disown(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A route or a load balancer; left out: all of the stack.")
    ] = None,
    *,
    stack: StackOption = None,
    cwd: FolderOption = Path(),
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give a route, a load balancer or the whole stack away, and leave AWS as it is.

    Groups, rules, records and bindings stand on and serve; the stack forgets them.
    With a load balancer go its routes. No provider is started.

    Example: cutover disown web -s prod
    JSON: docs/json.md
    """
    with opened("disown", cwd, stack, as_json=as_json) as here:
        project = here.project
        with project.alone():
            here.check_settled()
            here.check_free(None)
            keys = _keys(here, name) if name else []
            resources, before = project.resources(), here.settings
            with project.tentative(say) as keep:
                if keys:
                    project.remove(keys)
                urns = rules.given(resources, before, here.reread()) if keys else [one["urn"] for one in resources]
                if not urns:
                    stop(Code.USAGE, f"The state has nothing of {name or here.named}. Nothing was changed")
                say(_told(urns))
                confirm(f"Give {name or f'all of {here.named}'} away?", yes=yes)
                project.forget(urns)
                keep()
        left = f"{here.file_name} has {', '.join(keys)} no more." if keys else f"Then: pulumi stack rm {here.named}"
        say(f"The stack has forgotten {len(urns)} resources, and AWS has them all. {left}")
        if as_json:
            here.show({"stack": project.stack, "name": name, "keys": keys, "given": urns})


def _keys(here: Opened, name: str) -> list[str]:
    keys = rules.keys(here.settings, name)
    if keys is None:
        retire = f". A cluster goes by cutover retire {name}" if name in here.settings.clusters else ""
        there = ", ".join([*here.settings.routes, *here.settings.load_balancers])
        stop(
            Code.USAGE,
            f"There is no route and no load balancer {name} in {here.file_name}{retire}. Nothing was changed. There "
            f"are {there}",
        )
    if len(keys) > 1 and len(here.settings.load_balancers) == 1:
        stop(
            Code.USAGE,
            f"{name} is the only load balancer of {here.file_name}, and a stack needs one. Nothing was changed. To "
            f"give all away: cutover disown -s {here.named}",
        )
    return keys


def _told(urns: Sequence[str]) -> str:
    kinds = Counter(urn.split("::")[2].rpartition("$")[2] for urn in urns)
    things = sorted((kind, count) for kind, count in kinds.items() if not kind.startswith(_NO_THINGS))
    listed = "\n".join(f"  {count} {kind}" for kind, count in things)
    return f"Of these the stack will know nothing any more. They stand as they are, and no tool keeps them:\n{listed}"
