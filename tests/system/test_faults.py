# SPDX-License-Identifier: Apache-2.0
"""A minute of faults at random; hours of them: tests/faults/run --minutes N."""
import json
import os
import subprocess
import sys

from lab import ROOT

sys.path.insert(0, str(ROOT / "tests" / "faults"))

from timeline import Timeline  # noqa: E402

MINUTES = os.environ.get("RAVELIN_FAULT_MINUTES", "1")


def test_nothing_leaks_and_nothing_acknowledged_is_lost():
    done = subprocess.run([ROOT / "tests" / "faults" / "run", "--minutes", MINUTES, "--json"],
                          capture_output=True, text=True, check=False)
    assert done.stdout.startswith("{"), done.stderr
    result = json.loads(done.stdout)
    assert result["held"], f"{result}\n{done.stderr}"
    assert result["changes_acknowledged"] > 10 and result["allowed_passed"] > 1000
    assert len(result["faults"]) >= 5, result["faults"]
    assert result["longest_gap_s"] == max([g["s"] for g in result["longest_gaps"]], default=0)
    assert all(g["fault"] in [*result["faults"], "none"] and g["meanwhile"] for g in result["longest_gaps"]), result


def test_a_gap_is_told_with_the_fault_that_most_of_it_was_in(tmp_path):
    times = iter([10, 11, 14, 20, 20.5, 21])
    log = tmp_path / "log"
    log.write_text("before\n")
    line = Timeline(log, lambda: next(times))
    with line.fault("kill-both"):            # 10
        log.write_text("before\nkilled\n")
        line.step("kill-both", "start")      # 11
        log.write_text("before\nkilled\nstarted\n")
    with line.fault("link-flap"):            # 14: over; 20
        line.step("link-flap", "come back")  # 20.5
    gaps = [(9.99, 13), (13.9, 14.2), (19.9, 22)]
    first, second, third = line.longest(gaps)
    assert first == {"s": 3.01, "fault": "kill-both", "began_s_into_it": -0.01,
                     "meanwhile": ["break 1.00 s", "start 2.00 s"]}
    assert second["fault"] == "none" and third["fault"] == "none"
    assert second["meanwhile"] == ["between faults 0.10 s", "between faults 1.00 s"], second
    assert line.longest_by_fault(gaps) == {"kill-both": 3.01, "none": 2.1}
    assert line.log_of((10.5, 13)) == ["killed", "started"] and line.log_of((11, 13)) == ["started"]
