"""How traffic is moved: `gate`, `rollout`, `retirement`, `checks`, `preview`. What each key takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from settings.values import Cidr, ClusterKey, Model, Name, Several, Weight, rule, text, whole

MAX_SOAK_HOURS = 720

CheckCode = Annotated[
    str,
    rule(
        "CUT118",
        text(r"CUT0[0-9]{2}"),
        "this is no code of a check. Nothing would be ignored. Write one as `cutover status KEY` shows it, such as "
        "CUT014",
    ),
]

CheckReason = Annotated[
    str,
    rule(
        "CUT119",
        text(r"\s*\S.*"),
        "a reason is a line of text. Nobody would know why the check may fail. Write why",
    ),
]

MinHealthy = Annotated[
    int,
    rule(
        "CUT146",
        whole(1, 1000),
        "minHealthy is a whole number of targets from 1 to 1000. At 0 a cluster without a target could be given a "
        "share. Write e.g. 2",
    ),
]

Headroom = Annotated[
    float,
    rule(
        "CUT147",
        lambda value: type(value) in (int, float) and value >= 1,
        "headroom is a number of 1 or more. Below 1 a cluster would get more than it can carry. Write e.g. 1.2",
    ),
]

Share = Annotated[
    int,
    rule(
        "CUT148",
        whole(1, 100),
        "a step is a whole number of percent from 1 to 100. Nothing would tell `cutover promote` how much to shift. "
        "Write e.g. 10, without quotes",
    ),
]

HoldTime = Annotated[
    int,
    rule(
        "CUT149",
        whole(180, 86400),
        "hold is 180 to 86400 seconds. The metrics of a minute come two minutes later, and with less there would be "
        "none to judge by. Write e.g. 300",
    ),
]

ErrorRatio = Annotated[
    float,
    rule(
        "CUT150",
        lambda value: type(value) in (int, float) and 0 <= value < 1,
        "maxErrorRatio is a number from 0 to below 1. At 1 a cluster that fails every request would be promoted. "
        "Write e.g. 0.01 for one request in a hundred",
    ),
]

LatencyRatio = Annotated[
    float,
    rule(
        "CUT151",
        lambda value: type(value) in (int, float) and value >= 1,
        "maxLatencyRatio is a number of 1 or more. Below 1 a cluster as fast as the old one would be rolled back. "
        "Write e.g. 1.5",
    ),
]

MinRequests = Annotated[
    int,
    rule(
        "CUT152",
        whole(1, 1_000_000),
        "minRequests is a whole number from 1 to 1000000. At 0 a cluster that nobody has asked yet would be promoted. "
        "Write e.g. 200",
    ),
]

Failures = Annotated[
    int,
    rule(
        "CUT153",
        whole(1, 10),
        "failures is a whole number of judgements from 1 to 10. At 0 every promotion would be rolled back, and with "
        "many clients would see the errors for hours. Write e.g. 2",
    ),
]

SoakHours = Annotated[
    float,
    rule(
        "CUT154",
        lambda value: type(value) in (int, float) and 0 <= value <= MAX_SOAK_HOURS,
        "soakHours is a number of hours from 0 to 720. Longer, an unused cluster would be paid for over a month. Write "
        "e.g. 24",
    ),
]

LookAgainMinutes = Annotated[
    int,
    rule(
        "CUT291",
        whole(0, 60),
        "lookAgainMinutes is a whole number of minutes from 0 to 60. Whoever retires a cluster would wait for hours. "
        "Write e.g. 3",
    ),
]

HeaderName = Annotated[
    str,
    rule(
        # ELB takes more, but the load balancer drops every header with another character before it looks at its rules.
        "CUT169",
        text(r"(?i)(?!host$)[a-z0-9-]{1,40}"),
        "a preview header is 1 to 40 letters, digits and hyphens, and not Host. The load balancer would drop the "
        "header, and no preview rule would match. Write e.g. X-Cutover-Cluster",
    ),
]

PreviewSecret = Annotated[
    SecretStr,
    rule(
        "CUT170",
        text(r"[A-Za-z0-9_-]{16,100}"),
        "a preview secret is 16 to 100 letters, digits, _ and -. A shorter one could be guessed, and since rules match "
        "patterns, * and ? would let strangers in. Set another with `pulumi config set --secret --path` and this key",
    ),
]


class Override(Model):
    """Lets exactly these weights, or these removals, through the gate. It is announced at each use."""

    weights: dict[ClusterKey, Weight] = Field(default={}, description="weights that pass whatever the gate says")
    remove_routes: tuple[Name, ...] = Field(default=(), description="routes whose weighted rule may be deleted")
    reason: str = Field(description="why; it is shown at each use")


class Gate(Model):
    """When a cluster is healthy enough for the share that it is to get."""

    min_healthy: MinHealthy = Field(default=2, description="healthy targets that any share needs")
    headroom: Headroom = Field(
        default=1.2, description="how much more than new targets get others must have carried, 1 or more"
    )
    override: Override | None = Field(default=None, description="what passes although the gate refuses it")


class RolloutMetrics(Model):
    """By which numbers a step of a promotion is judged: the new cluster's against those of the old ones."""

    max_error_ratio: ErrorRatio = Field(
        default=0.01, description="how much larger the new cluster's share of failed requests may be, 0 to below 1"
    )
    max_latency_ratio: LatencyRatio = Field(
        default=1.5, description="times the old clusters' p99 that the new one's may be, 1 or more"
    )
    min_requests: MinRequests = Field(
        default=200, description="requests to the new cluster, per route, below which nothing is judged"
    )
    failures: Failures = Field(default=2, description="judgements of one step that must fail until it is rolled back")


class Rollout(Model):
    """The steps in which `cutover promote` brings a cluster to all of the traffic."""

    steps: Several[Share] = Field(
        default=(1, 10, 50, 100), min_length=1, description="percent of the traffic, rising, 100 last"
    )
    hold: HoldTime = Field(default=300, description="seconds at a step before it is judged, 180 to 86400")
    metrics: RolloutMetrics = Field(default=RolloutMetrics(), description="by which numbers a step is judged")


class Retirement(Model):
    """When a cluster that does not serve may be taken away."""

    soak_hours: SoakHours = Field(
        default=24,
        description="hours at weight 0 and without a request, 0 to 720; never less than a route's stickiness and delay",
    )
    look_again_minutes: LookAgainMinutes = Field(
        default=3,
        description="minutes, 0 to 60, after which targets are looked for once more where GitOps applies the bindings, "
        "which it may bring back",
    )


class Checks(Model):
    """Which checks of `cutover status KEY` may fail in this stack."""

    ignore: dict[CheckCode, CheckReason] = Field(
        default={}, description="by the code of a check (docs/checks.md), why it may fail: shown wherever it does"
    )


class Preview(Model):
    """How a request asks for one cluster, whatever the weights say."""

    header: HeaderName = Field(default="X-Cutover-Cluster", description="the header; its value is a cluster's key")
    secret: PreviewSecret | None = Field(
        default=None, description="appended to the value as KEY.SECRET, so that strangers cannot ask"
    )
    source_cidrs: Several[Cidr] = Field(default=(), description="who may ask; empty: everyone")
