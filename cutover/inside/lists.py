"""What stands inside a cluster: lists of Kubernetes objects, read from its API server.

Owns the way there: endpoint and certificate authority from EKS, a token made of the caller's AWS credentials as
`aws eks get-token` makes it, pages. Refuses to write, and to know what an object means.
"""

from __future__ import annotations

import base64
from functools import cached_property
from typing import TYPE_CHECKING, Any

import urllib3

from cutover.calls import OutsideError, at_once, client, told, waiting
from cutover.web import connections

if TYPE_CHECKING:
    from collections.abc import Mapping

    import boto3

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
BINDINGS = "targetgroupbindings.elbv2.k8s.aws"
"""The name of the CRD of the AWS Load Balancer Controller's bindings."""

_RETRIES = urllib3.Retry(
    total=2, connect=0, read=0, status_forcelist=[429, 500, 503], backoff_factor=0.2, raise_on_status=False
)
_LOOK = urllib3.Timeout(connect=3, read=3)
_PAGE = 500
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# EKS takes the token for 15 minutes after it was made, whatever is signed here; this is what its own client signs.
_TOKEN_SECONDS = 60


def silent(clusters: Mapping[str, tuple[boto3.Session, str]]) -> list[str]:
    """Return the clusters whose Kubernetes API is silent, of those given by key: account and name. Asks at once.

    :raises OutsideError: what the environment says of AWS is of no use
    """
    inside = {key: Inside(account, name) for key, (account, name) in clusters.items()}
    told_so = at_once(lambda cluster: cluster.silent(), inside.values(), len(inside))
    return [key for key, one in zip(inside, told_so, strict=True) if one]


class InsideError(OutsideError):
    """A cluster's Kubernetes API could not be read. The text says which, why, and the ``cure``."""

    def __init__(self, why: str, cure: str = "") -> None:
        super().__init__(f"{why}. {cure}" if cure else why)
        self.why, self.cure = why, cure


class Inside:
    """The Kubernetes API of one EKS cluster. Nothing is asked before the first list; calls may come from any thread."""

    def __init__(self, session: boto3.Session, eks_name: str) -> None:
        self._name = eks_name
        # Made here: a session must not make clients in several threads at once.
        self._eks: Any = client(session, "eks")
        self._sts: Any = client(session, "sts")
        self._sts.meta.events.register("before-sign.sts.GetCallerIdentity", self._name_the_cluster)

    def list(self, path: str, *, only_metadata: bool = False, named: str = "") -> list[dict[str, Any]]:
        """Return all objects of a collection such as `/api/v1/services` or `/apis/apps/v1/deployments`.

        Every page is read. A collection that the cluster does not serve, because an API group is not installed, is
        empty. With ``only_metadata`` nothing but names, labels and annotations leaves the cluster: for Secrets. Of
        what is ``named`` there is one at most.

        :raises InsideError: the API cannot be reached, or does not let the caller read
        """
        found: list[dict[str, Any]] = []
        fields = {"limit": str(_PAGE), **({"fieldSelector": f"metadata.name={named}"} if named else {})}
        while True:
            page = self._page(path, fields, _METADATA if only_metadata else "application/json")
            found += page.get("items", [])
            if not (further := page.get("metadata", {}).get("continue")):
                return found
            fields["continue"] = further

    def silent(self) -> bool:
        """Tell whether whoever asks the API would wait for nothing: it neither answers nor refuses.

        Of a cluster that EKS does not have, or not yet, or that cannot be found out, nothing is told.
        """
        try:
            endpoint, api = self._api
            with waiting(f"the Kubernetes API of {self._name}"):
                api.request("GET", f"{endpoint}/version", retries=False, timeout=_LOOK)
        except urllib3.exceptions.TimeoutError as error:
            return not isinstance(error, urllib3.exceptions.NewConnectionError)  # a refusal, which is a kind of it
        except Exception:
            return False
        return False

    def _page(self, path: str, fields: dict[str, str], accept: str) -> dict[str, Any]:
        try:
            endpoint, api = self._api
            headers = {"Authorization": f"Bearer {self._token()}", "Accept": accept}
        except Exception as error:
            raise InsideError(f"{self._name} cannot be found in EKS: {told(error)}", "See whether it is up") from error
        try:
            with waiting(f"the Kubernetes API of {self._name}"):
                answer = api.request("GET", f"{endpoint}{path}", fields=fields, headers=headers)
            if answer.status == 200:  # noqa: PLR2004
                return dict(answer.json())
        except Exception as error:
            raise InsideError(
                f"the Kubernetes API of {self._name} cannot be reached ({told(error)})",
                "Run this where it can be: in the VPC, or in a range of the cluster's endpoint.publicCidrs",
            ) from error
        if answer.status == 404:  # noqa: PLR2004
            return {}
        refused = answer.status in {401, 403}
        cure = "Give your role an access entry that may read it (accessEntries)" if refused else "Run the same again"
        raise InsideError(f"the Kubernetes API of {self._name} answers {answer.status} to a list of {path}", cure)

    @cached_property
    def _api(self) -> tuple[str, urllib3.PoolManager]:
        cluster = self._eks.describe_cluster(name=self._name)["cluster"]
        authority = base64.b64decode(cluster.get("certificateAuthority", {}).get("data", "")).decode(errors="replace")
        endpoint = cluster.get("endpoint", "")  # EKS tells none before the cluster is made
        return endpoint, connections(endpoint, ca_cert_data=authority or None, retries=_RETRIES)

    def _token(self) -> str:
        """Return a bearer token: a signed call of GetCallerIdentity, which the cluster makes to learn who asks."""
        signed = self._sts.generate_presigned_url("get_caller_identity", ExpiresIn=_TOKEN_SECONDS, HttpMethod="GET")
        return "k8s-aws-v1." + base64.urlsafe_b64encode(signed.encode()).decode().rstrip("=")

    def _name_the_cluster(self, request: Any, **_: Any) -> None:
        request.headers["x-k8s-aws-id"] = self._name
