"""What all tests share: the program under Pulumi's mocks, recorded as the engine would be asked."""

from __future__ import annotations

import asyncio
import copy
import gc
import inspect
import json
import re
import runpy
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
import yaml
from google.protobuf import json_format
from hypothesis import settings as of_hypothesis
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import resource as pulumi_resource
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.proto import resource_pb2, source_pb2
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import Stack, run_pulumi_func

import settings
from cutover.aws import ground, node_counts
from cutover.calls import OutsideError
from cutover.rules.ground import Ground
from rehearsal.cloud import models
from rehearsal.engine import executable, fork_server
from rehearsal.engine.executable import EngineNotFoundError
from rehearsal.engine.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

# How long an example takes tells of the machine, and of no fault.
of_hypothesis.register_profile("any machine", deadline=None)
of_hypothesis.load_profile("any machine")

models.read_once()

# Which lines declare a resource nobody asks here; to tell it, from the deep stacks of tests, was a third of each run.
pulumi_resource._get_stack_trace = source_pb2.StackTrace  # pyright: ignore[reportPrivateUsage]

# What is loaded stays: to look through it for garbage, again and again, was a third of the CPU of all tests.
gc.disable()

_REFERENCES = resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES

ROOT = Path(__file__).parents[1]
PROJECT = "eks-cutover"
UNKNOWN = "[unknown]"
KUBECONFIG = '{"users": [{"user": {"exec": {"args": ["eks", "get-token"]}}}]}'


# Words in the names of what tests share: what takes minutes comes first.
_LONGEST = (
    "dev stands",
    "migration",
    "gate",
    "promote",
    "interruptions",
    "retire",
    "prod stands",
    "rollback",
    "engine",
    "",
)


@pytest.fixture(scope="session")
def pulumi_engine() -> executable.Engine:
    """Return the engine, built first where there is none. What stands on it is marked ``engine``."""
    return executable.find()


@pytest.hookimpl(tryfirst=True)  # xdist and -m read the marks when it is their turn
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the engine; let what shares a stack share a process, and begin with what takes longest.

    So none is left alone at the end.
    """
    shared = {item: _shared(item) for item in items}
    for item, name in shared.items():
        item.add_marker(pytest.mark.xdist_group(name))
        if "pulumi_engine" in _fixtures(item):
            item.add_marker(pytest.mark.engine)
    items.sort(key=lambda item: next(place for place, part in enumerate(_LONGEST) if part in shared[item]))


def pytest_collection_finish() -> None:
    """Load what is loaded lazily, and look for garbage from now on, but not among what is loaded.

    The SDK breaks a module for good when two threads use it first at the same time.
    """
    fork_server.load_lazy()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


def _shared(item: pytest.Item) -> str:
    """Name what a test shares: a stack that stands for the whole session, nothing, or the fixtures of its file."""
    if "stands" in _fixtures(item):
        given = getattr(item, "callspec", None)
        return f"{given.params.get('standing', 'dev') if given else 'dev'} stands"
    alone = isinstance(item, pytest.Function) and "pulumi_engine" in inspect.signature(item.function).parameters
    return re.sub(r"\W+", " ", item.nodeid) if alone else str(item.path.relative_to(ROOT))


def _fixtures(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Let no test take the engine past its fixture: `make check` would wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("engine") is None:
            patch.setattr(Sandbox, "__init__", _refuse_a_rehearsal)
        return (yield)


def _refuse_a_rehearsal(*_: Any, **__: Any) -> None:
    raise AssertionError("A test with a rehearsal of its own asks for the fixture pulumi_engine.")


def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Build the engine, where there is none yet, before several processes ask for it."""
    if config.option.markexpr == "not engine":
        return
    with suppress(EngineNotFoundError):
        executable.find()


def stack_config(stack: str) -> dict[str, Any]:
    """Return the ``config`` of a stack file that ships, as YAML said it."""
    return copy.deepcopy(_config(stack))


@cache
def _config(stack: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]


def settings_of(stack: str, **changes: Any) -> settings.Settings:
    """Return the settings of a stack file that ships, with some of the project's keys in other words."""
    config = stack_config(stack) | {f"{PROJECT}:{key}": value for key, value in changes.items()}
    return settings.parse(config, PROJECT, stack)


@pytest.fixture(scope="session", autouse=True)
def _make_no_machine_images_in_moto() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        yield


@pytest.fixture(scope="session")
def dev() -> settings.Settings:
    """Return the stack that has node targets, a gRPC route, Cloud Map and App Mesh."""
    return settings_of("dev")


@pytest.fixture(scope="session")
def prod() -> settings.Settings:
    """Return the stack that has pod targets, two load balancers and deletion protection."""
    return settings_of("prod")


@dataclass(frozen=True)
class Recorded:
    """One resource as it was registered: its inputs in camelCase, numbers as floats, and the options that matter.

    ``parent``, ``deleted_with`` and ``dependencies`` are URNs; ``providers`` are what a component hands on to its
    children, by package.
    """

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    protect: bool
    deleted_with: str
    retained: bool
    dependencies: frozenset[str]
    replace_on_changes: tuple[str, ...]
    delete_before_replace: bool
    provider: str
    providers: Mapping[str, str]
    ignore_changes: tuple[str, ...]


class Recorder(MockMonitor):
    """Stands for the engine: records what is asked, and answers as AWS would, as far as the program reads answers."""

    def __init__(self, answers: Mapping[str, dict[str, Any]]) -> None:
        super().__init__(_Cloud(self))
        self.answers = answers
        self.recorded: list[Recorded] = []
        self.exports: dict[str, Any] = {}
        self._sent: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC names it
        """Record a registration with its options, which mocks of Pulumi's own do not see."""
        self._sent.append(request.object)
        if request.type != "pulumi:pulumi:Stack":
            self.recorded.append(
                Recorded(
                    urn=self.make_urn(request.parent, request.type, request.name),
                    type=request.type,
                    name=request.name,
                    inputs=_plain(rpc.deserialize_properties(request.object, keep_unknowns=True)),
                    parent=request.parent,
                    protect=request.protect,
                    deleted_with=request.deletedWith,
                    retained=request.retainOnDelete,
                    dependencies=frozenset(request.dependencies),
                    replace_on_changes=tuple(request.replaceOnChanges),
                    delete_before_replace=request.deleteBeforeReplace,
                    provider=request.provider,
                    providers=dict(request.providers),
                    ignore_changes=tuple(request.ignoreChanges),
                )
            )
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - gRPC names it
        """Record what a component, or the stack, hands out."""
        self._sent.append(request.outputs)
        return super().RegisterResourceOutputs(request)

    @property
    def plain_text(self) -> str:
        """All inputs and outputs as state and terminal show them: what is secret is not in it."""
        return json.dumps([_hidden(json_format.MessageToDict(sent)) for sent in self._sent])

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802 - gRPC names it
        """Leave out resource references: read back in the mock's threads, they end up on another event loop."""
        info = super().GetDeploymentInfo(request)
        kept = [known for known in info.supportedFeatures if known != _REFERENCES]
        return resource_pb2.DeploymentInfo(supportedFeatures=kept)

    def of(self, kind: str) -> dict[str, Recorded]:
        """Return the resources whose type ends in ``kind``, by name."""
        return {resource.name: resource for resource in self.recorded if resource.type.endswith(kind)}

    def waits_for(self, resource: Recorded) -> set[str]:
        """Return the names of everything that must stand before a resource is made, near and far."""
        known = {one.urn: one for one in self.recorded}
        found: set[str] = set()
        ahead = set(resource.dependencies)
        while ahead:
            urn = ahead.pop()
            if urn in known and urn not in found:
                found.add(urn)
                ahead |= known[urn].dependencies
        return {known[urn].name for urn in found}

    def doubled(self) -> list[tuple[str, str]]:
        """Return what was registered twice under one type and name, which mocks accept and the engine does not."""
        counts = Counter((resource.type, resource.parent, resource.name) for resource in self.recorded)
        return [(kind, name) for (kind, _, name), count in counts.items() if count > 1]


LISTENER = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:listener/app/shared-alb/1/1"
# What others made, as the provider finds it.
_LOOKED_UP: dict[str, dict[str, Any]] = {
    "aws:lb/getLoadBalancer:getLoadBalancer": {
        "arn": "arn:shared",
        "vpcId": "vpc-shared",
        "securityGroups": ["sg-b", "sg-a"],
        "dnsName": "shared.elb.test",
    },
    "aws:lb/getListener:getListener": {
        "arn": LISTENER,
        "loadBalancerArn": "arn:shared",
        "protocol": "HTTPS",
        "port": 443,
    },
    "aws:eks/getCluster:getCluster": {
        "endpoint": "https://blue.eks.test",
        "version": "1.33",
        "certificateAuthorities": [{"data": "QQ=="}],
        "vpcConfig": {"vpcId": "vpc-shared", "clusterSecurityGroupId": "sg-blue"},
    },
}


class _Cloud(pulumi_mocks.Mocks):
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if pulumi.runtime.is_dry_run():
            return None, args.inputs  # whatever AWS would add is unknown
        state = {"arn": f"arn:{args.name}", "name": args.name, **args.inputs}
        if args.typ == "aws:acm/certificate:Certificate":
            domains = [args.inputs["domainName"], *args.inputs.get("subjectAlternativeNames", [])]
            state["domainValidationOptions"] = [
                {
                    "domainName": domain,
                    "resourceRecordName": f"_{domain}",
                    "resourceRecordType": "CNAME",
                    "resourceRecordValue": f"{domain}.acm",
                }
                for domain in domains
            ]
        elif args.typ == "aws:lb/loadBalancer:LoadBalancer":
            state |= {"dnsName": f"{args.name}.elb.test", "zoneId": "Z-ELB"}
        elif args.typ == "aws:ec2/eip:Eip":
            state["allocationId"] = f"{args.name}-allocation"
        elif args.typ == "eks:index:Cluster":
            state = {"kubeconfigJson": KUBECONFIG, "eksCluster": self._eks_cluster(args)}
        return f"{args.name}-id", {**state, **self._recorder.answers.get(args.name, {})}

    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        found = _LOOKED_UP.get(args.token, {})
        about = {"zoneId": f"Z-{args.args.get('name')}", "accountId": "123456789012", "id": "look-up"}
        return {**about, **args.args, **found}, []

    def _eks_cluster(self, args: pulumi_mocks.MockResourceArgs) -> dict[str, str]:
        """Register the component's child as the real component would, and return the reference to it."""
        urn = f"urn:pulumi:dev::{PROJECT}::eks:index:Cluster$aws:eks/cluster:Cluster::{args.name}-eksCluster"
        state = {
            "name": args.inputs["name"],
            "version": args.inputs["version"],
            "vpcConfig": {"clusterSecurityGroupId": f"sg-{args.name}"},
        }
        self._recorder.resources[urn] = MockMonitor.ResourceRegistration(urn, args.inputs["name"], state)
        return {rpc._special_sig_key: rpc._special_resource_sig, "urn": urn, "id": args.inputs["name"]}  # pyright: ignore[reportPrivateUsage]


def _plain(value: Any) -> Any:
    """Take secrets out of their wrapping, and put a word in the place of what is not known."""
    if rpc.is_rpc_secret(value):
        return _plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return UNKNOWN if isinstance(value, pulumi.output.Unknown) else value


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:  # pyright: ignore[reportPrivateUsage]
            return "[secret]"
        return {key: _hidden(part) for key, part in value.items()}
    return [_hidden(part) for part in value] if isinstance(value, list) else value


def record(
    declare: Callable[[], object],
    *,
    config: dict[str, Any] | None = None,
    secret_keys: Sequence[str] = (),
    stack: str = "dev",
    preview: bool = False,
    answers: Mapping[str, dict[str, Any]] | None = None,
    recorder: Recorder | None = None,
) -> Recorder:
    """Run ``declare`` under mocks until nothing is pending, on an event loop of its own, and return what it asked.

    :param answers: by resource name, the outputs that AWS has otherwise than it was asked for
    :param recorder: another one than answers as these say
    """
    recorder = recorder or Recorder(answers or {})
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(recorder.mocks, PROJECT, stack, preview=preview, monitor=recorder)
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in (config or {}).items()}
        pulumi.runtime.set_all_config(texts, list(secret_keys))
        loop.run_until_complete(run_pulumi_func(lambda: _exporting(declare, recorder)))
    except BaseException:
        loop.set_exception_handler(lambda *_: None)  # whatever waited for this has failed with it, and tells it again
        raise
    finally:
        pulumi.runtime.settings.reset_options()
        pulumi.runtime.set_all_config({}, [])
        loop.close()
        asyncio.set_event_loop(None)
    return recorder


def record_program(config: dict[str, Any], **options: Any) -> Recorder:
    """Run the whole program for a configuration under mocks; ``options`` are those of `record`. AWS is not asked.

    The secrets of logins count as sealed.
    """
    routes = f"{PROJECT}:routes"
    options.setdefault("secret_keys", [routes] if "clientSecret" in json.dumps(config.get(routes)) else [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ground, "read", lambda _: Ground())  # pyright: ignore[reportUnknownLambdaType]
        patch.setattr(node_counts, "session", _unreachable)
        return record(lambda: runpy.run_path(str(ROOT / "__main__.py")), config=config, **options)


def _unreachable(_: object) -> Any:
    raise OutsideError("no call leaves the mocks")


def _exporting(declare: Callable[[], object], recorder: Recorder) -> None:
    declare()
    root = get_root_resource()
    for key, value in (root.outputs if isinstance(root, Stack) else {}).items():
        pulumi.Output.from_input(value).apply(lambda known, key=key: recorder.exports.update({key: known}))


def stand_in(name: str) -> pulumi.Resource:
    """Declare what a component is given from elsewhere, where only its identity matters."""
    return pulumi.CustomResource("test:index:Given", name, {})
