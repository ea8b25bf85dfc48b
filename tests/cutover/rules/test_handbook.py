"""docs/checks.md says of every check what it is for, and no two have one code."""

from __future__ import annotations

import re
from collections import Counter

from cutover.rules.handbook import page
from cutover.rules.preflight import CHECKS
from tests.conftest import ROOT


def test_the_page_is_what_the_checks_say_now() -> None:
    assert (ROOT / "docs" / "checks.md").read_text(encoding="utf-8") == page(), "run `make docs`"


def test_each_check_has_a_code_of_its_own_and_a_place_in_the_page() -> None:
    codes = Counter(check.code for check in CHECKS)
    assert {code for code, count in codes.items() if count > 1 or not re.fullmatch("CUT0[0-9]{2}", code)} == set()
    assert re.findall(r"^## (.+)$", page(), re.MULTILINE) == sorted(codes)


def test_every_check_says_why_by_what_and_what_to_do_in_whole_sentences() -> None:
    for check in CHECKS:
        for said in (check.why, check.evidence, check.cure):
            assert re.fullmatch(r"[A-Z0-9`].*\.", said), check.code
        assert check.page.startswith("https://"), check.code
