"""What the report of a rehearsal says, from made-up acts and answers."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from cutover.rules.run import Run, Step
from rehearsal.play.answers import Answer, by_step, tally
from rehearsal.play.outcome import Outcome
from rehearsal.play.report import document, render, split, touched

RULE = "aws:lb/listenerRule:ListenerRule"
SHIFT = Run((Step("update", RULE, "web-weighted", ("actions[0].forward.targetGroups[1].weight",)),), (), 2.5)
REFUSAL = Run((), (), 1.0, "the gate refuses: route web <needs> 2 healthy targets in v1-36")


def answers(step: str, begin: float, *, bad: bool = False) -> list[Answer]:
    """Two seconds at 20 requests a second, one in four of them to the new cluster, which may be bad."""
    found: list[Answer] = []
    for number in range(40):
        cluster = "v1-35" if number % 4 else "v1-36"
        failed = bad and cluster == "v1-36"
        who, status, error = ("", None, "reset") if failed else (cluster, 200, "")
        found.append(Answer(begin + number / 20, step, "web", "http", who, f"{cluster}-web", status, error, 0.01))
    return found


SEEN = [*answers("at 25", 100.0), *answers("v1-36 dies", 102.0, bad=True), *answers("a refusal", 104.0)]


def outcome(title: str, *faults: str, run: Run = SHIFT, began: float = 100.0, same: bool = True) -> Outcome:
    return Outcome(
        title=title,
        run=run,
        faults=faults,
        same_for_clients=same,
        weights={"v1-35": 75, "v1-36": 25},
        began=began,
        moving=tally(()),
        seen=by_step(SEEN).get(title, tally(())),
    )


MADE = "2026-11-27 05:10 UTC, program 063d3a1, Pulumi engine 3.259.0"
ACTS = [outcome("at 25"), outcome("v1-36 dies", began=102.0), outcome("a refusal", run=REFUSAL, began=104.0)]


class _Page(HTMLParser):
    """What of a page a browser would fetch, and what a reader would read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [
            value
            for name, value in attrs
            if value and name in {"src", "href", "xlink:href", "data"} and not value.startswith("#")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_verdict_stands_first_with_when_and_by_what_and_all_in_plain_words() -> None:
    text = " ".join(_Page(render("dev", ACTS, SEEN, MADE)).text.partition("}")[2].split())
    assert 0 < text.index("✓ All that had to hold did") < text.index(MADE) < text.index("docs/rehearsal.md")
    assert text.index("docs/rehearsal.md") < text.index("What happened")
    assert "sigma" not in text
    assert "binomial" not in text


def test_the_report_needs_nothing_from_elsewhere() -> None:
    page = render("dev", ACTS, SEEN, MADE)
    read = _Page(page)
    assert read.fetched == []
    assert not read.tags & {"script", "link", "iframe", "img"}
    assert not re.search(r"@import|url\((?!#)", page)
    assert "svg" in read.tags


def test_a_reader_learns_what_was_rehearsed_and_that_the_invariants_held() -> None:
    text = _Page(render("dev", ACTS, SEEN, MADE)).text
    assert "migration of the stack dev from cluster v1-35 to cluster v1-36" in text
    assert "120 requests" in text
    assert "10 requests or streams failed: 10 had been sent to v1-36. They failed in “v1-36 dies”" in text
    assert "All that had to hold did" in text
    assert "Broken" not in text


def test_a_reader_learns_which_invariant_broke_in_which_act() -> None:
    text = _Page(render("dev", [*ACTS[:2], outcome("a refusal", "3 requests were lost")], SEEN, MADE)).text
    assert "a refusal: 3 requests were lost" in text
    assert "All that had to hold did" not in text


def test_every_act_tells_its_plan_and_what_the_gate_said() -> None:
    text = _Page(render("dev", ACTS, SEEN, MADE)).text
    assert "web-weighted" in text
    assert "actions[0].forward.targetGroups[1].weight" in text
    assert "the gate refuses: route web <needs> 2 healthy targets in v1-36" in text


def test_failures_between_two_acts_are_told_too() -> None:
    text = _Page(render("dev", ACTS, [*SEEN, *answers("", 106.0, bad=True)], MADE)).text
    assert "10 of the failures fell between two acts" in text


def test_what_a_program_says_cannot_become_markup() -> None:
    name = "<script>alert('a & b')</script>"
    run = Run((Step("update", name, name, (name,)),), (Step("same", name, name),), 1.0, name)
    read = _Page(render(name, [outcome("at 25", name, run=run)], SEEN, MADE))
    assert "script" not in read.tags
    assert name in read.text


def test_a_rehearsal_that_ended_before_any_traffic_has_a_report() -> None:
    text = _Page(render("dev", [outcome("alone", "no such zone")], [], MADE)).text
    assert "There was no traffic" in text
    assert "alone: no such zone" in text


@pytest.mark.filterwarnings("error")
def test_one_that_ended_before_the_weights_rested_has_a_report_too() -> None:
    alone = outcome("alone", "web: nobody was answered")
    text = _Page(render("dev", [alone], answers("at 25", 100.0), MADE)).text
    assert "alone: web: nobody was answered" in text


def test_the_same_rehearsal_gives_the_same_report() -> None:
    assert render("dev", ACTS, SEEN, MADE) == render("dev", ACTS, SEEN, MADE)


def test_machines_read_every_act() -> None:
    said = json.loads(json.dumps(document("dev", 20.0, [outcome("v1-36 dies", "a fault", same=False)])))
    assert (said["version"], said["stack"], said["rate"]) == (1, "dev", 20.0)
    assert said["acts"] == [
        {
            "title": "v1-36 dies",
            "weights": {"v1-35": 75, "v1-36": 25},
            "seconds": 2.5,
            "steps": [
                {
                    "op": "update",
                    "type": RULE,
                    "name": "web-weighted",
                    "paths": ["actions[0].forward.targetGroups[1].weight"],
                }
            ],
            "failure": "",
            "requests": 40,
            "split": {"web": {"v1-35": 30}},
            "lost": 10,
            "sameForClients": False,
            "faults": ["a fault"],
        }
    ]


@pytest.mark.parametrize(("run", "said"), [(SHIFT, "update 1 ListenerRule"), (REFUSAL, "nothing: refused by the gate")])
def test_a_line_tells_what_was_touched(run: Run, said: str) -> None:
    assert touched(outcome("at 25", run=run)) == said


def test_a_split_is_told_over_all_routes() -> None:
    assert split(outcome("at 25")) == ["v1-35 75.0%", "v1-36 25.0%"]
