"""Routes that the load balancer answers itself: `redirect` and `fixedResponse`. What each key takes.

They have no clusters and no weights, and no gate judges them. Refuses to own which requests they take (matching.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from settings.matching import Matching
from settings.values import Model, rule, text

RedirectHost = Annotated[
    str,
    rule(
        "CUT260",
        text(r"[A-Za-z0-9.#{}-]{1,128}"),
        "a host to lead to is at most 128 characters, a name or #{host}. ELB would refuse the rule. Write e.g. "
        "www.example.com",
    ),
]

RedirectPath = Annotated[
    str,
    rule(
        "CUT261",
        text(r"/[!-~]{0,127}"),
        "a path to lead to begins with / and has at most 128 characters; #{host}, #{path} and #{port} stand for what "
        "was asked. ELB would refuse the rule. Write e.g. /new/#{path}",
    ),
]

RedirectPort = Annotated[
    str,
    rule(
        "CUT262",
        text(r"[1-9][0-9]{0,4}|#\{port\}"),
        'a port to lead to is text: a number, or #{port}. ELB would refuse the rule. Write e.g. "443", in quotes',
    ),
]

RedirectQuery = Annotated[
    str,
    rule(
        "CUT263",
        text(r"[!-~]{0,128}"),
        "a query to lead to is at most 128 characters, without the question mark; #{query} stands for what was asked. "
        "ELB would refuse the rule. Write e.g. from=old, or leave it out",
    ),
]

ResponseCode = Annotated[
    str,
    rule(
        "CUT264",
        text(r"[245][0-9]{2}"),
        'a response\'s code is text: 2XX, 4XX or 5XX. ELB would refuse the rule. Write e.g. "404", in quotes',
    ),
]

ResponseBody = Annotated[
    str,
    rule(
        "CUT292",
        lambda value: isinstance(value, str) and len(value) <= 1024,  # noqa: PLR2004 - ELB's own
        "a response's body is text of at most 1024 characters. ELB would refuse the rule. Write less, or lead to a "
        "page with a redirect",
    ),
]


class Redirect(Model):
    """Lead the client elsewhere; whatever is left out stays as it was asked."""

    code: Literal["301", "302"] = Field(default="301", description="for good (301), or for now (302)")
    protocol: Literal["HTTP", "HTTPS"] | None = Field(default=None, description="the protocol")
    host: RedirectHost | None = Field(default=None, description="the host")
    port: RedirectPort | None = Field(default=None, description="the port, as text")
    path: RedirectPath | None = Field(default=None, description="the path")
    query: RedirectQuery | None = Field(default=None, description="the query; empty: none")

    @property
    def leads_on(self) -> bool:
        """Whether it leads anywhere else than where the client is."""
        return any(part is not None for part in (self.protocol, self.host, self.port, self.path, self.query))


class FixedResponse(Model):
    """Answer with a text."""

    code: ResponseCode = Field(description='the status, in quotes, such as "404"')
    content_type: Literal["text/plain", "text/css", "text/html", "application/javascript", "application/json"] = Field(
        default="text/plain", description="the type of the body"
    )
    body: ResponseBody = Field(default="", description="the body, at most 1024 characters")


class Answer(Matching):
    """Requests that the load balancer answers itself, whatever the clusters' weights are."""

    redirect: Redirect | None = Field(default=None, description="lead the client elsewhere")
    fixed_response: FixedResponse | None = Field(default=None, description="answer with a text")

    @property
    def forwards(self) -> bool:
        """Whether clusters answer it."""
        return False
