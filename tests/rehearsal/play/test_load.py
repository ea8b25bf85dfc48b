"""What the clients of a rehearsal ask for, and what they note down."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from rehearsal.cloud.store import Store
from rehearsal.cloud.targets import Target
from rehearsal.play import stackfile
from rehearsal.play.destinations import Destination, destinations
from rehearsal.play.load import Load, Names, ask
from rehearsal.world.alb import Forward
from tests.conftest import ROOT
from tests.rehearsal.stage import BALANCER, DNS_NAME, HOST, NEW, OLD, Stage, eventually, stage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

PROGRAM = ROOT
WEB = Destination("web", HOST, "/")
GRPC = Destination("grpc-api", HOST, "/rehearsal.Echo/Call", grpc=True)


class Route53:
    """A hosted zone with an alias record of a load balancer."""

    def list_hosted_zones(self) -> dict[str, Any]:
        """Answer as boto3 does."""
        return {"HostedZones": [{"Id": "Z1", "Name": "example.com."}]}

    def list_resource_record_sets(self, HostedZoneId: str) -> dict[str, Any]:  # noqa: N803
        """Answer as boto3 does."""
        alias = {"DNSName": f"{DNS_NAME}.", "HostedZoneId": HostedZoneId, "EvaluateTargetHealth": False}
        return {"ResourceRecordSets": [{"Name": f"{HOST}.", "Type": "A", "AliasTarget": alias}]}


def names(store: Store) -> Names:
    return Names(store, Route53())


@asynccontextmanager
async def under_load(setting: Stage, *to: Destination, rate: float = 100) -> AsyncGenerator[Load]:
    """Let a load flow beside the event loop that answers it."""
    load = Load(names(setting.store), to, rate=rate)
    load.__enter__()
    try:
        yield load
    finally:
        await asyncio.to_thread(load.__exit__)


def test_a_name_leads_to_the_https_listener_of_its_load_balancer(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    for key, port in (("80", 1), ("443", 2), ("443|grpc", 3)):
        store.put("endpoint", f"{BALANCER}|{key}", {"address": "127.1.2.3", "port": port, "dnsName": DNS_NAME})
    assert names(store).resolve(HOST, grpc=False) == ("127.1.2.3", 2)
    assert names(store).resolve(HOST, grpc=True) == ("127.1.2.3", 3)
    store.delete("endpoint", f"{BALANCER}|443")
    assert names(store).resolve(HOST, grpc=False) == ("127.1.2.3", 1)


def test_a_name_that_leads_nowhere_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    with pytest.raises(LookupError, match=r"no record www\.example\.org"):
        names(store).resolve("www.example.org", grpc=False)
    with pytest.raises(LookupError, match=r"nothing listens behind app\.example\.com"):
        names(store).resolve(HOST, grpc=False)


def test_no_request_leaves_the_loopback(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite")
    store.put("endpoint", f"{BALANCER}|443", {"address": "192.0.2.1", "port": 80, "dnsName": DNS_NAME})
    with pytest.raises(LookupError, match="stays on the loopback"):
        names(store).resolve(HOST, grpc=False)


def test_clients_ask_for_every_live_route_of_the_stack_files() -> None:
    assert destinations(stackfile.read(PROGRAM, "dev")) == [
        Destination("web", "app.example.com", "/rehearsal", share=4, balancer="public"),
        Destination("grpc-api", "grpc.example.com", "/rehearsal.Echo/Call", grpc=True, balancer="public"),
    ]
    assert destinations(stackfile.read(PROGRAM, "prod")) == [
        Destination("web", "www.example.com", "/rehearsal", share=4, balancer="public"),
        Destination("orders", "orders.example.com", "/rehearsal", share=4, balancer="private"),
    ]
    config = stackfile.read(PROGRAM, "dev")
    config["eks-cutover:routes"]["web"]["live"] = False
    assert [destination.route for destination in destinations(config)] == ["grpc-api"]


def _asked(**routes: dict[str, Any]) -> dict[str, tuple[str, str]]:
    config = {
        "eks-cutover:loadBalancers": {"edge": {"names": ["example.org"]}},
        "eks-cutover:routes": {name: {"priority": at, **route} for at, (name, route) in enumerate(routes.items(), 1)},
    }
    return {to.route: (to.host, to.path) for to in destinations(config)}


def test_clients_ask_for_what_no_earlier_route_answers() -> None:
    api, rest = {"paths": ["/api/*"]}, {"paths": ["/api/v1/*", "/*"]}
    assert _asked(api=api, rest=rest)["rest"] == ("example.org", "/rehearsal")
    one, two = {"hosts": ["a.example.org"]}, {"hosts": ["A.example.org", "b.example.org"]}
    assert _asked(one=one, two=two)["two"] == ("b.example.org", "/rehearsal")


def test_clients_ask_as_a_route_wants_it_and_know_what_the_load_balancer_answers_itself() -> None:
    beta = {"paths": ["/*"], "headers": {"X-Beta": ["y*"]}, "query": [{"key": "v", "value": "2"}], "methods": ["POST"]}
    routes: dict[str, Any] = {
        "old": {"paths": ["/old"], "redirect": {"path": "/new", "code": "302"}},
        "gone": {"paths": ["/gone"], "fixedResponse": {"code": "410"}},
        "beta": {**beta, "sourceCidrs": ["10.1.0.0/16"]},
    }
    config = {
        "eks-cutover:loadBalancers": {"edge": {"names": ["example.org"]}},
        "eks-cutover:routes": {name: {"priority": at, **route} for at, (name, route) in enumerate(routes.items(), 1)},
    }
    old, gone, narrow = destinations(config)
    assert [(one.path, one.expects) for one in (old, gone)] == [("/old", 302), ("/gone", 410)]
    assert (narrow.path, narrow.method, narrow.expects) == ("/rehearsal?v=2", "POST", 0)
    assert narrow.headers == {"X-Beta": "yrehearsal", "X-Rehearsal-Source": "10.1.0.0"}


def test_clients_ask_with_a_session_and_without_one_where_users_log_in() -> None:
    logins: dict[str, dict[str, Any]] = {
        "led": {"oidc": {"sessionCookieName": "Led"}},
        "kept-out": {"cognito": {"onUnauthenticatedRequest": "deny"}},
        "open": {"oidc": {"onUnauthenticatedRequest": "allow"}},
    }
    config = {
        "eks-cutover:loadBalancers": {"edge": {"names": ["example.org"]}},
        "eks-cutover:routes": {
            name: {"priority": at, "paths": [f"/{name}"], "authenticate": login}
            for at, (name, login) in enumerate(logins.items(), 1)
        },
    }
    asked = [(to.route, to.headers.get("Cookie"), to.expects, to.share) for to in destinations(config)]
    assert asked == [
        ("led", "Led-0=rehearsal-session-client", 0, 4),
        ("led", None, 302, 1),
        ("kept-out", "AWSELBAuthSessionCookie-0=rehearsal-session-client", 0, 4),
        ("kept-out", None, 401, 1),
        ("open", "AWSELBAuthSessionCookie-0=rehearsal-session-client", 0, 4),
    ]


def test_a_client_calls_the_service_that_the_route_names() -> None:
    catalog = {"protocolVersion": "GRPC", "paths": ["/shop.Catalog/*"]}
    assert _asked(catalog=catalog)["catalog"] == ("example.org", "/shop.Catalog/rehearsal")


def test_a_route_without_any_name_is_asked_for_by_the_load_balancers_own(tmp_path: Path) -> None:
    config = stackfile.read(PROGRAM, "dev")
    del config["eks-cutover:routes"]["web"]["hosts"]
    config["eks-cutover:loadBalancers"]["public"]["names"] = []
    web = destinations(config)[0]
    store = Store(tmp_path / "store.sqlite")
    for name, address in (("public-1a2b3c-1", "127.1.2.3"), ("private-public-1", "127.1.2.4")):
        endpoint = {"address": address, "port": 1, "dnsName": f"{name}.elb.amazonaws.com"}
        store.put("endpoint", f"{name}|80", endpoint)
    assert names(store).resolve(web.host, grpc=False, balancer=web.balancer) == ("127.1.2.3", 1)


def test_every_answer_is_noted_with_its_step_and_who_gave_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            await setting.routes(Forward(((OLD, 1), (NEW, 1))))
            setting.targets(old=[await setting.pod("v1-35")], new=[await setting.pod("v1-36")])
            async with under_load(setting, WEB) as load:
                load.enter("one")
                await eventually(lambda: {answer.cluster for answer in load.answers} == {"v1-35", "v1-36"})
                load.enter("two")
                await eventually(lambda: load.answers[-1].step == "two")
            assert not [answer for answer in load.answers if answer.failed]
            assert {(answer.cluster, answer.group) for answer in load.answers} == {
                ("v1-35", "web-v1-35"),
                ("v1-36", "web-v1-36"),
            }
            sent = len(load.answers)
            await asyncio.sleep(0.2)
            assert len(load.answers) == sent

    asyncio.run(play())


def test_one_of_four_requests_has_a_new_connection(tmp_path: Path) -> None:
    connections: list[int] = []

    async def note(request: web.BaseRequest) -> web.Response:
        assert request.host == HOST
        assert request.transport
        connections.append(request.transport.get_extra_info("peername")[1])
        return web.Response()

    async def play() -> None:
        runner = web.ServerRunner(web.Server(note))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        store = Store(tmp_path / "store.sqlite")
        port = runner.addresses[0][1]
        store.put("endpoint", f"{BALANCER}|443", {"address": "127.0.0.1", "port": port, "dnsName": DNS_NAME})
        load = Load(names(store), [WEB], rate=200)
        load.__enter__()
        await eventually(lambda: len(connections) >= 100)
        await asyncio.to_thread(load.__exit__)
        await runner.cleanup()

    asyncio.run(play())
    once = sum(connections.count(port) == 1 for port in set(connections))
    assert len(connections) / 5 <= once <= len(connections) / 3


def test_a_lost_request_is_noted_with_what_the_client_saw(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            await setting.routes(Forward(((OLD, 1),)))
            setting.targets(old=[])
            empty = await asyncio.to_thread(ask, names(setting.store), WEB, "empty")
            assert (empty.status, empty.step, empty.cluster, empty.group) == (503, "empty", "", "web-v1-35")
            address, port = names(setting.store).resolve(HOST, grpc=False)
            await setting.balancers.close()
            setting.store.put("endpoint", f"{BALANCER}|443", {"address": address, "port": port, "dnsName": DNS_NAME})
            refused = await asyncio.to_thread(ask, names(setting.store), WEB)
            assert refused.status is None
            assert "ClientConnector" in refused.error
            assert empty.failed
            assert refused.failed

    asyncio.run(play())


def test_a_header_goes_along(tmp_path: Path) -> None:
    seen: list[str] = []

    async def note(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers["X-Cutover-Cluster"])
        return web.Response()

    async def play() -> None:
        async with stage(tmp_path) as setting:
            runner = web.ServerRunner(web.Server(note))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            await setting.routes(Forward(((OLD, 1),)))
            target = Target(OLD, "127.0.0.1", runner.addresses[0][1], state="healthy")
            setting.backends.see({OLD: [target]}, {})
            previewed = Destination("web", HOST, "/", headers={"X-Cutover-Cluster": "v1-36"})
            assert (await asyncio.to_thread(ask, names(setting.store), previewed)).status == 200
            await runner.cleanup()

    asyncio.run(play())
    assert seen == ["v1-36"]


def test_grpc_calls_and_a_long_stream_are_noted(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            await setting.routes(Forward(((OLD, 1),)), grpc=True)
            setting.targets(old=[await setting.pod("v1-35", grpc=True)])
            async with under_load(setting, GRPC, rate=40) as load:
                await eventually(lambda: sum(answer.kind == "stream" for answer in load.answers) > 2)
                await eventually(lambda: sum(answer.kind == "grpc" for answer in load.answers) > 8)
            assert {(answer.status, answer.cluster, answer.group) for answer in load.answers} == {
                (0, "v1-35", "web-v1-35")
            }

    asyncio.run(play())


def test_a_stream_that_a_leaving_pod_ends_is_opened_anew_and_no_failure(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            await setting.routes(Forward(((OLD, 1),)), grpc=True)
            old, new = await setting.pod("v1-35", grpc=True), await setting.pod("v1-36", grpc=True)
            setting.targets(old=[old])
            async with under_load(setting, GRPC, rate=1) as load:
                await eventually(lambda: any(answer.kind == "stream" for answer in load.answers))
                setting.targets(old=[new])
                await old.leave(0)
                await eventually(
                    lambda: any((answer.kind, answer.cluster) == ("stream", "v1-36") for answer in load.answers)
                )
            assert not [answer for answer in load.answers if answer.failed]

    asyncio.run(play())


def test_a_stream_that_breaks_is_a_failure(tmp_path: Path) -> None:
    async def play() -> None:
        async with stage(tmp_path) as setting:
            await setting.routes(Forward(((OLD, 1),)), grpc=True)
            pod = await setting.pod("v1-35", grpc=True)
            setting.targets(old=[pod])
            async with under_load(setting, GRPC, rate=1) as load:
                await eventually(lambda: any(answer.kind == "stream" for answer in load.answers))
                await pod.die()
                await eventually(lambda: any(answer.failed for answer in load.answers if answer.kind == "stream"))

    asyncio.run(play())
