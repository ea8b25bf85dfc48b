"""botocore's models of AWS, megabytes of JSON in thousands of files: found, read and understood once a process.

botocore keeps them for a session or a client, and moto makes a session for each role whose ARN it looks at: four in an
update of two clusters, each of which cost a third of a second. So is what it works out of its own names and handlers,
for each session and each call. Refuses to own what is in them.
"""

from __future__ import annotations

from functools import cache, partial
from inspect import CO_VARKEYWORDS
from typing import TYPE_CHECKING, Any

import boto3
from botocore import hooks, useragent
from botocore.client import ClientCreator
from botocore.hooks import EventAliaser
from botocore.loaders import JSONFileLoader, Loader
from botocore.model import ServiceModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_read = cache(partial(JSONFileLoader.load_file, JSONFileLoader()))
_services: Callable[[Loader, str], list[str]] = Loader.list_available_services
_listed: dict[tuple[str, ...], list[str]] = {}
_name: Callable[[EventAliaser, str], str] = EventAliaser._alias_event_name  # pyright: ignore[reportPrivateUsage]
_clean = cache(useragent.sanitize_user_agent_string_component)
_accepts: Callable[[Any], Any] = hooks.accepts_kwargs  # pyright: ignore[reportPrivateImportUsage]
_named: dict[str, str] = {}
_understood: dict[tuple[str, int], ServiceModel] = {}


def read_once() -> None:
    """Let all sessions and clients of this process share what one of them has read."""
    JSONFileLoader.load_file = _load_file
    Loader.list_available_services = _list_available_services
    useragent.sanitize_user_agent_string_component = _clean
    hooks.accepts_kwargs = _accepts_kwargs
    EventAliaser._alias_event_name = _alias_event_name  # pyright: ignore[reportPrivateUsage]
    ClientCreator._load_service_model = _load_service_model  # pyright: ignore[reportPrivateUsage]


def read_for(services: Iterable[str]) -> None:
    """Read once, and now, what clients of these services need."""
    read_once()
    session = boto3.Session(region_name="us-east-1")
    for service in services:
        # With a key, nobody looks for one in this process's surroundings.
        session.client(service, aws_access_key_id="none", aws_secret_access_key="none")  # pyright: ignore[reportCallIssue, reportArgumentType]


def _load_file(self: JSONFileLoader, file_path: str) -> Any:  # noqa: ARG001
    return _read(file_path)


def _list_available_services(self: Loader, type_name: str) -> list[str]:
    key = (type_name, *self.search_paths)
    if key not in _listed:
        _listed[key] = _services(self, type_name)
    return _listed[key]


def _accepts_kwargs(handler: Any) -> Any:
    """Tell it of a function by a bit, where botocore works out the signature of each of a session's 150 handlers."""
    code = getattr(handler, "__code__", None)
    return code.co_flags & CO_VARKEYWORDS if code else _accepts(handler)


def _alias_event_name(self: EventAliaser, event_name: str) -> str:
    if event_name not in _named:
        _named[event_name] = _name(self, event_name)
    return _named[event_name]


def _load_service_model(self: ClientCreator, service_name: str, api_version: str | None = None) -> ServiceModel:
    described = self._loader.load_service_model(service_name, "service-2", api_version=api_version)  # pyright: ignore[reportPrivateUsage]
    # What was read is kept, so that nothing else gets its identity.
    return _understood.setdefault((service_name, id(described)), ServiceModel(described, service_name=service_name))
