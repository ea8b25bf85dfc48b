"""What goes on by itself beside the emulated API, as the processes that a rehearsal starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from rehearsal.cloud.kubernetes.cluster import LOAD_BALANCER_CONTROLLER, Cluster
from rehearsal.cloud.store import PATH_VARIABLE, Store
from rehearsal.world.process import SPEED_VARIABLE
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

REGION = "ap-northeast-1"
EKS = "dev-v1-36"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Account:
    """An emulated AWS with a load balancer, a target group behind it, and an EKS cluster with a binding."""

    store: Store
    client: Callable[[str], Any]
    balancer: str = ""
    group: str = ""
    rule: str = ""

    def build(self) -> None:
        """Make it all, as an update of the stack would."""
        ec2, elb = self.client("ec2"), self.client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")
            for index, zone in enumerate("ac")
        ]
        ids = [subnet["Subnet"]["SubnetId"] for subnet in subnets]
        self.balancer = elb.create_load_balancer(Name="public", Subnets=ids)["LoadBalancers"][0]["LoadBalancerArn"]
        made = elb.create_target_group(
            Name="web",
            Protocol="HTTP",
            Port=80,
            VpcId=vpc,
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthyThresholdCount=2,
        )
        self.group = made["TargetGroups"][0]["TargetGroupArn"]
        listener = elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=80, DefaultActions=[fixed("404")]
        )
        made = elb.create_rule(
            ListenerArn=listener["Listeners"][0]["ListenerArn"],
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )
        self.rule = made["Rules"][0]["RuleArn"]
        self.client("eks").create_cluster(
            name=EKS, roleArn="arn:aws:iam::123456789012:role/r", resourcesVpcConfig={"subnetIds": ids}
        )
        cluster = Cluster(self.store, EKS)
        release = {"chart": LOAD_BALANCER_CONTROLLER, "version": "3.5.0", "values": {"region": REGION}}
        cluster.put("Release", "kube-system", LOAD_BALANCER_CONTROLLER, release)
        spec = {"serviceRef": {"name": "web", "port": 80}, "targetGroupARN": self.group, "targetType": "ip"}
        metadata = {"name": "web", "namespace": "web", "uid": "1"}
        about = {"apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding"}
        binding = {**about, "metadata": metadata, "spec": spec}
        cluster.put("TargetGroupBinding", "web", "web", binding)

    def rule_does(self, action: dict[str, Any]) -> None:
        """Let the rule do something else."""
        self.client("elbv2").modify_rule(RuleArn=self.rule, Actions=[action])

    def status(self) -> int:
        """Ask the load balancer, and return its status; 0 where it does not listen yet."""
        endpoint = self.store.get("endpoint", f"{self.balancer}|80")
        if endpoint is None:
            return 0
        try:
            with _DIRECT.open(f"http://{endpoint['address']}:{endpoint['port']}/", timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def states(self) -> list[str]:
        """Return the states of the registered targets."""
        health = self.client("elbv2").describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        return [one["TargetHealth"]["State"] for one in health]

    def most_healthy(self) -> float:
        """Return the most healthy targets that CloudWatch was told of."""
        now = datetime.now(UTC)
        found = self.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/ApplicationELB",
            MetricName="HealthyHostCount",
            Dimensions=[
                {"Name": "TargetGroup", "Value": self.group.rsplit(":", 1)[-1]},
                {"Name": "LoadBalancer", "Value": self.balancer.split(":loadbalancer/")[-1]},
            ],
            StartTime=now - timedelta(days=7),
            EndTime=now + timedelta(seconds=1),
            Period=3600,
            Statistics=["Maximum"],
        )
        return max((point["Maximum"] for point in found["Datapoints"]), default=0.0)


def fixed(status: str) -> dict[str, Any]:
    return {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status}}


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail when it does not within 30 seconds."""
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    pytest.fail("it never came to hold")


@contextmanager
def process(module: str, log: Path, **variables: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Start a process of the rehearsal, and yield it with the first line that it said."""
    # As in a rehearsal, nothing of the caller, such as a proxy, is seen inside.
    environment = {"PATH": os.environ["PATH"], **variables}
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as started,
    ):
        assert started.stdout
        yield started, started.stdout.readline().strip()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Generator[Account]:
    """Yield an account in which a world runs, and see it end with nothing to complain of."""
    tmp_path = tmp_path_factory.mktemp("world")
    store = tmp_path / "store.sqlite"
    log = tmp_path / "world.log"
    keys = {"AWS_ACCESS_KEY_ID": "rehearsal", "AWS_SECRET_ACCESS_KEY": "rehearsal", PATH_VARIABLE: str(store)}
    with process("rehearsal.cloud.moto_server", tmp_path / "aws.log", **keys) as (_, port):
        endpoint = f"http://127.0.0.1:{port}"
        with process(
            "rehearsal.world.process",
            log,
            AWS_ENDPOINT_URL=endpoint,
            **keys,
            AWS_REGION=REGION,
            **{SPEED_VARIABLE: "60"},
        ) as (
            world,
            said,
        ):
            assert said == "ready"

            def client(service: str) -> Any:
                return boto3.client(
                    service,  # pyright: ignore[reportArgumentType]
                    region_name=REGION,
                    endpoint_url=endpoint,
                    aws_access_key_id="rehearsal",
                    aws_secret_access_key="rehearsal",
                    config=Config(proxies={}),
                )

            made = Account(Store(store), client)
            made.build()
            yield made
            assert world.stdin
            world.stdin.close()
            assert world.wait(timeout=120) == 0
            assert log.read_text() == ""


def test_what_the_api_says_comes_to_be(account: Account) -> None:
    eventually(lambda: account.states() == ["healthy", "healthy"])
    eventually(lambda: account.status() == 200)
    eventually(lambda: account.most_healthy() == 2)


def test_a_change_of_a_rule_counts_whoever_makes_it(account: Account) -> None:
    eventually(lambda: account.status() == 200)
    account.rule_does(fixed("410"))
    eventually(lambda: account.status() == 410)
    account.rule_does({"Type": "forward", "TargetGroupArn": account.group})
    eventually(lambda: account.status() == 200)


def test_a_dead_cluster_turns_unhealthy_and_its_requests_are_lost(account: Account) -> None:
    eventually(lambda: account.states() == ["healthy", "healthy"])
    account.store.put("workload", "v1-36|web", {"alive": False})
    eventually(lambda: account.status() == 502)
    eventually(lambda: account.states() == ["unhealthy", "unhealthy"])
    assert account.status() == 502  # to unhealthy targets too, where there is no other
    account.store.delete("workload", "v1-36|web")
    eventually(lambda: account.states() == ["healthy", "healthy"])


def test_a_load_balancer_that_is_deleted_listens_no_more(account: Account) -> None:
    elb = account.client("elbv2")
    subnets = [zone["SubnetId"] for zone in elb.describe_load_balancers()["LoadBalancers"][0]["AvailabilityZones"]]
    other = elb.create_load_balancer(Name="other", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    elb.create_listener(LoadBalancerArn=other, Protocol="HTTP", Port=80, DefaultActions=[fixed("404")])
    eventually(lambda: f"{other}|80" in account.store.all("endpoint"))
    elb.delete_load_balancer(LoadBalancerArn=other)
    eventually(lambda: f"{other}|80" not in account.store.all("endpoint"))
