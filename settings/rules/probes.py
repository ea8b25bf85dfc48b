"""What is wrong between a probe and its route: it would be asked of nobody, of another route, or prove nothing."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from settings.conditions import covers
from settings.rules.mistake import Mistake, as_far_as_known

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from settings.models import Settings
    from settings.probes import Probe
    from settings.routes import Route


@dataclass(frozen=True)
class _Request:
    """What a probe asks for, as a pattern that one request matches."""

    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    narrows: Collection[str]


@as_far_as_known
def probe_mistakes(settings: Settings) -> Iterator[Mistake]:
    """Yield what is wrong with the probes of each route."""
    for name, route in settings.routes.items():
        for place, probe in enumerate(route.probes):
            where = f"routes.{name}.probes[{place}]"
            yield from _own_mistakes(where, route, probe)
            yield from _request_mistakes(settings, name, probe, where)


@as_far_as_known
def _own_mistakes(where: str, route: Route, probe: Probe) -> Iterator[Mistake]:
    grpc = route.protocol_version == "GRPC"
    if grpc and (probe.path is not None or probe.expect is not None):
        yield Mistake(
            "CUT424",
            where,
            "path and expect belong to HTTP, and the route speaks gRPC, whose health protocol has a method and an "
            "answer of its own. What they say would be ignored. Leave them out, and write at most host and service",
        )
    if not grpc and (probe.path is None or probe.service is not None):
        yield Mistake(
            "CUT430",
            where,
            f"{'path is missing' if probe.path is None else 'service belongs to gRPC'}, and the route speaks HTTP. "
            "Nobody would know what is asked for. Write a path, such as /healthz, and no service",
        )
    if not grpc and not probe.proves:
        yield Mistake(
            "CUT425",
            f"{where}.expect",
            f"{probe.codes} holds 404, or codes outside of 200 to 499. A gateway that knows nothing behind it answers "
            "so, and the probe would prove nothing. Ask for a path that answers with another code",
        )
    if route.authenticate and route.authenticate.keeps_out:
        yield Mistake(
            "CUT431",
            where,
            "the users of the route log in, and who asks a probe does not. The login would answer it, and no cluster "
            "would ever get a share. Give a path of its own, without a login, a route with this probe",
        )
    if not route.harmless and not grpc:
        yield Mistake(
            "CUT426",
            where,
            f"the route takes {', '.join(route.methods)} alone, and a probe is a GET or a HEAD, which change no data. "
            "It would be asked of another route, or of none. Leave the probes of this route out",
        )


@as_far_as_known
def _request_mistakes(settings: Settings, name: str, probe: Probe, where: str) -> Iterator[Mistake]:
    route, balancer = settings.routes[name], settings.load_balancers.get(settings.load_balancer_of(name))
    grpc = route.protocol_version == "GRPC"
    host = probe.host_of(route, tuple(balancer.names) if balancer else ())
    if host is None:
        told = ", ".join(route.hosts or (balancer.names if balancer else ()))
        yield Mistake(
            "CUT427",
            f"{where}.host",
            f"missing, and the route has {told}. Nothing tells which of them to ask for. Write one that clients use",
        )
        return
    path, _, query = probe.path_of(grpc=grpc).partition("?")
    request = _Request((host,) if host else (), (path,), route.narrows)
    if not covers(route, request) or not _asked(route, query):
        yield Mistake(
            "CUT428",
            where,
            f"{host}{path}{f'?{query}' if query else ''} is no request that the route takes. Its preview rule would "
            "not be asked, and another rule would answer. "
            + (f"Add {path} to the route's paths, or leave the probe out" if grpc else "Write one that it takes"),
        )
        return
    before = [
        other
        for other, one in settings.routes.items()
        if settings.load_balancer_of(other) == settings.load_balancer_of(name)
        and one.priority < route.priority
        and covers(one, request)
    ]
    if before:
        yield Mistake(
            "CUT429",
            where,
            f"{host}{path} is a request of {before[0]}, which comes before {name}. The preview rule of that would "
            f"answer it. Write one that {name} is asked for, or give {before[0]} the probe",
        )


def _asked(route: Route, query: str) -> bool:
    """Tell whether a query has one of the parts that a route asks for; ELB has no regard to case here."""
    pairs = [(key.lower(), value.lower()) for key, value in parse_qsl(query, keep_blank_values=True)]
    wanted = [((one.key or "*").lower(), one.value.lower()) for one in route.query]
    return not wanted or any(
        fnmatchcase(key, of) and fnmatchcase(value, like) for key, value in pairs for of, like in wanted
    )
