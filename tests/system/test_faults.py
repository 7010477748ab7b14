# SPDX-License-Identifier: Apache-2.0
"""A minute of faults at random; hours of them: tests/faults/run --minutes N."""
import json
import os
import subprocess

from lab import ROOT

MINUTES = os.environ.get("RAVELIN_FAULT_MINUTES", "1")


def test_nothing_leaks_and_nothing_acknowledged_is_lost():
    done = subprocess.run([ROOT / "tests" / "faults" / "run", "--minutes", MINUTES, "--json"],
                          capture_output=True, text=True, check=False)
    assert done.stdout.startswith("{"), done.stderr
    result = json.loads(done.stdout)
    assert result["held"], f"{result}\n{done.stderr}"
    assert result["changes_acknowledged"] > 10 and result["allowed_passed"] > 1000
    assert len(result["faults"]) >= 5, result["faults"]
