"""What is asked through preview rules, and that nobody is taken for a cluster who is not the one that was meant."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import grpc
import pytest

from cutover.aws import previews
from cutover.rules.account import Account
from cutover.rules.facts import Answer
from cutover.rules.found import Found, TargetGroup
from cutover.rules.probes import seen, unasked, wrong
from cutover.rules.verdict import Unread
from rehearsal.cloud.kubernetes.api_server import certificate
from settings.matching import HEALTH_METHOD, Query
from tests.cutover.api_server import ApiServer, serving
from tests.rehearsal.emulated import POLL_SECONDS, REGION
from tests.settings.editing import settings_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from settings import Settings

OLD, NEW = "v1-35", "v1-36"
SECRET = "opensesame-opensesame"


class _Elb:
    """ELB with one load balancer, whose every group has a preview rule that takes ``value`` of the preview header."""

    def __init__(self, settings: Settings, place: str, value: str, sources: list[str], scheme: str) -> None:
        self._settings, self._place, self._value, self._sources, self._scheme = settings, place, value, sources, scheme
        self.asked = 0

    def describe_target_groups(self, **asked: Any) -> Any:
        self.asked += 1
        groups = asked["TargetGroupArns"]
        return {"TargetGroups": [{"TargetGroupArn": arn, "LoadBalancerArns": ["balancer"]} for arn in groups]}

    def describe_load_balancers(self, **_: Any) -> Any:
        self.asked += 1
        return {"LoadBalancers": [{"DNSName": self._place, "Scheme": self._scheme}]}

    def get_paginator(self, call: str) -> _Elb:
        self._call = call
        return self if call == "describe_listeners" else _Rules(**vars(self))

    def paginate(self, **_: Any) -> Any:
        return [{"Listeners": [{"ListenerArn": "listener"}]}]


class _Rules(_Elb):
    def __init__(self, **known: Any) -> None:
        vars(self).update(known)

    def paginate(self, **_: Any) -> Any:
        conditions: list[Any] = [
            {"HttpHeaderConfig": {"HttpHeaderName": self._settings.preview.header, "Values": [self._value]}}
        ]
        conditions += [{"SourceIpConfig": {"Values": self._sources}}] if self._sources else []
        groups = [f"{route}-{NEW}" for route in self._settings.routes]
        forward = [{"Type": "forward", "TargetGroupArn": group} for group in groups]
        return [{"Rules": [{"Conditions": conditions, "Actions": [one]} for one in forward]}]


class _Session(boto3.Session):
    def __init__(self, elb: _Elb) -> None:
        super().__init__("somebody", "somebody", region_name=REGION)
        self._elb = elb

    def client(self, *_: Any, **__: Any) -> Any:
        return self._elb


def _asks(
    settings: Settings, place: str, *, value: str = NEW, sources: list[str] | None = None, scheme: str = "internal"
) -> previews.Previews:
    groups = {
        f"{route}-{cluster}": TargetGroup(f"{route}-{cluster}", route, cluster, checked=True)
        for route in settings.routes
        for cluster in (OLD, NEW)
    }
    session = _Session(_Elb(settings, place, value, sources or [], scheme))
    return previews.Previews(session, Account(settings, Found({}, groups, None), {}, {}), NEW)


def test_a_load_balancer_is_read_once_for_all_its_routes() -> None:
    settings = _plain()
    elb = _Elb(settings, "127.0.0.1:9", NEW, [], "internal")
    groups = {f"{route}-{NEW}": TargetGroup(f"{route}-{NEW}", route, NEW, checked=True) for route in settings.routes}
    previews.Previews(_Session(elb), Account(settings, Found({}, groups, None), {}, {}), NEW).answers()
    assert len(settings.routes) == elb.asked == 2  # its groups, and itself


def _plain(**changes: Any) -> Settings:
    """Return the prod stack with a load balancer that speaks HTTP, and probes of web."""
    probes = [{"host": "www.example.com", "path": "/account?of=me", "expect": "200,302"}]
    return settings_of(
        "prod",
        {
            "loadBalancers.public": {"scheme": "internet-facing"},
            "routes.web.hosts": ["www.example.com"],
            "routes.web.probes": probes,
            **{key.replace("__", "."): value for key, value in changes.items()},
        },
    )


@contextmanager
def _answering(status: int) -> Generator[tuple[str, list[tuple[str, str, str, str]]]]:
    """Yield the place of a load balancer, and method, host, path and preview header of every request to it."""
    asked: list[tuple[str, str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.command, self.headers["Host"], self.path, self.headers["X-Cutover-Cluster"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: Any, **__: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=partial(server.serve_forever, POLL_SECONDS), daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("changes", "names", "asked"),
    [
        ({}, ("www.example.com",), ("www.example.com", "/healthz")),
        ({"hosts": ("*.example.com",)}, (), ("preview.example.com", "/healthz")),
        ({"paths": ("/api/*",)}, (), ("", "/api/")),
        ({"paths": ("/healthz", "/api/*")}, (), ("", "/healthz")),
        ({"query": (Query.model_validate({"value": "beta*"}),)}, (), ("", "/healthz?preview=beta")),
    ],
)
def test_the_request_is_one_that_the_route_serves(changes: Any, names: tuple[str, ...], asked: tuple[str, str]) -> None:
    route = _plain().routes["web"].model_copy(update={"hosts": (), "paths": (), **changes})
    assert previews.asked_of(route, names) == asked


def test_the_request_has_the_headers_that_the_route_asks_for() -> None:
    route = _plain().routes["web"].model_copy(update={"headers": {"X-Beta": ("y*s", "no")}})
    assert route.sent == {"X-Beta": "ys"}


def test_a_route_without_probes_is_asked_once_for_its_health_check_by_host_header_and_secret() -> None:
    settings = _plain(preview__secret=SECRET, routes__web__probes=[])
    with _answering(200) as (place, asked):
        answers = _asks(settings, place, value=f"{NEW}.{SECRET}").answers()
    assert Answer("web", "http://www.example.com/healthz", 200) in answers
    assert ("GET", "www.example.com", "/healthz", f"{NEW}.{SECRET}") in asked


def test_probes_are_asked_in_its_place_and_what_they_expect_is_well() -> None:
    failure = "GET http://www.example.com/account?of=me is answered with 404 in place of 200,302"
    for status, failed in ((302, []), (404, [failure])):
        with _answering(status) as (place, asked):
            answers = _asks(_plain(), place).probes(["web", "orders"])
        assert asked == [("GET", "www.example.com", "/account?of=me", NEW)]
        assert wrong(answers) == failed
        assert seen(answers) == {"web": "".join(failed)}


def test_whoever_is_told_to_ask_is_told_where_the_secret_belongs_and_not_the_secret() -> None:
    for secret, value in ((None, NEW), (SECRET, f"{NEW}.SECRET")):
        settings = settings_of("dev", {"preview": {"secret": secret} if secret else {}})
        answers = _asks(settings, "127.0.0.1:9", value=f"{NEW}.{secret}" if secret else NEW).answers()
        (answer,) = [one for one in answers if one.route == "grpc-api"]
        assert isinstance(answer.status, Unread)
        assert f"-H 'X-Cutover-Cluster: {value}'" in answer.status.cure
        (other,) = [one for one in _asks(settings, "127.0.0.1:9", value="v1-37").answers() if one.route == "web"]
        assert SECRET not in str(other.status)


def test_no_request_is_sent_that_may_change_data() -> None:
    with _answering(200) as (place, asked):
        (answer,) = [
            one for one in _asks(_plain(routes__orders__methods=["DELETE"]), place).answers() if one.route == "orders"
        ]
        assert str(answer.status) == "it takes DELETE alone, which may change data"
        _asks(_plain(routes__web__methods=["HEAD"], routes__web__paths=[]), place).probes(["web"])
    assert [method for method, *_ in asked] == ["GET", "HEAD"]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"value": f"{NEW}.another-secret-in-aws"}, "no preview rule there takes X-Cutover-Cluster: v1-36"),
        ({"value": "v1-35"}, "so another cluster would answer"),
        ({"sources": ["203.0.113.0/24"]}, "lets in 203.0.113.0/24, and this machine asks from 127.0.0.1"),
        (
            {"sources": ["203.0.113.0/24"], "scheme": "internet-facing"},
            "by which address this machine comes there is not known: another cluster may have answered",
        ),
        ({"sources": ["203.0.113.0/24", "127.0.0.0/8"]}, ""),
    ],
)
def test_what_the_preview_rule_does_not_take_another_cluster_would_answer_so_it_is_not_taken_for_an_answer(
    how: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The port belongs to the place here, and no name resolves.
    monkeypatch.setattr(previews, "address_towards", lambda _: "127.0.0.1")
    with _answering(200) as (place, asked):
        answers = _asks(_plain(), place, **how).probes(["web"])
    assert wrong(answers) == []
    if not why:
        assert seen(answers) == {"web": ""}
        return
    assert why in unasked(answers)[0]
    assert seen(answers) == {}
    assert bool(asked) is ("sources" in how)


def test_who_is_out_of_reach_has_seen_nothing_and_who_is_silent_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = _asks(_plain(), "127.0.0.1:9").probes(["web"])
    assert (wrong(answers), seen(answers), len(unasked(answers))) == ([], {}, 1)
    monkeypatch.setattr("cutover.web._TIMEOUT", 0.2)
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:
        answers = _asks(_plain(), f"127.0.0.1:{silent.server_port}").probes(["web"])
    assert "is answered with nothing for 10 s in place of 200,302" in wrong(answers)[0]


def test_over_tls_the_certificate_is_asked_for_and_checked_by_the_hosts_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(ApiServer(host="www.example.com"), tmp_path) as balancer:
        authority = tmp_path / "authority.pem"
        authority.write_bytes(balancer.authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        answers = _asks(settings_of("prod"), balancer.url.removeprefix("https://")).answers()
    by_route = {answer.route: answer for answer in answers}
    assert by_route["web"] == Answer("web", "https://www.example.com/healthz", 404)
    assert by_route["orders"].untrusted  # which is orders.example.com
    assert set(balancer.names) == {"www.example.com", "orders.example.com"}


def test_a_certificate_that_is_not_the_hosts_fails_a_probe_and_silence_does_not(tmp_path: Path) -> None:
    settings = settings_of("prod", {"routes.web.probes": [{"path": "/"}]})
    with serving(ApiServer(), tmp_path) as balancer:
        answers = _asks(settings, balancer.url.removeprefix("https://")).answers()
    assert [answer.untrusted for answer in answers] == [True, True]
    assert wrong(answers)[0].startswith("GET https://www.example.com/: ")
    answers = _asks(settings, "127.0.0.1:9").answers()
    assert [answer.untrusted for answer in answers] == [False, False]
    assert all(isinstance(answer.status, Unread) for answer in answers)


class _Health(grpc.GenericRpcHandler):
    """A gRPC server that knows the health of itself and of shop.Orders, which is not well."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []

    def service(self, handler_call_details: Any) -> Any:
        def check(message: bytes, _: Any) -> bytes:
            metadata = {one.key: one.value for one in handler_call_details.invocation_metadata}
            self.asked.append((handler_call_details.method, metadata, message))
            return b"\x08\x02" if b"shop.Orders" in message else b"\x08\x01"

        method = handler_call_details.method
        return grpc.unary_unary_rpc_method_handler(check) if method == HEALTH_METHOD else None


@contextmanager
def _grpc(folder: Path, host: str, handler: _Health | None) -> Generator[str]:
    key, authority = certificate(host)
    (folder / "authority.pem").write_bytes(authority)
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,) if handler else ())
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, authority)]))
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def test_a_grpc_route_is_asked_for_its_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("dev", {"routes.grpc-api.probes": [{}, {"service": "shop.Orders"}]})
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    health = _Health()
    with _grpc(tmp_path, "grpc.example.com", health) as place:
        monkeypatch.setattr(previews, "GRPC_PORT", place.partition(":")[2])
        answers = _asks(settings, "127.0.0.1").probes(["grpc-api"])
    assert wrong(answers) == [
        "the health of grpc://grpc.example.com/shop.Orders is answered with NOT_SERVING in place of SERVING"
    ]
    assert [one.status for one in answers] == ["SERVING", "NOT_SERVING"]
    assert {metadata["x-cutover-cluster"] for _, metadata, _ in health.asked} == {NEW}
    with _grpc(tmp_path, "grpc.example.com", None) as place:
        monkeypatch.setattr(previews, "GRPC_PORT", place.partition(":")[2])
        answers = _asks(settings, "127.0.0.1").probes(["grpc-api"])
    assert [one.status for one in answers] == ["UNIMPLEMENTED"] * 2
    monkeypatch.setattr("cutover.aws.grpc_health._CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(previews, "GRPC_PORT", "9")
    answers = _asks(settings, "127.0.0.1").probes(["grpc-api"])
    assert (wrong(answers), seen(answers), len(unasked(answers))) == ([], {}, 2)


@pytest.mark.parametrize(("status", "known"), [(302, False), (401, False), (500, True)])
def test_what_the_login_answers_tells_nothing_of_a_cluster(status: int, known: bool) -> None:
    pool = "arn:aws:cognito-idp:ap-northeast-1:123456789012:userpool/ap-northeast-1_AbCdEf"
    login = {"cognito": {"userPoolArn": pool, "userPoolClientId": "shop", "userPoolDomain": "shop"}}
    # Over plain HTTP, which no login is on, so that no certificate is needed here.
    settings = settings_of("prod", {"routes.web.authenticate": login, "preview.secret": SECRET})
    plain = settings.own_load_balancers["public"].model_copy(update={"names": ()})
    settings = settings.model_copy(update={"load_balancers": {**settings.load_balancers, "public": plain}})
    with _answering(status) as (place, _):
        (answer,) = [one for one in _asks(settings, place, value=f"{NEW}.{SECRET}").answers() if one.route == "web"]
    if known:
        assert answer.status == status
    else:
        assert isinstance(answer.status, Unread)
        assert str(answer.status) == f"answered with {status} by the login, not by a cluster"
        assert answer.status.cure.endswith(f"X-Cutover-Cluster: {NEW}.SECRET")
