"""A hook on the DNS records that the program makes: one that stands there already ends the preview, not the update.

Owns when that is asked: of a record that the engine would create, and only then, since one that the stack has is its
own whatever somebody has made of it. What cannot be read is not said. Refuses to own the words (rules/records.py).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pulumi import ResourceHook, ResourceHookBinding, ResourceHookOptions, ResourceOptions

from cutover.aws.records import standing
from cutover.aws.session import Sessions, session
from cutover.calls import OutsideError
from cutover.rules.records import taken
from settings.imports import RECORD

if TYPE_CHECKING:
    import boto3
    from pulumi import ResourceHookArgs

    from cutover.engine.binding import Hooked
    from cutover.rules.records import Record
    from settings import Settings


class TakenError(Exception):
    """A name has a record already. The engine shows the text under the record, and ends the preview."""


def records(settings: Settings) -> Hooked:
    """Return what puts the hook on every record that leads clients to a load balancer."""
    asked = RecordHooks(settings)
    also_in_previews = ResourceHookOptions(on_dry_run=True)
    create = ResourceHook("eks-cutover-record-create", asked.before_create, also_in_previews)
    hooks = ResourceOptions(hooks=ResourceHookBinding(before_create=[create]))
    return lambda args: hooks if args.type_ == RECORD and not args.props.get("allowOverwrite") else None


class RecordHooks:
    """What is asked of the records of one run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # One of its own, as the gate has: and a session must not make clients in several threads at once.
        self._thread = ThreadPoolExecutor(1, "records")

    async def before_create(self, args: ResourceHookArgs) -> None:
        """End a run that would make a record where there is one."""
        wanted = args.new_inputs or {}
        zone, name, kind = wanted.get("zoneId"), wanted.get("name"), wanted.get("type")
        if not isinstance(zone, str) or not isinstance(name, str) or not isinstance(kind, str):
            return
        balancer = next((key for key, one in self._settings.own_load_balancers.items() if name in one.records), None)
        if balancer is None:  # it proves the names to ACM, and may stand already
            return
        loop = asyncio.get_running_loop()
        there = await loop.run_in_executor(self._thread, self._standing, balancer, zone, name, kind)
        if there:
            raise TakenError(taken(there))

    def _standing(self, load_balancer: str, zone: str, name: str, kind: str) -> Record | None:
        try:
            return standing(self._account, self._sessions.of_zone(load_balancer), zone, name, kind)
        except (OutsideError, ClientError, BotoCoreError):
            return None

    @cached_property
    def _sessions(self) -> Sessions:
        return Sessions(self._settings, self._account)

    @cached_property
    def _account(self) -> boto3.Session:
        return session(self._settings.aws)
