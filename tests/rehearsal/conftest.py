"""An emulated AWS on the loopback, and the `aws` provider over it without an engine."""

from __future__ import annotations

import logging
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import moto.settings
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import ThreadedMotoServer

from rehearsal.cloud import session
from rehearsal.cloud.api import Api
from rehearsal.cloud.store import Store
from rehearsal.plugins.aws.provider import AwsProvider
from rehearsal.plugins.plugin import Diff, Resource
from tests.rehearsal.emulated import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.cloud.refused import Props

REGION = "ap-northeast-1"


@dataclass
class Made:
    """A resource as an engine would remember it."""

    resource: Resource
    inputs: Props
    state: Props

    @property
    def id(self) -> str:
        """Return the id that AWS gave."""
        return self.resource.id


class Account:
    """The steps that the engine takes with the provider, one resource at a time."""

    def __init__(self, provider: AwsProvider, endpoint: str) -> None:
        self.provider = provider
        self._endpoint = endpoint

    def client(self, service: str) -> Any:
        """Return a client of the emulated AWS, as somebody outside Pulumi has one."""
        return _client(service, self._endpoint)

    def create(self, token: str, logical: str, /, **inputs: Any) -> Made:
        """Check and create."""
        resource = Resource(urn(token, logical))
        checked = self.provider.check(resource, {}, inputs, secrets.token_bytes())
        made, state = self.provider.create(resource, checked, preview=False)
        return Made(Resource(resource.urn, made), checked, state)

    def diff(self, made: Made, /, **inputs: Any) -> Diff:
        """Check and compare."""
        news = self.provider.check(made.resource, made.inputs, inputs, secrets.token_bytes())
        return self.provider.diff(made.resource, made.inputs, made.state, news)

    def update(self, made: Made, /, **inputs: Any) -> Made:
        """Check and change in place."""
        news = self.provider.check(made.resource, made.inputs, inputs, secrets.token_bytes())
        state = self.provider.update(made.resource, made.inputs, made.state, news, preview=False)
        return Made(made.resource, news, state)

    def refresh(self, made: Made) -> Made | None:
        """Read back."""
        found = self.provider.read(made.resource, made.inputs, made.state)
        return Made(made.resource, *found) if found else None

    def delete(self, made: Made) -> None:
        """Delete."""
        self.provider.delete(made.resource, made.state)


@dataclass
class Front:
    """An account, its store, and the endpoint at which the rehearsal's API is in front of it."""

    account: Account
    store: Store
    endpoint: str

    def client(self, service: str) -> Any:
        """Return a client of the emulated AWS, as a rehearsal has it."""
        return _client(service, self.endpoint)


@dataclass
class Network:
    """What most things need to stand on."""

    vpc: Made
    subnets: list[Made]

    @property
    def subnet_ids(self) -> list[str]:
        """Return the ids of the subnets, in the order of the zones."""
        return [subnet.id for subnet in self.subnets]


def _client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,  # pyright: ignore[reportArgumentType]
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="somebody",
        aws_secret_access_key="somebody",
    )


def urn(token: str, name: str) -> str:
    """Return the URN of a resource at the root of a stack."""
    return f"urn:pulumi:test::rehearsal::{token}::{name}"


@pytest.fixture(autouse=True)
def no_settings_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep boto3 from the caller's profile and files."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a refusal come at once, where the provider waits for what may still be freed."""
    monkeypatch.setattr(session, "PATIENCE_SECONDS", 0.0)


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Return a provider with a region and default tags over one moto; tests share it and use names of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        patch.setattr(moto.settings, "ACM_VALIDATION_WAIT", 1)
        iam_backends.pop(DEFAULT_ACCOUNT_ID, None)  # it may be there already, without the policies that AWS manages
        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("REHEARSAL_STORE", str(tmp_path_factory.mktemp("store") / "store.sqlite"))
        provider = AwsProvider()
        provider.configure({"region": REGION, "defaultTags": '{"tags":{"Stack":"test"}}'})
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        yield Account(provider, f"http://{host}:{port}")
        server.stop()


@pytest.fixture(scope="session")
def front(account: Account) -> Iterator[Front]:
    """Put the rehearsal's API in front of the account."""
    store = Store.of_this_rehearsal()
    with served(Api(DomainDispatcherApplication(create_backend_app), store)) as endpoint:
        yield Front(account, store, endpoint)


@pytest.fixture(scope="session")
def network(account: Account) -> Network:
    """Return a VPC with a subnet in each of three zones."""
    vpc = account.create("aws:ec2/vpc:Vpc", "net", cidrBlock="10.20.0.0/16", enableDnsHostnames=True)
    subnets = [
        account.create(
            "aws:ec2/subnet:Subnet",
            f"net-{zone}",
            vpcId=vpc.id,
            cidrBlock=f"10.20.{index}.0/24",
            availabilityZone=f"{REGION}{zone}",
        )
        for index, zone in enumerate("acd")
    ]
    return Network(vpc, subnets)
