"""An emulated AWS with the rehearsal's own API in front of it, and short ways to what stands in it."""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from rehearsal.cloud.api import FAULT, Api
from rehearsal.cloud.session import INTERNAL_AGENT
from rehearsal.cloud.store import Store

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

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
    listener: str
    clients: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])

    def client(self, service: str, agent: str = INTERNAL_AGENT) -> Any:
        """Return a client that does not retry, made once; an internal one meets neither limits nor faults."""
        if (service, agent) not in self.clients:
            self.clients[service, agent] = self._client(service, agent)
        return self.clients[service, agent]

    def _client(self, service: str, agent: str) -> Any:
        return boto3.client(
            service,  # pyright: ignore[reportArgumentType]
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="somebody",
            aws_secret_access_key="somebody",
            config=Config(
                retries={"max_attempts": 0},
                user_agent_extra=agent,
                inject_host_prefix=False,  # of DiscoverInstances: no name resolves here
            ),
        )

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

    def of_this_account(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return moto({**environ, "HTTP_X_MOTO_ACCOUNT_ID": account}, start_response)

    with served(Api(of_this_account, store, lambda: 1000 * time.monotonic())) as endpoint:
        cloud = Cloud(of_this_account, endpoint, store, "", "")
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


def _furnish(cloud: Cloud) -> None:
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    cloud.vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=cloud.vpc, CidrBlock=f"10.20.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for index, zone in enumerate("ac")
    ]
    balancer = elb.create_load_balancer(Name="web", Subnets=[subnet["Subnet"]["SubnetId"] for subnet in subnets])
    nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    made = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[nothing],
    )
    cloud.listener = made["Listeners"][0]["ListenerArn"]
