"""What a client of an emulated load balancer gets."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc
import pytest
from aiohttp import web

from rehearsal.cloud.targets import Target
from rehearsal.world.alb import FixedResponse, Forward, Login, Redirect, sticky_cookie
from rehearsal.world.balancer import GROUP_HEADER, SOURCE_HEADER
from rehearsal.world.pods import CLUSTER_HEADER
from rehearsal.world.routing_table import RoutingTable
from tests.rehearsal.stage import DIRECT, HOST, NEW, OLD, Stage, eventually, stage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOTH = Forward(((OLD, 1), (NEW, 1)))


def on_stage(
    **options: Any,
) -> Callable[[Callable[[Stage], Coroutine[Any, Any, None]]], Callable[[Path], None]]:
    """Run a test in an event loop, with a stage of its own."""

    def plays(test: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
        @wraps(test)
        def run(tmp_path: Path) -> None:
            async def play() -> None:
                async with stage(tmp_path, **options) as setting:
                    await test(setting)

            asyncio.run(play())

        del run.__wrapped__  # pytest would look there for what the test takes
        return run

    return plays


async def get(
    setting: Stage, path: str = "/", session: aiohttp.ClientSession | None = None, **options: Any
) -> tuple[int, str, Any]:
    """Return status, body and headers of a request."""
    own = session or aiohttp.ClientSession()
    try:
        method = options.pop("method", "GET")
        url = f"http://{setting.endpoint()}{path}"
        async with own.request(method, url, allow_redirects=False, **options) as answer:
            return answer.status, await answer.text(), answer.headers
    finally:
        if session is None:
            await own.close()


@on_stage()
async def test_an_answer_comes_from_a_pod_and_says_by_which_group(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1), (NEW, 0))))
    setting.targets(old=[await setting.pod("v1-35")], new=[await setting.pod("v1-36")])
    status, body, headers = await get(setting)
    assert (status, body, headers[CLUSTER_HEADER]) == (200, "v1-35\n", "v1-35")
    assert headers[GROUP_HEADER] == "web-v1-35"


@on_stage()
async def test_kept_connections_are_split_request_by_request(setting: Stage) -> None:
    await setting.routes(BOTH)
    setting.targets(old=[await setting.pod("v1-35")], new=[await setting.pod("v1-36")])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as one_connection:
        answers = Counter([(await get(setting, session=one_connection))[1] for _ in range(200)])
    assert set(answers) == {"v1-35\n", "v1-36\n"}
    assert min(answers.values()) > 60  # that a fair coin falls below is one in ten million


@on_stage()
async def test_targets_of_a_group_take_turns(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)))
    setting.targets(old=[await setting.pod("one"), await setting.pod("two")])
    assert [(await get(setting))[1] for _ in range(4)] == ["one\n", "two\n", "one\n", "two\n"]


@on_stage()
async def test_a_change_of_rules_counts_for_a_kept_connection(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)))
    setting.targets(old=[await setting.pod("v1-35")], new=[await setting.pod("v1-36")])
    async with aiohttp.ClientSession() as session:
        assert (await get(setting, session=session))[1] == "v1-35\n"
        await setting.routes(Forward(((NEW, 1),)))
        assert (await get(setting, session=session))[1] == "v1-36\n"


@on_stage()
async def test_an_empty_group_means_503(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)))
    setting.targets(old=[])
    status, _, headers = await get(setting)
    assert (status, headers[GROUP_HEADER]) == (503, "web-v1-35")


@on_stage()
async def test_weights_of_0_mean_503(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 0),)))
    setting.targets(old=[await setting.pod("v1-35")])
    assert (await get(setting))[0] == 503


@on_stage()
async def test_a_dead_pod_means_502_for_new_and_for_kept_connections(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)))
    pod = await setting.pod("v1-35")
    setting.targets(old=[pod])
    assert (await get(setting))[0] == 200
    await pod.die()
    assert [(await get(setting))[0] for _ in range(2)] == [502, 502]


@on_stage()
async def test_what_a_pod_was_answering_when_it_died_is_502(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)))
    pod = await setting.pod("v1-35", delay=30)
    setting.targets(old=[pod])
    asking = asyncio.create_task(get(setting))
    await eventually(lambda: bool(setting.meter.take(NOW, {})))
    await asyncio.sleep(0.1)  # on its way to the pod
    await pod.die()
    assert (await asking)[0] == 502


@on_stage(idle_seconds=0.2)
async def test_a_pod_that_is_too_slow_means_504(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)))
    setting.targets(old=[await setting.pod("v1-35", delay=30)])
    assert (await get(setting))[0] == 504


@on_stage()
async def test_a_failing_pod_is_passed_on_as_it_is(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)))
    setting.targets(old=[await setting.pod("v1-35", error_rate=1)])
    assert (await get(setting))[:2] == (500, "v1-35\n")


@on_stage()
async def test_bodies_and_headers_are_carried_both_ways(setting: Stage) -> None:
    async def echo(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(status=201, headers={"X-Path": request.raw_path, "Content-Encoding": "gzip"})
        for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "Host", "X-Own"):
            answer.headers[f"Seen-{name}"] = request.headers.get(name, "")
        answer.headers["Seen-Source"] = request.headers.get(SOURCE_HEADER, "nothing")
        await answer.prepare(request)
        async for part in request.content.iter_any():
            await answer.write(part)
        return answer

    runner = web.ServerRunner(web.Server(echo))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    await setting.routes(Forward(((OLD, 1),)))
    setting.backends.see({OLD: [Target(OLD, "i-0123456789", port, state="healthy")]}, {"i-0123456789": "127.0.0.1"})
    sent = os.urandom(300_000)
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.post(
            f"http://{setting.endpoint()}/a%2Fb?x=%20y",
            data=sent,
            headers={"Host": HOST, "X-Own": "kept", SOURCE_HEADER: "203.0.113.9"},
        ) as answer,
    ):
        assert await answer.read() == sent
        seen = answer.headers
    await runner.cleanup()
    assert answer.status == 201
    assert seen["X-Path"] == "/a%2Fb?x=%20y"
    assert (seen["Content-Encoding"], seen["Seen-Host"], seen["Seen-X-Own"]) == ("gzip", HOST, "kept")
    assert seen["Seen-X-Forwarded-For"] == "203.0.113.9"
    assert (seen["Seen-X-Forwarded-Proto"], seen["Seen-X-Forwarded-Port"]) == ("https", "443")
    assert seen["Seen-Source"] == "nothing"


@on_stage()
async def test_an_answer_that_breaks_off_breaks_off_for_the_client_too(setting: Stage) -> None:
    async def half(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()  # chunked: where an end could be taken for the end
        await answer.prepare(request)
        await answer.write(b"half")
        assert request.transport
        request.transport.close()
        return answer

    runner = web.ServerRunner(web.Server(half))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await setting.routes(Forward(((OLD, 1),)))
    setting.backends.see({OLD: [Target(OLD, "127.0.0.1", runner.addresses[0][1], state="healthy")]}, {})
    with pytest.raises(aiohttp.ClientPayloadError):
        await get(setting)
    await runner.cleanup()


LOGIN = Login("https://login.example.com/a", "shop", "openid", "Shop", "authenticate")
SESSION_OF_ANN = {"Cookie": "Shop-0=rehearsal-session-ann"}


@on_stage()
async def test_who_has_not_logged_in_reaches_no_pod(setting: Stage) -> None:
    pod = await setting.pod("v1-35")
    await setting.routes(Forward(((OLD, 1),)), login=LOGIN)
    setting.targets(old=[pod])
    status, body, headers = await get(setting, "/a?b=c", headers={"Host": f"{HOST}:443"})
    assert (status, body) == (302, "HTTP 302 of the load balancer\n")
    assert headers["Location"].startswith("https://login.example.com/a?client_id=shop&")
    assert f"redirect_uri=https%3A%2F%2F{HOST}%2Foauth2%2Fidpresponse&" in headers["Location"]
    assert CLUSTER_HEADER not in headers
    async with grpc.aio.insecure_channel(setting.endpoint("|grpc"), DIRECT) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="HTTP 302 of the load balancer"):
            await channel.unary_unary("/a.B/c")(b"")
    assert (await get(setting, headers=SESSION_OF_ANN))[:2] == (200, "v1-35\n")
    await setting.routes(Forward(((OLD, 1),)), login=replace(LOGIN, otherwise="deny"))
    status, _, headers = await get(setting)
    assert (status, "Location" in headers) == (401, False)
    await setting.routes(Forward(((OLD, 1),)), login=replace(LOGIN, otherwise="allow"))
    assert (await get(setting))[0] == 200


@on_stage()
async def test_targets_are_told_who_has_logged_in_and_not_what_a_client_says_of_itself(setting: Stage) -> None:
    async def who(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.headers.get("x-amzn-oidc-identity", "nobody"))

    runner = web.ServerRunner(web.Server(who))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    setting.backends.see({OLD: [Target(OLD, "127.0.0.1", runner.addresses[0][1], state="healthy")]}, {})
    await setting.routes(Forward(((OLD, 1),)), login=replace(LOGIN, otherwise="allow"))
    forged = {"X-Amzn-Oidc-Identity": "mallory"}
    assert (await get(setting, headers={**SESSION_OF_ANN, **forged}))[1] == "ann"
    assert (await get(setting, headers=forged))[1] == "nobody"
    await setting.routes(Forward(((OLD, 1),)))  # where nobody is asked, whoever says so is believed
    assert (await get(setting, headers=forged))[1] == "mallory"
    await runner.cleanup()


@on_stage()
async def test_a_fixed_response_and_a_redirect_ask_no_pod(setting: Stage) -> None:
    await setting.routes(FixedResponse(404, "text/plain", "No route"))
    assert (await get(setting))[:2] == (404, "No route")
    await setting.routes(Redirect(301, "HTTPS", "#{host}", "443", "/#{path}", "#{query}"))
    status, _, headers = await get(setting, "/a?b=c", headers={"Host": f"{HOST}:80"})
    assert (status, headers["Location"]) == (301, f"https://{HOST}:443/a?b=c")


@on_stage()
async def test_a_sticky_rule_keeps_a_client_against_the_weights(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 0), (NEW, 1)), sticky=60))
    setting.targets(old=[await setting.pod("v1-35")], new=[await setting.pod("v1-36")])
    cookie = sticky_cookie(OLD, 4e9)
    status, body, headers = await get(setting, headers={"Cookie": f"AWSALBTG={cookie}"})
    assert (status, body) == (200, "v1-35\n")
    assert headers["Set-Cookie"].startswith("AWSALBTG=")
    assert (await get(setting))[1] == "v1-36\n"


@on_stage()
async def test_http_to_a_grpc_group_is_464(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)), grpc=True)
    setting.targets(old=[await setting.pod("v1-35", grpc=True)])
    assert (await get(setting))[0] == 464


@on_stage()
async def test_a_grpc_call_is_carried_with_its_metadata(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)), grpc=True)
    setting.targets(old=[await setting.pod("v1-35", grpc=True)])
    code, body, said = await setting.call()
    assert (code, body) == (grpc.StatusCode.OK, b"v1-35")
    assert (said[CLUSTER_HEADER], said[GROUP_HEADER]) == ("v1-35", "web-v1-35")


@on_stage()
async def test_a_grpc_failure_of_a_pod_is_passed_on_as_it_is(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)), grpc=True)
    setting.targets(old=[await setting.pod("v1-35", grpc=True, error_rate=1)])
    code, _, said = await setting.call()
    assert (code, said[CLUSTER_HEADER]) == (grpc.StatusCode.INTERNAL, "v1-35")
    data = setting.meter.take(NOW, {})
    assert {point["MetricName"] for point in data} == {
        "RequestCount",
        "RequestCountPerTarget",
        "HTTPCode_Target_2XX_Count",  # as at AWS: a gRPC failure is an HTTP 200
        "TargetResponseTime",
    }


@on_stage()
async def test_a_pod_that_calls_itself_unavailable_is_no_error_of_the_load_balancer(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)), grpc=True)
    setting.targets(old=[await setting.pod("v1-35", grpc=True, health="fail")])
    code, _, said = await setting.call("/grpc.health.v1.Health/Check")
    assert (code, said[CLUSTER_HEADER]) == (grpc.StatusCode.UNAVAILABLE, "v1-35")
    assert "HTTPCode_ELB_5XX_Count" not in {point["MetricName"] for point in setting.meter.take(NOW, {})}


@on_stage()
async def test_grpc_to_a_dead_pod_or_an_empty_group_is_unavailable(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1),)), grpc=True)
    pod = await setting.pod("v1-35", grpc=True)
    setting.targets(old=[pod])
    assert (await setting.call())[0] is grpc.StatusCode.OK
    await pod.die()
    code, _, said = await setting.call()
    assert (code, said[GROUP_HEADER]) == (grpc.StatusCode.UNAVAILABLE, "web-v1-35")
    setting.targets(old=[])
    assert (await setting.call())[0] is grpc.StatusCode.UNAVAILABLE


@on_stage()
async def test_grpc_without_a_route_is_unimplemented(setting: Stage) -> None:
    await setting.routes(FixedResponse(404))
    assert (await setting.call())[0] is grpc.StatusCode.UNIMPLEMENTED


@on_stage()
async def test_a_stream_stays_where_it_began(setting: Stage) -> None:
    await setting.routes(Forward(((OLD, 1), (NEW, 0))), grpc=True)
    setting.targets(old=[await setting.pod("v1-35", grpc=True)], new=[await setting.pod("v1-36", grpc=True)])
    async with grpc.aio.insecure_channel(setting.endpoint("|grpc"), DIRECT) as channel:
        stream = channel.unary_stream("/a.B/Stream")(b"", metadata=(("host", HOST),))
        assert await stream.read() == b"v1-35"
        await setting.routes(Forward(((OLD, 0), (NEW, 1))), grpc=True)
        setting.targets(new=setting.pods[1:])
        assert (await setting.call())[1] == b"v1-36"
        for _ in range(3):
            assert await stream.read() == b"v1-35"


@on_stage(protocol="HTTP")
async def test_only_an_https_listener_takes_grpc(setting: Stage) -> None:
    await setting.routes(BOTH)
    assert len(setting.store.all("endpoint")) == 1
    await setting.balancers.apply(RoutingTable())
    assert setting.store.all("endpoint") == {}
