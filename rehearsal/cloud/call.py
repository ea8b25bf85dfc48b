"""One request to the emulated AWS API: who asks for what, and an error as its answer.

Refuses to own how any is answered (api.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from moto.iam.models import get_account_id_from
from werkzeug.wrappers import Request

from rehearsal.cloud.session import INTERNAL_AGENT, OUTSIDE_AGENT, PROVIDER_AGENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIEnvironment

_BOTO_NAMES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
_SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True)
class Call:
    """One API request: the account of who asks, service as boto3 names it, region, action, and the parameters.

    Parameters are those of the query protocol.
    """

    account: str
    service: str
    region: str
    action: str
    parameters: Mapping[str, str]
    json: bool
    limited: bool
    faulty: bool
    noted: bool


class Refusal(Exception):  # noqa: N818 - it is an answer of AWS
    """An error as AWS answers it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def call_of(environ: WSGIEnvironment) -> Call | None:
    """Return what a request asks for, whose body can be read again; None where nobody has signed it."""
    request = Request(environ)
    scope = _SCOPE.search(request.headers.get("Authorization", ""))
    if scope is None:
        return None
    parameters: dict[str, str] = {}
    if request.mimetype == "application/x-www-form-urlencoded":
        body = request.get_data(cache=False)
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
    target = request.headers.get("X-Amz-Target", "")
    service, agent = scope["service"], request.user_agent.string
    return Call(
        account=request.headers.get("x-moto-account-id") or get_account_id_from(scope["key"]),
        service=_BOTO_NAMES.get(service, service),
        region=scope["region"],
        action=parameters.get("Action", target.rpartition(".")[2]),
        parameters=parameters,
        json=bool(target),
        limited=INTERNAL_AGENT not in agent and PROVIDER_AGENT not in agent,
        faulty=INTERNAL_AGENT not in agent,
        noted=INTERNAL_AGENT not in agent and OUTSIDE_AGENT not in agent,
    )
