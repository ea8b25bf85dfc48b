"""An emulated AWS with the rehearsal's own API in front of it, and short ways to what stands in it."""

from __future__ import annotations

import io
import itertools
import logging
import random
import sys
import threading
import time
import uuid
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.httpsession import URLLib3Session
from moto.core.botocore_stubber import MockRawResponse
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from urllib3 import HTTPHeaderDict
from werkzeug.serving import make_server

from rehearsal.cloud.api import FAULT, Api
from rehearsal.cloud.session import INTERNAL_AGENT
from rehearsal.cloud.store import Store

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from botocore.awsrequest import AWSPreparedRequest

REGION = "ap-northeast-1"
ZONE = f"{REGION}a"
POLL_SECONDS = 0.02  # in which a server sees that it shall end: by default half a second, in each of a thousand tests


class Inline(Executor):
    """Does the work of a controller at once, where the real one has threads."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it."""
        fn(*args, **kwargs)
        return Future()


@dataclass
class Cloud:
    """An emulated AWS of its own, and what stands in its load balancing before a test begins.

    ``moto`` is the account without the rehearsal's API in front of it.
    """

    moto: WSGIApplication
    endpoint: str
    store: Store
    vpc: str
    balancer: str
    listener: str

    def client(self, service: str, agent: str = INTERNAL_AGENT, account: str = "") -> Any:
        """Return a client that does not retry; an internal one meets neither limits nor faults."""
        assert not account, "there is one here"
        return _client(self.endpoint, service, agent)

    def group(self, target_type: str = "instance", **changes: Any) -> str:
        """Make a target group of its own, and return its ARN."""
        made = self.client("elbv2").create_target_group(
            Name=uuid.uuid4().hex,
            Protocol="HTTP",
            Port=30080,
            VpcId=self.vpc,
            TargetType=target_type,
            **changes,
        )
        return made["TargetGroups"][0]["TargetGroupArn"]

    def attach(self, group: str, weight: int = 1) -> str:
        """Make a rule that forwards to a group, and return its ARN."""
        elb = self.client("elbv2")
        priority = len(elb.describe_rules(ListenerArn=self.listener)["Rules"])
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": group, "Weight": weight}]}}
        path = {"Field": "path-pattern", "Values": ["/*"]}
        made = elb.create_rule(ListenerArn=self.listener, Priority=priority, Conditions=[path], Actions=[action])
        return made["Rules"][0]["RuleArn"]

    def node(self) -> str:
        """Make a node, and return the id of its instance."""
        node = f"i-{uuid.uuid4().hex[:17]}"
        self.store.put("node", node, {"address": "127.0.1.1", "zone": ZONE})
        return node

    def health(self, group: str, **asked: Any) -> list[Any]:
        """Return what DescribeTargetHealth says of a group."""
        answer = self.client("elbv2").describe_target_health(TargetGroupArn=group, **asked)
        return answer["TargetHealthDescriptions"]

    def states(self, group: str) -> dict[str, str]:
        """Return the state of each target of a group."""
        return {one["Target"]["Id"]: one["TargetHealth"]["State"] for one in self.health(group)}

    def fault(self, action: str, **fault: Any) -> None:
        """Play a fault of ELB."""
        self.store.put(FAULT, action, {"service": "elbv2", "action": action, "status": 400, "remaining": 1, **fault})


@cache
def _client(endpoint: str, service: str, agent: str) -> Any:
    return boto3.client(
        service,  # pyright: ignore[reportArgumentType]
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="somebody",
        aws_secret_access_key="somebody",
        config=Config(
            retries={"max_attempts": 0},
            user_agent_extra=agent,
            inject_host_prefix=False,  # of DiscoverInstances: no name resolves here
        ),
    )


@cache
def _moto() -> WSGIApplication:
    return DomainDispatcherApplication(create_backend_app)


@contextmanager
def running(folder: Path) -> Generator[Cloud]:
    """Yield an emulated AWS with a VPC and a load balancer, for as long as the context lasts.

    It is an account of its own, since moto keeps what is in one for the whole process. Its clock runs so fast that
    nobody meets a rate limit.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    store = Store(folder / "store.sqlite")
    moto, account = _moto(), f"{random.randrange(10**11, 10**12)}"

    def in_this_account(app: WSGIApplication) -> WSGIApplication:
        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            return app({**environ, "HTTP_X_MOTO_ACCOUNT_ID": account}, start_response)

        return answer

    api = Api(moto, store, lambda: 1000 * time.monotonic())
    with _at_hand(in_this_account(api)) as endpoint:
        cloud = Cloud(in_this_account(moto), endpoint, store, "", "", "")
        _furnish(cloud)
        yield cloud
    iam_backends.pop(account, None)  # moto looks for the owner of a key in every account that it has


@contextmanager
def served(api: WSGIApplication) -> Generator[str]:
    """Yield the endpoint at which an emulated API answers, in threads of this process."""
    server = make_server("127.0.0.1", 0, api, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=partial(server.serve_forever, POLL_SECONDS), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


_apis: dict[str, WSGIApplication] = {}  # by what stands before the path in their URLs
_send = URLLib3Session.send


@contextmanager
def _at_hand(api: WSGIApplication) -> Generator[str]:
    """Yield the endpoint at which an emulated API answers clients of this process, in the thread that asks.

    Nothing else reaches it. Sockets and threads would be half of what a call takes.
    """
    # At these ports of the loopback nobody listens. One that is free again has clients already.
    endpoint = next(name for port in itertools.count(1) if (name := f"http://127.0.0.1:{port}") not in _apis)
    _apis[endpoint] = api
    URLLib3Session.send = _send_here
    try:
        yield endpoint
    finally:
        del _apis[endpoint]


def _send_here(self: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
    split = urlsplit(request.url)
    if f"{split.scheme}://{split.netloc}" not in _apis:
        return _send(self, request)
    given: Any = request.body or b""
    body = given.read() if hasattr(given, "read") else given.encode() if isinstance(given, str) else given
    status, headers, answer = asked(request.method, request.url, request.headers, body)
    return AWSResponse(request.url, status, headers, MockRawResponse(answer))


def asked(method: str, url: str, headers: Mapping[str, str | bytes], body: bytes) -> tuple[int, HTTPHeaderDict, bytes]:
    """Return status, headers and body with which an emulated API that is at hand answers."""
    split = urlsplit(url)
    said = {key: value.decode() if isinstance(value, bytes) else value for key, value in headers.items()}
    environ: WSGIEnvironment = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": split.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(split.path or "/", "latin-1"),
        "QUERY_STRING": split.query,
        "RAW_URI": f"{split.path}?{split.query}" if split.query else split.path,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": split.hostname,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": split.netloc,
        **{f"HTTP_{key.upper().replace('-', '_')}": value for key, value in said.items()},
        "CONTENT_TYPE": next((value for key, value in said.items() if key.lower() == "content-type"), ""),
        "CONTENT_LENGTH": str(len(body)),
    }
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
        begun.append((status, headers))

    answer = b"".join(_apis[f"{split.scheme}://{split.netloc}"](environ, start_response))
    status, answered = begun[-1]
    return int(status.split()[0]), HTTPHeaderDict(answered), answer


def _furnish(cloud: Cloud) -> None:
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    cloud.vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=cloud.vpc, CidrBlock=f"10.20.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for index, zone in enumerate("ac")
    ]
    made = elb.create_load_balancer(Name="web", Subnets=[subnet["Subnet"]["SubnetId"] for subnet in subnets])
    cloud.balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
    nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    made = elb.create_listener(
        LoadBalancerArn=cloud.balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[nothing],
    )
    cloud.listener = made["Listeners"][0]["ListenerArn"]
