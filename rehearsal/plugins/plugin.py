"""The gRPC side of an emulated provider plugin: properties in, properties out, refusals as the engine shows them.

Owns the protocol between the engine and a plugin (the unknown sentinel, integers, diffs, shutdown). Refuses to own
what any resource type means: that is the provider's, which stays plain Python over plain dictionaries.

Properties are what JSON can say, in camelCase, with whole numbers as ``int``. A value that is not known yet is the
string ``UNKNOWN``. Secrets never reach a provider: a plugin that does not accept them gets plain values, and the
engine marks the outputs that bear the same name as a secret input, a list as a whole. What a provider itself calls a
secret of its inputs is `Sealed`, as the Terraform bridge has it.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from rehearsal.cloud.refused import Props, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNKNOWN: str = rpc.UNKNOWN
MAX_MESSAGE_BYTES = 400 * 1024 * 1024  # what the engine itself allows

_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"  # of the engine's protocol
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")

Kind = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Change:
    """One property that differs, by its path (``actions[0].forward``) and by whether it forces a replacement."""

    path: str
    kind: Kind
    replace: bool = False

    @property
    def root(self) -> str:
        """The top-level property to which the path belongs."""
        return self.path.split(".", 1)[0].split("[", 1)[0]


@dataclass(frozen=True)
class Diff:
    """Every change between what a resource was and what the program wants, and in which order a replacement goes."""

    changes: tuple[Change, ...] = ()
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Resource:
    """A resource as the engine names it. ``id`` is empty until it exists."""

    urn: str
    id: str = ""

    @property
    def type(self) -> str:
        """The type token, such as ``aws:lb/listenerRule:ListenerRule``."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1]

    @property
    def name(self) -> str:
        """The logical name that the program gave."""
        return self.urn.split("::", 3)[3]


class Sealed(str):
    """A text among checked inputs that the engine shall keep as a secret: it alone, and not the list around it."""

    __slots__ = ()


class Provider(Protocol):
    """What a plugin knows of its resources. Every method may raise `Refused`."""

    version: str

    def configure(self, settings: Props) -> None:
        """Take the provider's own configuration, before anything else is asked."""

    def check(self, resource: Resource, olds: Props, news: Props, seed: bytes) -> Props:
        """Return the inputs with their defaults; ``olds`` is empty for a new resource, ``seed`` feeds auto-naming."""
        ...

    def diff(self, resource: Resource, old_inputs: Props, old_state: Props, news: Props) -> Diff:
        """Compare checked inputs with what was there."""
        ...

    def create(self, resource: Resource, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        """Create it; in a preview return an empty id and the state as far as it can be known."""
        ...

    def read(self, resource: Resource, inputs: Props, state: Props) -> tuple[Props, Props] | None:
        """Return (inputs, state) as they are out there, or None when it is gone."""
        ...

    def update(self, resource: Resource, old_inputs: Props, old_state: Props, news: Props, *, preview: bool) -> Props:
        """Change it in place and return its state."""
        ...

    def delete(self, resource: Resource, state: Props) -> None:
        """Delete it. A thing that is gone already is deleted."""

    def invoke(self, token: str, args: Props) -> Props:
        """Answer a function such as ``aws:index/getPartition:getPartition``."""
        ...


def unknown(value: Any) -> bool:
    """Tell whether any part of ``value`` is not known yet."""
    if isinstance(value, dict):
        return any(unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(unknown(part) for part in value)
    return value == UNKNOWN


def compare(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Kind]]:
    """Yield the path of every leaf in which two property trees differ, with the kind of difference."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            where = _joined(path, key)
            if key not in old:
                yield where, "add"
            elif key not in new:
                yield where, "delete"
            else:
                yield from compare(old[key], new[key], where)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            where = f"{path}[{index}]"
            if index >= len(old):
                yield where, "add"
            elif index >= len(new):
                yield where, "delete"
            else:
                yield from compare(old[index], new[index], where)
    elif old != new:
        yield path, "update"


def _joined(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f'{path}["{key}"]'  # as the engine writes a key that would read as a path of its own
    return f"{path}.{key}" if path else key


def nothing_replaces(olds: Props, news: Props) -> set[str]:  # noqa: ARG001
    """Return no setting: whatever changes in the configuration of a provider, its resources stay."""
    return set()


def serve(provider: Provider, replacing_settings: Callable[[Props, Props], set[str]] = nothing_replaces) -> None:
    """Serve ``provider`` to the engine that started this process, until the engine ends it.

    ``replacing_settings`` tells by old and new configuration which changed settings replace the provider, and with it
    all that it made.
    """
    servicer = _Servicer(provider, replacing_settings)
    until_ended(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server), threads=32)


def until_ended(add: Callable[[grpc.Server], object], threads: int) -> NoReturn:
    """Serve what is added to a server, tell its port as the engine reads it, and end with the engine's first signal."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=threads), options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
    )
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ended = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: ended.set())
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    ended.wait()
    server.stop(grace=None)
    # A call that waits for something silent, or a program for an engine that is gone, would keep the process.
    os._exit(0)


_KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return value


def _props(struct: struct_pb2.Struct) -> Props:
    return _whole(json_format.MessageToDict(struct))


def _struct(props: Props) -> struct_pb2.Struct:
    return json_format.ParseDict({key: value for key, value in props.items() if value is not None}, struct_pb2.Struct())


def _sealed(value: Any) -> Any:
    if isinstance(value, Sealed):
        return {_SIGNATURE: _SECRET, "value": str(value)}
    if isinstance(value, dict):
        return {key: _sealed(part) for key, part in value.items()}
    return [_sealed(part) for part in value] if isinstance(value, list) else value


def _answers_refusals(ask: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(ask)
    def answer(self: _Servicer, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return ask(self, request)
        except Refused as refused:
            context.abort(grpc.StatusCode.UNKNOWN, str(refused))

    return answer


class _Servicer(provider_pb2_grpc.ResourceProviderServicer):
    def __init__(self, provider: Provider, replacing_settings: Callable[[Props, Props], set[str]]) -> None:
        self._provider = provider
        self._replacing_settings = replacing_settings

    @_answers_refusals
    def GetPluginInfo(self, request: Any) -> plugin_pb2.PluginInfo:  # noqa: ARG002
        return plugin_pb2.PluginInfo(version=self._provider.version)

    @_answers_refusals
    def Cancel(self, request: Any) -> empty_pb2.Empty:  # noqa: ARG002
        return empty_pb2.Empty()

    @_answers_refusals
    def CheckConfig(self, request: Any) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    @_answers_refusals
    def DiffConfig(self, request: Any) -> provider_pb2.DiffResponse:
        olds, news = _props(request.olds), _props(request.news)
        replacing = self._replacing_settings(olds, news)
        changes = (Change(path, kind) for path, kind in compare(olds, news))
        return _diff_response(Diff(tuple(replace(change, replace=change.root in replacing) for change in changes)))

    @_answers_refusals
    def Configure(self, request: Any) -> provider_pb2.ConfigureResponse:
        self._provider.configure(_props(request.args))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    @_answers_refusals
    def Check(self, request: Any) -> provider_pb2.CheckResponse:
        inputs = self._provider.check(
            Resource(request.urn), _props(request.olds), _props(request.news), request.randomSeed
        )
        return provider_pb2.CheckResponse(inputs=_struct(_sealed(inputs)))

    @_answers_refusals
    def Diff(self, request: Any) -> provider_pb2.DiffResponse:
        return _diff_response(
            self._provider.diff(
                Resource(request.urn, request.id),
                _props(request.old_inputs),
                _props(request.olds),
                _props(request.news),
            )
        )

    @_answers_refusals
    def Create(self, request: Any) -> provider_pb2.CreateResponse:
        made, state = self._provider.create(Resource(request.urn), _props(request.properties), preview=request.preview)
        return provider_pb2.CreateResponse(id=made, properties=_struct(state))

    @_answers_refusals
    def Read(self, request: Any) -> provider_pb2.ReadResponse:
        found = self._provider.read(
            Resource(request.urn, request.id), _props(request.inputs), _props(request.properties)
        )
        if found is None:
            return provider_pb2.ReadResponse(id="")
        inputs, state = found
        return provider_pb2.ReadResponse(id=request.id, inputs=_struct(inputs), properties=_struct(state))

    @_answers_refusals
    def Update(self, request: Any) -> provider_pb2.UpdateResponse:
        state = self._provider.update(
            Resource(request.urn, request.id),
            _props(request.old_inputs),
            _props(request.olds),
            _props(request.news),
            preview=request.preview,
        )
        return provider_pb2.UpdateResponse(properties=_struct(state))

    @_answers_refusals
    def Delete(self, request: Any) -> empty_pb2.Empty:
        self._provider.delete(Resource(request.urn, request.id), _props(request.properties))
        return empty_pb2.Empty()

    @_answers_refusals
    def Invoke(self, request: Any) -> provider_pb2.InvokeResponse:
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(_struct(self._provider.invoke(request.tok, _props(request.args))))
        return response


def _diff_response(diff: Diff) -> provider_pb2.DiffResponse:
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if diff.changes else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=sorted({change.root for change in diff.changes if change.replace}),
        diffs=sorted({change.root for change in diff.changes}),
        deleteBeforeReplace=diff.delete_before_replace,
        hasDetailedDiff=True,
        detailedDiff={
            change.path: provider_pb2.PropertyDiff(kind=_KINDS[change.kind, change.replace], inputDiff=True)
            for change in diff.changes
        },
    )
