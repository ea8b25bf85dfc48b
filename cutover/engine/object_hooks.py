"""Hooks on the objects that the program writes into clusters: what the provider's preview hides, and edits by hand.

Owns when that is asked and told: in a preview, and only of objects that it would make or change. What cannot be read is
not said, since the update will. Refuses to own the rules (admission.py, edits.py). Components do not know it: it is
bound by a transform (binding.py). The hooks are of creation and update only, since a program that no longer registers
one of deletion could not delete the object.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi
from botocore.exceptions import BotoCoreError, ClientError
from pulumi import ResourceHook, ResourceHookBinding, ResourceHookOptions, ResourceOptions

from cutover.aws.session import Sessions, session
from cutover.calls import OutsideError, client
from cutover.inside.lists import DEFINITIONS, Inside
from cutover.rules import admission
from cutover.rules.edits import edits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import boto3
    from pulumi import ResourceHookArgs

    from cutover.engine.binding import Hooked
    from cutover.rules.admission import Controller
    from settings import Settings

    _Objects = Sequence[Mapping[str, Any]]

_T = TypeVar("_T")
_NAMESPACE = "kubernetes:core/v1:Namespace"
_CONTROLLERS = {
    "kubernetes:elbv2.k8s.aws/": admission.LOAD_BALANCER,
    "kubernetes:eks.amazonaws.com/": admission.AUTO_MODE,
    "kubernetes:appmesh.k8s.aws/": admission.APP_MESH,
}
_BINDING = ":TargetGroupBinding"
_THREADS = 8


class NotAdmittedError(Exception):
    """The API server would not take an object. The engine shows the text under it, and ends the preview."""


def objects(settings: Settings) -> Hooked:
    """Return what puts the hooks on every object that a webhook lets in, or that somebody can edit."""
    asked = ObjectHooks(settings)
    also_in_previews = ResourceHookOptions(on_dry_run=True)
    hooks = ResourceHookBinding(
        before_create=[ResourceHook("eks-cutover-object-create", asked.before_write, also_in_previews)],
        before_update=[ResourceHook("eks-cutover-object-update", asked.before_write, also_in_previews)],
    )

    opts = ResourceOptions(hooks=hooks)
    return lambda args: opts if args.type_ == _NAMESPACE or _controller(args.type_) else None


class ObjectHooks:
    """What is asked and told of the objects of one run, each cluster once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._listed: dict[tuple[str, str], asyncio.Future[_Objects]] = {}
        # Threads of its own, as the gate has them, and for the same reason.
        self._threads = ThreadPoolExecutor(_THREADS, "objects")
        self._opening = Lock()  # a session must not make clients in several threads at once

    async def before_write(self, args: ResourceHookArgs) -> None:
        """Tell what an update takes back that was edited by hand; end a preview of what would not be let in."""
        for edit in edits(args.old_outputs or {}, args.new_inputs or {}):
            pulumi.log.warn(f"{args.name} was edited by hand: {edit}. To keep that, change the stack file.")
        controller = _controller(args.type)
        if controller and pulumi.runtime.is_dry_run():
            try:
                refusal = await self._refusal(controller, args)
            except OutsideError:
                return
            if refusal:
                raise NotAdmittedError(refusal)

    async def _refusal(self, controller: Controller, args: ResourceHookArgs) -> str:
        """Return why an object would not be let in, or nothing.

        :raises OutsideError: nobody can say
        """
        cluster = _cluster(args.name, self._settings.clusters)
        bindings = self._settings.clusters[cluster].binding_api.path
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{controller.namespace}/endpointslices"
        if controller.service and admission.unanswered(controller, await self._list(cluster, slices)):
            return admission.down(controller, cluster)
        wanted = args.new_inputs or {}
        if args.type.endswith(_BINDING):
            group = wanted["apiVersion"].partition("/")[0]
            definitions = await self._list(cluster, DEFINITIONS, f"targetgroupbindings.{group}")
            if fields := admission.undeclared(wanted, definitions):
                return admission.too_old(cluster, fields, own=self._settings.clusters[cluster].own)
        arn = (wanted.get("spec") or {}).get("targetGroupARN")
        if not isinstance(arn, str):
            return ""
        if names := admission.others(wanted, await self._list(cluster, bindings)):
            return admission.bound_twice(wanted, cluster, names)
        # Of a binding that is there already nobody asks.
        missing = not args.old_outputs and not await self._apart(lambda: self._exists(arn))
        return admission.gone(arn) if missing else ""

    async def _list(self, cluster: str, path: str, named: str = "") -> _Objects:
        """Return a collection of a cluster, or what of it is ``named``, which is read once."""
        if (cluster, path) not in self._listed:
            self._listed[cluster, path] = self._apart(lambda: self._inside(cluster).list(path, named=named))
        return await asyncio.shield(self._listed[cluster, path])

    def _inside(self, cluster: str) -> Inside:
        with self._opening:
            return Inside(self._sessions.of(cluster), self._settings.eks_name(cluster))

    def _exists(self, arn: str) -> bool:
        with self._opening:
            elb = client(self._account, "elbv2")
        try:
            elb.describe_target_groups(TargetGroupArns=[arn])
        except ClientError as error:
            return error.response["Error"]["Code"] != "TargetGroupNotFound"
        except BotoCoreError:
            return True
        return True

    @cached_property
    def _sessions(self) -> Sessions:
        return Sessions(self._settings, self._account)

    @cached_property
    def _account(self) -> boto3.Session:
        return session(self._settings.aws)

    def _apart(self, ask: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, ask)


def _controller(kind: str) -> Controller | None:
    return next((controller for group, controller in _CONTROLLERS.items() if kind.startswith(group)), None)


def _cluster(name: str, keys: Mapping[str, object]) -> str:
    """Return the cluster in whose name an object is: `web-v1-36`, or `v1-36-mesh`."""
    return max((key for key in keys if name.endswith(f"-{key}") or name.startswith(f"{key}-")), key=len)
