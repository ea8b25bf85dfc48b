"""What is wrong with `import` beside the rest of the file: names that nothing has, and one thing under two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.imports import TARGET_GROUP, importable, kinds_of
from settings.partial import UNKNOWN
from settings.rules.mistake import Mistake, alike, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.models import Settings


@as_far_as_known
def import_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield ids under names that the stack has not, ids given twice, and groups that would have to be renamed."""
    ids = _ids(settings)
    there = importable(settings) if ids else set()
    for name, identity in ids.items():
        kinds = kinds_of(identity)
        if there.isdisjoint((kind, name) for kind in kinds):
            yield Mistake(
                "CUT285",
                f"import.ids.{name}",
                f"the stack declares nothing of that name that {identity} could be. The id would be read by nobody, "
                f"and a second one be made beside it. {_cure(there, kinds)}",
            )
    for name, first in alike(ids):
        yield Mistake(
            "CUT286",
            f"import.ids.{name}",
            f"{ids[name]} is the id of {first} too. Both would change one thing, and the deletion of one would take it "
            "from the other. Give each name its own id",
        )
    yield from _renamed(settings, ids)


def _ids(settings: Settings) -> dict[str, str]:
    """Return what is to be imported, as far as it is right itself."""
    ids = settings.import_.ids if settings.import_ else {}
    return {name: identity for name, identity in ids.items() if identity is not UNKNOWN}


def _cure(there: set[tuple[str, str]], kinds: tuple[str, ...]) -> str:
    names = sorted(name for kind, name in there if kind in kinds)
    if not names:
        return "Leave it out, or add the route or load balancer that it belongs to"
    return f"Write it under {' or '.join(names)}, as a preview shows them"


def _renamed(settings: Settings, ids: Mapping[str, str]) -> Iterator[Mistake]:
    for route in settings.routes:
        for cluster in settings.clusters:
            fixed, identity = settings.group_name(route, cluster), ids.get(f"{route}-{cluster}", "")
            if fixed is None or TARGET_GROUP not in kinds_of(identity):
                continue
            if (named := identity.split("/")[1]) != fixed:
                yield Mistake(
                    "CUT287",
                    f"import.ids.{route}-{cluster}",
                    f"its name is {named}, and the group of {route} in {cluster} is named {fixed} for good, since "
                    "gitops applies the binding and finds it by that. ELB renames none, so it would be replaced. Leave "
                    "it out, and move the requests to the new group by weights",
                )
