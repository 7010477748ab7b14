# SPDX-License-Identifier: Apache-2.0
"""The figures run, and say what they ran on. What they measure is not judged here."""
import json
import os
import subprocess

from lab import binary


def test_a_figure_knows_its_machine():
    done = subprocess.run([binary("ravelin-perf"), "memory", "--quick", "--runs", "1", "--json"],
                          capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("{"), done.stderr
    result = json.loads(done.stdout)
    assert result["machine"]["tsc_mhz"] > 0
    if len(os.sched_getaffinity(0)) > 1:
        assert result["distance_before"]["one_way_ns"] > 0
    assert result["metrics"]["flow table"]["median"] > 0
