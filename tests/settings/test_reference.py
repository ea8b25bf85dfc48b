"""The reference of the configuration says what the settings take, all of it and as they are now."""

from __future__ import annotations

import re

from settings.reference import PAGE, page


def test_the_page_is_what_the_settings_say_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_key_says_what_it_is_for() -> None:
    rows = re.findall(r"^\| `(.+?)` \|.*\| (.*) \|$", page(), re.MULTILINE)
    assert ("weights", "the share of every cluster, zeros included") in rows
    assert [key for key, purpose in rows if not purpose] == []


def test_what_is_asked_for_most_stands_first_and_leads_to_the_rest() -> None:
    lines = page().splitlines()
    heads = [line.strip("# `") for line in lines if line.startswith("## ")]
    assert heads[:3] == ["What most stacks need first", "All keys", "network"]
    first = lines[lines.index("## What most stacks need first") : lines.index("## All keys")]
    assert len([line for line in first if line.startswith("| `")]) == 10
    links = {link for line in lines for link in re.findall(r"\(#([a-z]+)\)", line)}
    assert links <= {head.lower() for head in heads}
    assert {"clusters", "routes", "import"} <= links
