"""What a rehearsal showed, for people as one HTML file and for machines as one JSON document.

Pure. Refuses to own the charts (charts.py), what may happen in an act (outcome.py judges that) and how progress is
shown.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

from rehearsal.play.charts import chosen, draw

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cutover.rules.run import Step
    from rehearsal.play.answers import Answer
    from rehearsal.play.outcome import Outcome

JSON_VERSION = 1
_INVARIANTS = (
    "No request is lost, but for those that a killed cluster itself was answering.",
    "While the weights rest, every route's split is what they explain: no cluster is off by more than what chance does"
    " in fewer than one of a million such counts.",
    "Load balancers and DNS names are the same objects from the first act to the last.",
    "Every plan touches only what its act may touch: a shift nothing but weights, a new cluster nothing of the old one,"
    " a retirement nothing of the new one.",
    "The gate refuses an early raise to a cluster that cannot carry it, and a cluster of weight 0 answers to the"
    " preview header.",
)
_SHORT_PLAN = 12  # what a reader looks over at a glance


def touched(outcome: Outcome) -> str:
    """Say in a line what the engine touched in an act."""
    return "nothing: refused by the gate" if _refused(outcome) else outcome.run.summary()


def split(outcome: Outcome) -> list[str]:
    """Say for each cluster which share of an act's requests it answered, over all routes."""
    answered = sum((Counter(shares) for shares in outcome.seen.shares.values()), Counter[str]())
    return [f"{key} {count / answered.total():.1%}" for key, count in sorted(answered.items())]


def document(stack: str, rate: float, outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Return a rehearsal as JSON can say it.

    ``rate`` is in requests per second and ``seconds`` how long the engine ran. ``split`` counts answers by route and
    cluster while the weights rested, ``lost`` all requests and streams that failed, those of a killed cluster too.
    """
    acts = [
        {
            "title": outcome.title,
            "weights": dict(outcome.weights),
            "seconds": round(outcome.run.seconds, 3),
            "steps": [
                {"op": step.op, "type": step.type, "name": step.name, "paths": list(step.paths)}
                for step in outcome.run.steps
            ],
            "failure": outcome.run.failure,
            "requests": _requests(outcome),
            "split": {route: dict(shares) for route, shares in outcome.seen.shares.items()},
            "lost": outcome.failures,
            "sameForClients": outcome.same_for_clients,
            "faults": list(outcome.faults),
        }
        for outcome in outcomes
    ]
    return {"version": JSON_VERSION, "stack": stack, "rate": rate, "acts": acts}


def render(stack: str, outcomes: Sequence[Outcome], answers: Sequence[Answer], made: str) -> str:
    """Return the report as one HTML document that needs nothing from elsewhere.

    ``made`` says when, of which program and by which engine.
    """
    clusters = list(dict.fromkeys(key for outcome in outcomes for key in outcome.weights))
    broken = [f"{outcome.title}: {fault}" for outcome in outcomes for fault in outcome.faults]
    charts = (
        f'<figure role="img" aria-label="Shares, errors and latency over time">'
        f"{draw(clusters, outcomes, answers)}</figure>"
        if answers
        else "<p>There was no traffic to draw.</p>"
    )
    acts = [
        (
            f"{number}. {outcome.title}",
            _weights(outcome),
            ", ".join(split(outcome)) or "no traffic yet",
            touched(outcome),
            f"{_requests(outcome):,}",
            f"{outcome.failures:,}",
            "broken" if outcome.faults else "held",
        )
        for number, outcome in enumerate(outcomes, 1)
    ]
    return _PAGE.substitute(
        title=escape(f"Rehearsal of Pulumi.{stack}.yaml"),
        story="".join(f"<p>{escape(line)}</p>" for line in _story(stack, clusters, outcomes, answers)),
        invariants=_list(_INVARIANTS),
        verdict=_verdict(broken),
        made=escape(made),
        charts=charts,
        overview=_table(("act", "wanted", "answered by", "the plan touched", "requests", "failed", "invariants"), acts),
        acts="".join(_section(number, outcome) for number, outcome in enumerate(outcomes, 1)),
    )


def _story(stack: str, clusters: list[str], outcomes: Sequence[Outcome], answers: Sequence[Answer]) -> list[str]:
    move = f"from cluster {clusters[0]} to cluster {clusters[-1]}" if clusters else "of no cluster"
    lines = [
        f"This was the migration of the stack {stack} {move}, with the real Pulumi engine and program, over an "
        "emulated AWS on one machine. Real clients kept asking for the stack's DNS names all the while."
    ]
    if answers:
        seconds = max(answer.time for answer in answers) - min(answer.time for answer in answers)
        requests = sum(answer.kind != "stream" for answer in answers)
        lines.append(
            f"{len(outcomes)} acts were played. Over {seconds:.0f} seconds clients sent {requests:,} requests, "
            f"{requests / max(seconds, 1):.0f} a second."
        )
        lines.append(_failed(clusters, outcomes, [answer for answer in answers if answer.failed]))
    between = sum(answer.failed for answer in answers) - sum(outcome.failures for outcome in outcomes)
    if between:
        lines.append(
            f"{between:,} of the failures fell between two acts: no act counts them, and they were judged at the end."
        )
    if refused := [outcome.title for outcome in outcomes if _refused(outcome)]:
        lines.append(f"The gate refused to let the engine go on in: {', '.join(refused)}. What it said is below.")
    return lines


def _failed(clusters: Iterable[str], outcomes: Iterable[Outcome], failures: Sequence[Answer]) -> str:
    if not failures:
        return "No request failed."
    to = Counter(chosen(clusters, failure) or "no cluster" for failure in failures)
    sent = ", ".join(f"{count:,} had been sent to {key}" for key, count in to.items())
    acts = ", ".join(f"“{outcome.title}”" for outcome in outcomes if outcome.failures) or "no act"
    return f"{len(failures):,} requests or streams failed: {sent}. They failed in {acts}."


def _verdict(broken: list[str]) -> str:
    if not broken:
        return '<p class="held">✓ All that had to hold did, in every act.</p>'
    ended = "The rehearsal ended there: what would have followed would have rested on it."
    return f'<div class="broken"><p>✗ Broken. {ended}</p>{_list(broken)}</div>'


def _section(number: int, outcome: Outcome) -> str:
    run = outcome.run
    head = (
        f"The split is to be {_weights(outcome)}. The engine ran for {run.seconds:.1f} s. "
        f"{_requests(outcome):,} requests, {outcome.moving.requests:,} of them during the move; "
        f"{outcome.failures:,} failed, streams included."
    )
    shares = [
        (route, cluster, f"{count:,}", f"{count / sum(by.values()):.1%}")
        for route, by in outcome.seen.shares.items()
        for cluster, count in sorted(by.items())
    ]
    planned = "planned, and stopped" if run.failure else "taken"
    plan = _steps(f"{len(run.steps)} steps {planned}: {run.summary()}", run.steps) or "<p>The plan touched nothing.</p>"
    kept = _steps(f"{len(run.kept)} resources changed in `protect` alone, which the engine calls untouched", run.kept)
    said = "<p>The gate said nothing against it.</p>"
    if run.failure:
        who = "The gate refused" if _refused(outcome) else "The engine failed"
        said = f"<p>{who}:</p><pre>{escape(run.failure)}</pre>"
    return (
        f'<section id="act-{number}"><h3>{number}. {escape(outcome.title)}</h3><p>{escape(head)}</p>'
        + (f'<div class="broken"><p>✗ Broken:</p>{_list(outcome.faults)}</div>' if outcome.faults else "")
        + said
        + plan
        + kept
        + (_table(("route", "cluster", "answers while the weights rested", "share"), shares) if shares else "")
        + "</section>"
    )


def _steps(summary: str, steps: Sequence[Step]) -> str:
    if not steps:
        return ""
    table = _table(("op", "type", "name", "what differs"), ((s.op, s.type, s.name, ", ".join(s.paths)) for s in steps))
    opened = " open" if len(steps) <= _SHORT_PLAN and steps[0].op != "same" else ""
    return f"<details{opened}><summary>{escape(summary)}</summary>{table}</details>"


def _refused(outcome: Outcome) -> bool:
    return "the gate refuses" in outcome.run.failure


def _requests(outcome: Outcome) -> int:
    return outcome.moving.requests + outcome.seen.requests


def _weights(outcome: Outcome) -> str:
    return ", ".join(f"{key} {weight}" for key, weight in outcome.weights.items())


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f"<table><thead><tr>{''.join(f'<th>{escape(c)}</th>' for c in head)}</tr></thead><tbody>{body}</tbody></table>"
    )


_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem; }
h3 { border-top: 1px solid #bbb; padding-top: 1rem; }
figure { margin: 1rem 0; } svg { width: 100%; height: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd; }
td { overflow-wrap: anywhere; } td:first-child { white-space: nowrap; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f4f4f4; padding: .75rem; font-size: 14px; }
.held, .broken { border-left: .4rem solid #0072B2; background: #eef5fa; padding: .5rem 1rem; font-weight: 600; }
.broken { border-color: #D55E00; background: #fdf1ea; }
</style></head><body>
<h1>$title</h1>
$verdict
<p>$made. AWS, the load balancer and the clusters were emulated on one machine: docs/rehearsal.md says what is real,
what is emulated, and what is known to differ.</p>
<h2>What happened</h2>$story
<h2>What had to hold</h2>$invariants
<h2>What clients saw</h2>
<p>The numbers above the charts are the acts, listed below; traffic began after the first. Each begins with an edit of
the stack file; in its grey band the engine is at work and the split follows, and in the white band after it the weights
rest. Thick pale lines are the shares that the weights want, thin ones what clients observed. Latencies are those of
this machine, not of AWS.</p>$charts
<h2>The acts</h2>$overview$acts
</body></html>
""")
