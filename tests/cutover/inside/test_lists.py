"""The way into a cluster, against an HTTPS server with a certificate authority of its own; EKS's answer is stubbed."""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from urllib3 import Timeout
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProxyError, ReadTimeoutError

from cutover.inside import lists
from cutover.inside.lists import Inside, InsideError, silent
from cutover.web import reason
from rehearsal.cloud.kubernetes.api_server import certificate
from tests.cutover.api_server import ApiServer, serving

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

NAME = "dev-v1-36"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[ApiServer]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)  # an emulated account of other tests may stand
    with serving(ApiServer(), tmp_path) as server:
        yield server


class Account(boto3.Session):
    """An account in which EKS tells of one cluster, or of none."""

    def __init__(self, endpoint: str = "", authority: bytes = b"") -> None:
        super().__init__("somebody", "somebody", region_name="ap-northeast-1")
        data = base64.b64encode(authority).decode()
        self._cluster = {"endpoint": endpoint, "certificateAuthority": {"data": data}} if endpoint else None

    def client(self, service_name: Any, **arguments: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return a client; that of EKS answers from here."""
        made: Any = super().client(service_name, **arguments)
        if service_name == "eks":
            stub = Stubber(made)
            if self._cluster:
                stub.add_response("describe_cluster", {"cluster": self._cluster}, {"name": NAME})
            else:
                stub.add_client_error("describe_cluster", "ResourceNotFoundException", "No cluster found")
            stub.activate()
        return made


def _inside(api: ApiServer) -> Inside:
    return Inside(Account(api.url, api.authority), NAME)


def test_every_page_of_a_list_is_read(api: ApiServer) -> None:
    api.pages["/api/v1/services"] = [
        (200, {"metadata": {"continue": "1"}, "items": [{"metadata": {"name": "web"}}]}),
        (200, {"metadata": {}, "items": [{"metadata": {"name": "api"}}]}),
    ]
    found = _inside(api).list("/api/v1/services")
    assert [service["metadata"]["name"] for service in found] == ["web", "api"]


def test_a_group_that_is_not_installed_has_no_objects(api: ApiServer) -> None:
    assert _inside(api).list("/apis/keda.sh/v1alpha1/scaledobjects") == []


def test_the_token_is_a_signed_question_who_am_i_that_names_the_cluster(api: ApiServer) -> None:
    _inside(api).list("/api/v1/services")
    ((_, headers),) = api.asked
    scheme, _, token = headers["Authorization"].partition(" ")
    prefix, _, encoded = token.partition(".")
    assert (scheme, prefix) == ("Bearer", "k8s-aws-v1")
    assert "=" not in encoded
    signed = urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    fields = parse_qs(signed.query)
    assert signed.netloc == "sts.ap-northeast-1.amazonaws.com"
    assert fields["Action"] == ["GetCallerIdentity"]
    assert fields["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert fields["X-Amz-Expires"] == ["60"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_caller_that_may_not_read_learns_what_to_do(api: ApiServer, status: int) -> None:
    api.pages["/api/v1/secrets"] = [(status, {})]
    with pytest.raises(InsideError, match=f"answers {status} to a list of /api/v1/secrets.*accessEntries"):
        _inside(api).list("/api/v1/secrets")


def test_an_api_that_cannot_be_reached_says_where_it_can() -> None:
    with pytest.raises(InsideError, match=f"the Kubernetes API of {NAME} cannot be reached .*in the VPC"):
        Inside(Account("https://127.0.0.1:9", b""), NAME).list("/api/v1/services")


@pytest.mark.parametrize("accepts", [False, True])
def test_an_api_that_drops_packets_or_says_nothing_is_silent(monkeypatch: pytest.MonkeyPatch, *, accepts: bool) -> None:
    monkeypatch.setattr(lists, "_LOOK", Timeout(connect=0.3, read=0.3))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        # A queue that is full drops who else would connect.
        waiting = [] if accepts else [socket.create_connection(address)]
        url = f"https://127.0.0.1:{address[1]}"
        assert silent({"v1-36": (Account(url), NAME)}) == ["v1-36"]
        for one in waiting:
            one.close()


def test_an_api_that_answers_or_refuses_is_not_silent_nor_one_that_is_not_there(api: ApiServer) -> None:
    assert silent({"v1-36": (Account(api.url, api.authority), NAME)}) == []
    assert silent({"v1-36": (Account("https://127.0.0.1:9"), NAME)}) == []
    assert silent({"v1-36": (Account(), NAME)}) == []
    assert [path for path, _ in api.asked] == ["/version"]


def test_an_api_with_the_certificate_of_somebody_else_is_not_trusted(api: ApiServer) -> None:
    _, stranger = certificate("kubernetes")
    with pytest.raises(InsideError, match="CERTIFICATE_VERIFY_FAILED"):
        Inside(Account(api.url, stranger), NAME).list("/api/v1/services")
    assert api.asked == []


def test_a_cluster_that_eks_does_not_know_is_said_so() -> None:
    with pytest.raises(InsideError, match=f"{NAME} cannot be found in EKS: .*No cluster found"):
        Inside(Account(), NAME).list("/api/v1/services")


def test_nothing_but_names_leaves_the_cluster_where_that_is_enough(api: ApiServer) -> None:
    _inside(api).list("/api/v1/secrets", only_metadata=True)
    ((_, headers),) = api.asked
    assert headers["Accept"] == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            MaxRetryError(
                None,  # pyright: ignore[reportArgumentType]
                "/",
                ProxyError("Unable to connect to proxy", NewConnectionError(HTTPConnection("127.0.0.1", 9), "refused")),
            ),
            "refused",
        ),
        (
            ClientError({"Error": {"Code": "404", "Message": "<!doctype html>\n<title>404"}}, "ListInsights"),
            "ListInsights operation",
        ),
        (ReadTimeoutError(None, "/", "Read timed out."), "Read timed out"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_why_a_request_failed_is_a_line_without_the_libraries_frames(error: Exception, said: str) -> None:
    assert reason(error).endswith(said)
    assert "Unable to connect" not in reason(error)
