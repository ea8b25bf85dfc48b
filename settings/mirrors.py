"""`mirrors`: where the controllers' charts and images come from, in accounts that reach no public registry.

Refuses to own which charts and images there are (components/controllers.py), and who fills a mirror.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.values import Model, edited, rule, text

_HOST = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?"
_PATH = r"(/[a-zA-Z0-9._-]+)*"

ChartRepository = Annotated[
    str,
    rule(
        "CUT480",
        text(rf"(https|oci|s3)://{_HOST}{_PATH}"),
        "this is no repository of charts. Helm would find no chart, in the preview already. Write e.g. "
        "https://charts.example.com/eks, oci://111111111111.dkr.ecr.eu-central-1.amazonaws.com/charts, or, where Helm "
        "has a plugin for it, s3://charts.example.com/eks, without a slash at the end",
    ),
]
ImageRegistry = Annotated[
    str,
    rule(
        "CUT481",
        text(_HOST + _PATH),
        "this is no registry of images. No node could pull a controller's image, and nothing would be registered. "
        "Write host and path without scheme, tag and slash at the end, such as "
        "111111111111.dkr.ecr.eu-central-1.amazonaws.com/eks",
    ),
]


class Mirrors(Model):
    """Where the controllers' charts and images come from; each is looked for there under the last part of its name."""

    charts: ChartRepository | None = Field(
        default=None,
        description="the repository of the charts, https://, oci:// or s3://, logged in to where it asks (`helm "
        "registry login`); left out: https://aws.github.io/eks-charts",
        json_schema_extra=edited("upgrades the controllers' releases in place, one cluster beside the other"),
    )
    images: ImageRegistry | None = Field(
        default=None,
        description="registry and path of the images; left out: those that the charts name",
        json_schema_extra=edited("replaces the controllers' pods one by one; what is registered stays so meanwhile"),
    )
