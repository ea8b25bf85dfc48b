"""Charts of what clients saw: shares and failures over time with the acts marked, and latency by act.

Pure. Refuses to own words and numbers around them (report.py).
"""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes

    from rehearsal.play.answers import Answer
    from rehearsal.play.outcome import Outcome

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe and Ito: told apart by the colour-blind too
_NOBODY = "#555555"
_LINES = ("-", "--", "-.", ":")
_MARKS = ("o", "s", "D", "^")


def draw(clusters: Sequence[str], outcomes: Sequence[Outcome], answers: Sequence[Answer]) -> str:
    """Return the charts as one SVG element. There must be an answer."""
    begin = min(answer.time for answer in answers)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rehearsal", "font.family": "sans-serif"}):
        figure = Figure(figsize=(11, 10.5), layout=ConstrainedLayoutEngine(h_pad=0.12))
        share, errors, latency = figure.subplots(3, 1, height_ratios=(4, 2, 4))
        for chart in (share, errors):
            _mark_acts(chart, outcomes, answers, begin)
        _draw_shares(share, clusters, outcomes, answers, begin)
        _draw_errors(errors, clusters, answers, begin)
        _draw_latency(latency, clusters, outcomes)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue().partition("<svg")[2].join(("<svg", ""))


def _rests(outcome: Outcome, answers: Iterable[Answer]) -> tuple[float, float] | None:
    """Return when an act's weights began and ceased to rest, in epoch seconds."""
    times = [answer.time for answer in answers if answer.step == outcome.title]
    return (min(times), max(times)) if times else None


def _mark_acts(chart: Axes, outcomes: Sequence[Outcome], answers: Sequence[Answer], begin: float) -> None:
    named = False
    for number, outcome in enumerate(outcomes, 1):
        if not (rests := _rests(outcome, answers)):
            continue
        start = max(0.0, outcome.began - begin)
        chart.axvline(start, color="#888888", linewidth=0.8)
        chart.axvspan(start, rests[0] - begin, color="#000000", alpha=0.07, linewidth=0)
        middle = (start + rests[1] - begin) / 2
        label = str(number) if named else f"act {number}"
        named = True
        chart.annotate(label, (middle, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    chart.set_xlim(0, max(answer.time for answer in answers) - begin)


def _draw_shares(
    chart: Axes, clusters: Sequence[str], outcomes: Sequence[Outcome], answers: Sequence[Answer], begin: float
) -> None:
    sent = Counter((int(a.time - begin), chosen(clusters, a)) for a in answers if a.kind != "stream")
    totals = Counter[int]()
    for (second, cluster), count in sent.items():
        totals[second] += count if cluster else 0
    seconds = sorted(second for second, total in totals.items() if total)
    edits = [max(0.0, outcome.began - begin) for outcome in outcomes]
    for index, cluster in enumerate(clusters):
        colour, line = _COLOURS[index % len(_COLOURS)], _LINES[index % len(_LINES)]
        wanted = [100 * outcome.weights.get(cluster, 0) / sum(outcome.weights.values()) for outcome in outcomes]
        until = [*edits, max(answer.time for answer in answers) - begin]
        chart.step(
            until, [*wanted, wanted[-1]], where="post", color=colour, linewidth=8, alpha=0.3, label=f"{cluster} wanted"
        )
        observed = [100 * sent[second, cluster] / totals[second] for second in seconds]
        chart.plot([s + 0.5 for s in seconds], observed, line, color=colour, linewidth=1.6, label=f"{cluster} observed")
    chart.set_ylim(-4, 104)
    chart.set_ylabel("% of requests")
    chart.set_title("Share of requests sent to each cluster, per second", loc="left", pad=20, weight="bold")
    chart.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _draw_errors(chart: Axes, clusters: Sequence[str], answers: Sequence[Answer], begin: float) -> None:
    failed = Counter((int(a.time - begin), chosen(clusters, a)) for a in answers if a.failed)
    floor = Counter[int]()
    for index, cluster in enumerate([*clusters, ""]):
        colour = _COLOURS[index % len(_COLOURS)] if cluster else _NOBODY
        bars = {second: count for (second, key), count in failed.items() if key == cluster}
        if bars:
            middles, bottoms = [second + 0.5 for second in bars], [floor[second] for second in bars]
            label = f"sent to {cluster}" if cluster else "sent to no cluster"
            chart.bar(middles, list(bars.values()), width=1, bottom=bottoms, color=colour, label=label)
        floor.update(bars)
    if failed:
        chart.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    else:
        chart.set_ylim(0, 1)
        chart.text(0.5, 0.5, "no request failed", transform=chart.transAxes, ha="center", va="center")
    chart.yaxis.set_major_locator(MaxNLocator(integer=True))
    chart.set_xlabel("seconds since the first request")
    chart.set_ylabel("failed per second")
    chart.set_title("Requests and streams that failed", loc="left", pad=20, weight="bold")


def _draw_latency(chart: Axes, clusters: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    for index, cluster in enumerate(clusters):
        colour, mark = _COLOURS[index % len(_COLOURS)], _MARKS[index % len(_MARKS)]
        seen = [(number, o.seen.seconds[cluster]) for number, o in enumerate(outcomes, 1) if cluster in o.seen.seconds]
        if seen:
            at = [number + 0.2 * (index - (len(clusters) - 1) / 2) for number, _ in seen]
            middle, tail = ([1000 * pair[part] for _, pair in seen] for part in (0, 1))
            chart.vlines(at, middle, tail, color=colour, linewidth=1)
            chart.plot(at, middle, mark, color=colour, label=f"{cluster} median")
            chart.plot(at, tail, mark, color=colour, markerfacecolor="white", label=f"{cluster} 99th percentile")
    titles = [f"{number}. {outcome.title}" for number, outcome in enumerate(outcomes, 1)]
    chart.set_xticks(range(1, len(titles) + 1), titles, rotation=30, ha="right", rotation_mode="anchor")
    chart.set_xlim(0.5, len(titles) + 0.5)
    chart.set_yscale("log")
    chart.yaxis.set_major_formatter("{x:g}")
    chart.yaxis.set_minor_formatter("{x:g}")
    chart.grid(axis="y", alpha=0.3)
    chart.set_ylabel("milliseconds")
    chart.set_title("Latency of each cluster while the weights rested", loc="left", weight="bold")
    if chart.get_legend_handles_labels()[0]:
        chart.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def chosen(clusters: Iterable[str], answer: Answer) -> str:
    """Return which cluster answered or had been chosen to, empty where that is not known."""
    return next((cluster for cluster in clusters if cluster in answer.cluster + answer.group), "")
