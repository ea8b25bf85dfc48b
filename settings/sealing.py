"""Which values of a stack file are secrets: they must be sealed, and no other value may be.

Over what Pulumi hands over, right or wrong: a secret is told before anything else of the file is. Refuses to own how
files tell what is sealed (files.py), and what a secret may be (operation.py, authentication.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from settings import files
from settings.rules.mistake import Mistake

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_AROUND = re.compile(
    r":preview(\.secret\b.*)?$|\.authenticate(\.oidc(\.clientSecret)?)?$"
)  # what is a secret or has one


def of_logins(config: Mapping[str, Any], project: str) -> dict[str, bool]:
    """Return the paths of the secrets of logins, and whether each is given."""
    found: dict[str, bool] = {}
    routes = config.get(f"{project}:routes")
    for name, route in routes.items() if isinstance(routes, dict) else ():
        login = route.get("authenticate") if isinstance(route, dict) else None
        oidc = login.get("oidc") if isinstance(login, dict) else None
        if isinstance(oidc, dict):
            found[f"{project}:routes.{name}.authenticate.oidc.clientSecret"] = "clientSecret" in oidc
    return found


def sealed_paths(
    config: Mapping[str, Any], project: str, marked: Collection[str], inside: Collection[str]
) -> list[str]:
    """Return the paths of what is sealed: ``inside`` are those that files tell, ``marked`` what Pulumi has marked.

    Pulumi marks the keys at the top; where no file tells more, the secrets below such a key are meant.
    """
    told = {_top(path) for path in inside}
    meant = [path for path, given in _secrets(config, project) if given and _top(path) not in told]
    return files.paths_of(marked, [*inside, *meant])


def plain(config: Mapping[str, Any], project: str, sealed: Collection[str]) -> list[Mistake]:
    """Return the secrets that everybody can read who reads the file."""
    return [
        _plain(project, path)
        for path, given in _secrets(config, project)
        if given and not any(_within(path, one) for one in sealed)
    ]


def missing(config: Mapping[str, Any], project: str, sealed: Collection[str]) -> list[Mistake]:
    """Return the secrets that must be there and are not. One that is sealed may be out of reach, and is there."""
    text = (
        "missing (the secret of the client that the identity provider has). ELB would refuse the rule. Write it with "
        "`pulumi config set --secret --path '{path}'`"
    )
    return [
        Mistake("CUT401", path, text.format(path=path))
        for path, given in of_logins(config, project).items()
        if not given and path not in sealed
    ]


def opened(config: Mapping[str, Any], project: str, sealed: Collection[str]) -> list[Mistake]:
    """Return what is sealed and would be shown: in plans, in a pull request's comments, in the state."""
    own = f"{project}:preview"
    preview = config.get(own)
    hidden = {f"{own}.secret", *(path for path, _ in _secrets(config, project))}
    if not isinstance(preview, dict) or list(preview) == ["secret"]:
        hidden.add(own)
    text = (
        f"it is sealed, and only {own}.secret and the clientSecret of a login may be. Plans, comments of pull requests "
        "and the state would show it in plain text. Write it with `pulumi config set --plaintext --path '{path}' VALUE`"
    )
    return [
        Mistake("CUT174", path, text.format(path=path))
        for path in sealed
        if path not in hidden and path.partition(":")[0] in (project, "aws")
    ]


def hides(path: str, sealed: Collection[str]) -> bool:
    """Tell whether a value at ``path`` is sealed or ought to be, or may have something in it that is."""
    if _AROUND.search(path) or (sealed and ":preview." in path):
        return True
    return any(_within(path, one) or _within(one, path) for one in sealed)


def _within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def _plain(project: str, path: str) -> Mistake:
    preview = path == f"{project}:preview.secret"
    who = "could pass the preview rules" if preview else "could log users in as this load balancer does"
    text = (
        f"it stands in the stack file in plain text. Whoever reads the file {who}. Write it with "
        f"`pulumi config set --secret --path '{path}'`"
    )
    return Mistake("CUT171" if preview else "CUT400", path, text)


def _secrets(config: Mapping[str, Any], project: str) -> Iterator[tuple[str, bool]]:
    """Yield the path of every secret, and whether it is given; that of previews only where it is."""
    preview = config.get(f"{project}:preview")
    if isinstance(preview, dict) and "secret" in preview:
        yield f"{project}:preview.secret", True
    yield from of_logins(config, project).items()
