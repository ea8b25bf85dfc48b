"""The emulated ``aws`` provider: the declared types and functions, served to the engine.

Owns the provider's configuration and what is alike for all types: default tags, previews, how an error begins. Refuses
to own the rules of a type, which are declared in a file of its own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import pkgutil
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.refused import Props, Refused
from rehearsal.cloud.session import Aws, AwsError
from rehearsal.plugins import aws
from rehearsal.plugins.aws import functions
from rehearsal.plugins.aws.calls import one_error
from rehearsal.plugins.aws.difference import difference
from rehearsal.plugins.aws.inputs import bare, checked, inputs_as_found, inputs_of_an_import
from rehearsal.plugins.aws.states import aligned, foreseen
from rehearsal.plugins.aws.table import Field, Type
from rehearsal.plugins.plugin import UNKNOWN, Diff, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator


def _declared() -> Iterator[Type]:
    """Yield the type of every file that declares one in the package of a service.

    All are loaded with this module, since plugins are forked from a process that has loaded it.
    """
    for service in pkgutil.iter_modules(aws.__path__, f"{aws.__name__}."):
        if service.ispkg:
            package = importlib.import_module(service.name)
            for file in pkgutil.iter_modules(package.__path__, f"{service.name}."):
                kind = getattr(importlib.import_module(file.name), "TYPE", None)
                if isinstance(kind, Type):
                    yield kind


TYPES = {kind.token: kind for kind in _declared()}
_SETTINGS = frozenset({"region", "profile", "assumeRoles", "allowedAccountIds", "defaultTags", "version"})


class AwsProvider:
    """The provider as the engine configured it."""

    version = importlib.metadata.version("pulumi-aws")

    def __init__(self) -> None:
        self._aws: Aws | None = None

    @property
    def aws(self) -> Aws:
        """The account, once configured."""
        if self._aws is None:
            raise Refused("the aws provider was asked before it was configured")
        return self._aws

    def configure(self, settings: Props) -> None:
        """Take region, default tags and the last role, in whose account all is done; who calls makes no difference."""
        unheard = sorted(key for key in settings if key not in _SETTINGS and not key.startswith("skip"))
        if unheard:
            raise Refused(f"the rehearsal's aws provider knows no setting {', '.join(unheard)}")
        region = settings.get("region") or os.environ.get("AWS_DEFAULT_REGION")
        if not region:
            raise Refused("Missing region configuration: set aws:region for this stack, or `region` on the provider")
        roles: Any = _nested(settings.get("assumeRoles", []))
        role = roles[-1]["roleArn"] if roles else ""
        self._aws = Aws(region, _nested(settings.get("defaultTags", {})).get("tags", {}), role)
        if role:
            try:
                self._aws.ask("sts", "get_caller_identity")
            except AwsError as error:
                raise Refused(f"Cannot assume IAM Role. IAM Role ({role}) cannot be assumed. Error: {error}") from error

    def check(self, resource: Resource, olds: Props, news: Props, seed: bytes) -> Props:
        """Return the inputs with defaults, name and all tags."""
        kind = _type(resource)
        given = {key: value for key, value in news.items() if key != "tagsAll"}
        inputs = checked(kind, resource, olds, given, seed)
        if "tagsAll" in kind.shape:
            tags = inputs.get("tags", {})
            inputs["tagsAll"] = tags if tags == UNKNOWN else {**self.aws.default_tags, **tags}
        return inputs

    def diff(self, resource: Resource, old_inputs: Props, old_state: Props, news: Props) -> Diff:
        """Compare by the shape of the type; an unset region is the provider's."""
        kind = _type(resource)
        wanted = {"region": self.aws.region, **news} if kind.regional else news
        return difference(kind, old_inputs, old_state, wanted)

    def create(self, resource: Resource, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        """Create it and read it back."""
        kind, given = _type(resource), self._with_region(resource, inputs)
        if preview:
            return "", foreseen(kind.shape, {}, given)
        title = f"creating {kind.noun}{f' ({given[kind.named]})' if kind.named in given else ''}"
        try:
            made = kind.create(self.aws, given)
            state = kind.read(self.aws, made, given)
        except AwsError as error:
            raise one_error(f"{title}: {error}") from error
        if state is None:
            raise Refused(f"{title}: it was made as {made}, and cannot be read")
        return made, aligned(kind.shape, given, state)

    def read(self, resource: Resource, inputs: Props, state: Props) -> tuple[Props, Props] | None:
        """Return it as it is out there; without a state, as an import has it."""
        kind = _type(resource)
        try:
            found = kind.read(self.aws, resource.id, state)
        except AwsError as error:
            raise one_error(f"reading {kind.noun} ({resource.id}): {error}") from error
        if found is None:
            return None
        if not state:
            defaults = {name: rules.default for name, rules in kind.shape.items() if rules.default is not None}
            found = {**defaults, **self._with_region(resource, found)}
            return inputs_of_an_import(kind.shape, found), found
        found = aligned(kind.shape, state, found)
        return inputs_as_found(kind.shape, inputs, found), found

    def update(self, resource: Resource, old_inputs: Props, old_state: Props, news: Props, *, preview: bool) -> Props:
        """Change it in place and read it back."""
        kind, given = _type(resource), self._with_region(resource, news)
        if preview:
            return {**foreseen(kind.shape, old_state, given), **dict.fromkeys(kind.moved, UNKNOWN)}
        changed = frozenset(change.root for change in self.diff(resource, old_inputs, old_state, news).changes)
        try:
            if kind.update and changed:
                kind.update(self.aws, resource.id, old_state, given, changed)
            found = kind.read(self.aws, resource.id, {**_outputs(kind, old_state), **given})
        except AwsError as error:
            raise one_error(f"updating {kind.noun} ({resource.id}): {error}") from error
        if found is None:
            raise Refused(f"updating {kind.noun} ({resource.id}): couldn't find resource")
        return aligned(kind.shape, given, found)

    def delete(self, resource: Resource, state: Props) -> None:
        """Delete it."""
        kind = _type(resource)
        try:
            kind.delete(self.aws, resource.id, state)
        except AwsError as error:
            raise one_error(f"deleting {kind.noun} ({resource.id}): {error}") from error

    def invoke(self, token: str, args: Props) -> Props:
        """Answer a data source."""
        function = functions.FUNCTIONS.get(token)
        if function is None:
            raise Refused(f"the rehearsal's aws provider knows no function {token}")
        try:
            return function(self.aws, args)
        except AwsError as error:
            raise Refused(f"invocation of {token} returned an error: {error}") from error

    def _with_region(self, resource: Resource, inputs: Props) -> Props:
        given = bare(inputs)
        return {"region": self.aws.region, **given} if _type(resource).regional else given


def _type(resource: Resource) -> Type:
    kind = TYPES.get(resource.type)
    if kind is None:
        raise Refused(f"the rehearsal's aws provider knows no type {resource.type} (resource '{resource.name}')")
    return kind


def _outputs(kind: Type, state: Props) -> Props:
    """Return what an update does not set: what AWS answers, and what AWS picks."""
    return {name: value for name, value in state.items() if name in kind.shape and _is_kept(kind.shape[name])}


def _is_kept(rules: Field) -> bool:
    return rules.output or rules.computed


def _nested(value: Any) -> Props:
    """Return a nested setting, which the engine hands over as JSON text."""
    if value == UNKNOWN:
        return {}
    return json.loads(value) if isinstance(value, str) else value
