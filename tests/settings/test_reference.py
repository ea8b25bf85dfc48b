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
