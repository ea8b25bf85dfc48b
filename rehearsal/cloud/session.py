"""The calls to the AWS API: one client per service, and errors in the words of the provider.

Owns the form of an error (``operation error EKS: DeleteCluster, https response error StatusCode: 409, ...``), tags and
the provider's patience with what AWS frees only after a while. Refuses to own any resource.
"""

from __future__ import annotations

import functools
import os
import threading
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rehearsal.cloud.refused import Props

_SERVICES = {
    "acm": "ACM",
    "ec2": "EC2",
    "eks": "EKS",
    "elbv2": "Elastic Load Balancing v2",
    "events": "EventBridge",
    "iam": "IAM",
    "logs": "CloudWatch Logs",
    "route53": "Route 53",
    "servicediscovery": "ServiceDiscovery",
    "sqs": "SQS",
    "ssm": "SSM",
    "sts": "STS",
    "wafv2": "WAFV2",
}
_UNMODELED = frozenset({"ValidationError", "ValidationException"})  # codes for which the Go SDK has no type of its own
PATIENCE_SECONDS = 10.0  # the provider retries for minutes what here is freed within a second
RESERVED_TAGS = "aws:"
PROVIDER_AGENT = "rehearsal-provider"
INTERNAL_AGENT = "rehearsal-internal"
OUTSIDE_AGENT = "rehearsal-outside"
"""The user agents by which the emulated API (api.py) knows the provider, the parts of AWS itself, and whoever has a
role of its own: the clusters' controllers, and what a test does to the account."""

_OWN = {"aws_access_key_id": "rehearsal", "aws_secret_access_key": "rehearsal"}
ACCOUNT = "account"
"""Documents by the id of each account beside the rehearsal's own."""

ORGANIZATION_ROLE = "OrganizationAccountAccessRole"
"""What AWS Organizations makes in each account, for the account that manages them: the rehearsal's own."""

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


class AwsError(Exception):
    """An answer of the AWS API that is not what was asked for. ``code`` is AWS's own."""

    def __init__(
        self, service: str, operation: str, code: str, message: str, *, status: int = 400, request: str = ""
    ) -> None:
        typed = "" if service != "ec2" and code not in _UNMODELED else "api error "
        super().__init__(
            f"operation error {_SERVICES[service]}: {operation}, https response error StatusCode: {status}, "
            f"RequestID: {request or uuid.uuid4()}, {typed}{code}: {message}"
        )
        self.code = code


class Aws:
    """The emulated account as one provider sees it: a region, default tags, the API and what the API has not.

    With ``role`` it is the account of that.
    """

    def __init__(self, region: str, default_tags: dict[str, str], role: str = "") -> None:
        self.region = region
        self._role = role
        self.default_tags = default_tags
        self.store = Store.of_this_rehearsal()
        self.judging = threading.RLock()  # held while a limit is judged and the thing that counts against it is made
        self._endpoint = os.environ["AWS_ENDPOINT_URL"]  # without it a call would go to a real account
        self._clients: dict[str, Any] = {}
        self._lent: dict[str, str] = {}
        self._making = threading.Lock()

    @property
    def partition(self) -> str:
        """The partition of the region, as ARNs begin with it."""
        return next((name for begins, name in _PARTITIONS.items() if self.region.startswith(begins)), "aws")

    @functools.cached_property
    def account(self) -> str:
        """The account's id."""
        return self.ask("sts", "get_caller_identity")["Account"]

    def everywhere(self) -> list[Aws]:
        """Return this account and all others, for what is one in all of them, such as DNS."""
        others = (Aws(self.region, {}, organization_role(account)) for account in self.store.all(ACCOUNT))
        return [self, *others]

    def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call ``operation`` (in boto3's spelling) and return its answer.

        Raises:
            AwsError: as AWS answers.

        """
        with _in_aws_words(service):
            return getattr(self._client(service), operation)(**parameters)

    def pages(self, service: str, operation: str, result: str, **parameters: Any) -> list[Any]:
        """Return the list ``result`` of every page of ``operation``.

        Raises:
            AwsError: as AWS answers.

        """
        with _in_aws_words(service):
            pages = self._client(service).get_paginator(operation).paginate(**parameters)
            return [part for page in pages for part in page[result]]

    def found(self, gone: tuple[str, ...], service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
        """Call ``operation``; answer None when AWS answers with a code of ``gone``."""
        try:
            return self.ask(service, operation, **parameters)
        except AwsError as error:
            if error.code in gone:
                return None
            raise

    def patiently(self, act: Callable[[], Any], codes: tuple[str, ...]) -> None:
        """Repeat ``act`` while AWS answers with one of ``codes``, as the provider waits for what is being freed."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                act()
            except AwsError as error:
                if error.code not in codes or time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return

    def tags_found(self, found: dict[str, str], known: Props) -> Props:
        """Return ``tags`` and ``tagsAll`` for what AWS has, the default tags told apart as the provider does."""
        every = {key: value for key, value in found.items() if not key.startswith(RESERVED_TAGS)}
        given = known.get("tags", {})
        own = {key: value for key, value in every.items() if key in given or self.default_tags.get(key) != value}
        return {"tagsAll": every, **({"tags": own} if own or "tags" in known else {})}

    def _client(self, service: str) -> Any:
        import boto3  # noqa: PLC0415 - it takes as long to load as all the rest, and a preview does without it
        from botocore.config import Config  # noqa: PLC0415

        def made(of: str, credentials: dict[str, Any]) -> Any:
            return boto3.client(  # pyright: ignore[reportUnknownMemberType]
                of,  # pyright: ignore[reportArgumentType]
                region_name=self.region,
                endpoint_url=self._endpoint,
                **credentials,
                config=Config(retries={"max_attempts": 0}, max_pool_connections=32, user_agent_extra=PROVIDER_AGENT),
            )

        with self._making:
            if self._role and not self._lent:
                self._lent = lent(made("sts", _OWN), self._role)
            if service not in self._clients:
                self._clients[service] = made(service, self._lent or _OWN)
            return self._clients[service]


@contextmanager
def _in_aws_words(service: str) -> Generator[None]:
    import botocore.exceptions  # noqa: PLC0415 - see _client

    try:
        yield
    except botocore.exceptions.ClientError as error:
        answer = error.response
        about = answer.get("ResponseMetadata", {})
        raise AwsError(
            service,
            error.operation_name,
            answer["Error"]["Code"],
            answer["Error"].get("Message", ""),
            status=about.get("HTTPStatusCode", 400),
            request=about.get("RequestId", ""),
        ) from error


def lent(sts: Any, role: str, external_id: str = "") -> dict[str, str]:
    """Return what boto3 makes a client of, in a role that the client of STS may assume."""
    more = {"ExternalId": external_id} if external_id else {}
    credentials = sts.assume_role(RoleArn=role, RoleSessionName="rehearsal", **more)["Credentials"]
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def organization_role(account: str) -> str:
    """Return the role in an account that is for the rehearsal's own."""
    return f"arn:aws:iam::{account}:role/{ORGANIZATION_ROLE}"


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as most of AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def unpaired(tags: list[dict[str, str]]) -> dict[str, str]:
    """Return tags as the provider shows them."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def prefixed(prefix: str) -> str:
    """Return the name that the provider makes of a ``namePrefix``: 26 digits after it."""
    now = datetime.now(UTC)
    return f"{prefix}{now:%Y%m%d%H%M%S}{now.microsecond:06d}{uuid.uuid4().int % 10**6:06d}"
