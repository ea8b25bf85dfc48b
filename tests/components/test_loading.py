"""What the components use of the SDKs is loaded before a second thread can use it half loaded."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conftest import ROOT

_LEFT = """
import sys, wiring
print(*(name for name, module in sys.modules.items() if "Lazy" in type(module).__name__))
"""


def test_no_module_that_a_component_uses_is_left_to_load() -> None:
    sources = [path.read_text() for path in [*(ROOT / "components").glob("*.py"), ROOT / "wiring.py"]]
    used = {
        f"pulumi_{'aws' if sdk == 'aws' else 'kubernetes'}.{name}"
        for source in sources
        for sdk, name in re.findall(r"\b(aws|k8s)\.((?:[a-z0-9]+\.)+)(?=[A-Za-z])", source)
        for name in [name.rstrip(".")]
    }
    ran = subprocess.run([sys.executable, "-c", _LEFT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"pulumi_aws.lb", "pulumi_kubernetes.helm.v3"} <= used
    assert used & set(ran.stdout.split()) == set()
