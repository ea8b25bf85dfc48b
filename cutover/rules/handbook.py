"""docs/checks.md, written from the checks: what each is for, by what it judges, and what to do.

Pure: `make docs` writes it. Owns nothing but the form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutover.rules.preflight import CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cutover.rules.check import Check

_HEAD = """\
# Checks

What `cutover status KEY` looks at before KEY gets traffic, one row each. Written from the checks by `make docs`; change
them in `cutover/rules/`. A code is never given to another check.

A check that may fail in a stack is ignored there, with a reason that is shown in its place. It does not count for the
exit code then; an ignore that no check has, or that has nothing to ignore, is told:

```yaml
eks-cutover:checks:
  ignore: {CUT014: the new release is rolled out with this cluster}
```

Codes from `CUT100` on are those of refusals, in brackets behind each: search the issues or this repository for one.
`tests/settings/refusals.yaml` has mistakes with the whole answer. No refusal can be ignored.
"""


def page() -> str:
    """Return the whole page."""
    ordered = sorted(CHECKS, key=lambda check: check.code)
    return "\n".join([_HEAD, *(line for check in ordered for line in _section(check))])


def _section(check: Check) -> Iterator[str]:
    yield f"## {check.code}\n"
    yield f"**{check.title}**{', beside the cluster that serves' if check.beside else ''}. {check.why}\n"
    yield f"- Looks at: {check.evidence}"
    yield f"- Do: {check.cure}"
    yield f"- More: <{check.page}>\n"
