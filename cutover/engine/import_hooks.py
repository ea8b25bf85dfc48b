"""`import` at the engine: ids for what is taken over, and hooks that let such an update do nothing else.

No hook fires for an import itself. What would follow one, or stand beside it, is an update or a creation, and each is
refused, in the preview and before the provider is called. Refuses to own the words and what may differ
(cutover/rules/imports.py). Where the file has no ``import``, nothing of this is bound.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import ResourceHook, ResourceHookBinding, ResourceHookOptions, ResourceOptions

from cutover.engine.unsealed import unsealed
from cutover.rules.imports import SAME_AGAIN, beside, differences, refusal, standing, told, without_conditions
from settings.imports import kinds_of

if TYPE_CHECKING:
    from pulumi import ResourceHookArgs, ResourceTransformArgs

    from settings import Settings
    from settings.imports import Import


_TRIES = 10
_BETWEEN_TRIES_SECONDS = 0.2


class NotTakenError(Exception):
    """Something may not be taken over as it stands. The engine shows the text under it, and stops."""


class Imports:
    """What a run takes over, and what it refuses meanwhile.

    ``refused`` are the names of what was refused in this preview, of which nothing else need be asked.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._wanted = settings.import_
        self.refused: set[str] = set()
        self._hooks = self._bound(self._wanted) if self._wanted else None

    def check(self) -> None:
        """Tell what is taken over; end the program, before it declares anything, where the state has other things.

        :raises pulumi.RunError: it has
        """
        if self._wanted is None:
            return
        stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{self._settings.stack}"
        state = _state(stack)
        if found := standing(self._wanted, self._settings.taken_over, list(self._settings.clusters), state):
            raise pulumi.RunError("\n".join(found))
        pulumi.log.warn(told(self._wanted))

    def hooked(self, args: ResourceTransformArgs) -> ResourceOptions | None:
        """Return the id of what is taken over, and what refuses whatever else would be done with it."""
        if self._wanted is None or not args.custom or args.type_.startswith("pulumi:"):
            return None
        identity = self._wanted.ids.get(args.name, "")
        return ResourceOptions(hooks=self._hooks, import_=identity if args.type_ in kinds_of(identity) else None)

    def _bound(self, wanted: Import) -> ResourceHookBinding:
        def before_create(args: ResourceHookArgs) -> None:
            self._refuse(args.name, beside(args.name))

        async def before_update(sealed: ResourceHookArgs) -> None:
            args = await unsealed(sealed)
            live, new = args.old_inputs or {}, args.new_inputs or {}
            identity, tags = wanted.ids.get(args.name, args.id), live.get("tagsAll") or {}
            if lines := differences(identity, live, new):
                shown = without_conditions(lines) if self._settings.preview.secret else lines
                self._refuse(args.name, refusal(args.name, identity, shown, tags, wanted.former_owner))
            else:
                pulumi.log.info(f"{args.name}: {SAME_AGAIN}")

        also_in_previews = ResourceHookOptions(on_dry_run=True)
        return ResourceHookBinding(
            before_create=[ResourceHook("eks-cutover-import-create", before_create, also_in_previews)],
            before_update=[ResourceHook("eks-cutover-import-update", before_update, also_in_previews)],
        )

    def _refuse(self, name: str, why: str) -> None:
        """Stop; a preview goes on, so that it tells of all at once, and fails at its end."""
        if not pulumi.runtime.is_dry_run():
            raise NotTakenError(why)
        pulumi.log.error(why)
        self.refused.add(name)
        # An output that fails ends the program once all registrations have been answered.
        pulumi.Output.from_input(_failed())


def _state(stack: str) -> dict[str, Any]:
    """Return the resources of a stack's state by URN, each with what it had for ``outputs``.

    :raises Exception: the backend could not be read, as the SDK has it
    """
    tries = 0
    while True:
        tries += 1
        try:
            answer = pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {"stackName": stack})
        except Exception as error:
            # A file backend is not read while the engine writes it, which it does for the providers it begins with.
            if tries == _TRIES or "failed to load checkpoint" not in str(error):
                raise
            time.sleep(_BETWEEN_TRIES_SECONDS)
        else:
            return (answer.value or {}).get("outputs") or {}


async def _failed() -> None:
    raise pulumi.RunError("nothing is taken over while something would be changed. Mend what is said above")
