# SPDX-License-Identifier: Apache-2.0
"""The figures run, and say what they ran on. What they measure is not judged here."""
import json
import os
import subprocess

from lab import ROOT, binary


def test_a_figure_knows_its_machine():
    done = subprocess.run([binary("ravelin-perf"), "memory", "--quick", "--runs", "1", "--json"],
                          capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("{"), done.stderr
    result = json.loads(done.stdout)
    assert result["machine"]["tsc_mhz"] > 0
    if len(os.sched_getaffinity(0)) > 1:
        assert result["distance_before"]["one_way_ns"] > 0
    assert result["metrics"]["flow table"]["median"] > 0


def run_bench(*words):
    done = subprocess.run([binary("ravelin-perf"), *words, "--json"], capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("{"), done.stderr
    return json.loads(done.stdout)


def test_a_forwarding_bench_checks_what_leaves():
    result = run_bench("l3-1", "--quick", "--runs", "1")
    assert set(result) >= {"bench", "metrics", "machine", "versions", "config"}
    for name in ("cycles_per_packet", "net_cycles_per_packet", "mpps", "io_cycles_per_packet"):
        metric = result["metrics"][name]
        assert set(metric) >= {"median", "min", "max", "unit"}
        assert metric["min"] <= metric["median"] <= metric["max"]
    load = result["config"]["load"]
    assert load["frames_checked_last"] > 0 and load["frames_wrong"] == 0


def test_connections_complete_and_are_checked():
    result = run_bench("connrate", "--quick", "--runs", "1")
    assert result["metrics"]["new_connections_per_second"]["median"] > 0
    assert result["config"]["flows_standing"] > 0
    load = result["config"]["load"]
    assert load["frames_checked_last"] > 0 and load["frames_wrong"] == 0


def test_the_papers_figure_comes_out_as_printed():
    result = run_bench("fig1", "--runs", "1")
    assert {name: m["median"] for name, m in result["metrics"].items() if name.endswith("_admitted")} == {
        "fixed_split_admitted": 5, "half_the_slack_admitted": 6, "slack_by_present_load_admitted": 7,
        "slack_by_residual_admitted": 7, "slack_by_would_be_load_admitted": 8, "equal_utilisation_admitted": 9,
        "proportional_admitted": 9, "exact_test_admitted": 9,
        "exact_test_nonpreemptive_admitted": result["metrics"]["exact_test_nonpreemptive_admitted"]["median"]}
    assert result["metrics"]["executed_misses"]["median"] == 0
    assert result["metrics"]["misses_of_ten"]["median"] == 50  # so misses are seen
    assert [round(t, 1) for t in result["data"]["least_times_ms"]] == \
        [11.0, 12.4, 14.1, 16.4, 19.6, 24.4, 32.4, 47.8, 91.7, 1100.0]


def test_the_admission_tests_are_compared_and_executed():
    metrics = run_bench("admission", "--quick", "--runs", "1")["metrics"]
    assert metrics["exact_preemptive_admitted"]["median"] > metrics["paper_equal_utilisation_admitted"]["median"]
    assert metrics["executed_misses"]["median"] == 0
    assert metrics["counterexample_paper_misses"]["median"] == 50
    assert metrics["counterexample_exact_misses"]["median"] == 0
    assert metrics["preemptive_outline_decision_p99"]["median"] > 0


def test_the_report_is_made_of_what_was_stored(tmp_path):
    stored = {"bench": "l3-1", "when": "now", "config": {}, "versions": {"commit": "abc", "dpdk": "DPDK", "compiler": "c"},
              "machine": {"cpus": 2, "cpu": "some", "tsc_mhz": 2600, "kernel": "6", "loadavg": "0.5 0 0"},
              "metrics": {"net_cycles_per_packet": {"median": 1234.5, "min": 20, "max": 2000, "unit": "cycles",
                                                    "target": "at most 25", "met": False}}}
    (tmp_path / "l3-1.json").write_text(json.dumps(stored))
    points = [{"rules": r, "flows": f, "hit": r + f, "miss": 2, "hostile": 3} for r in (10, 100) for f in (1024, 4096)]
    (tmp_path / "curve.json").write_text(json.dumps({**stored, "bench": "curve", "data": points}))
    curves = {"fixed split, 1 unit": [[1, 2], [2, 4]], "equal utilisation, 1 unit": [[1, 11], [2, 22]]}
    (tmp_path / "fig1.json").write_text(json.dumps({**stored, "bench": "fig1", "data": {"curves": curves}}))
    sample = {"p10": 1, "median": 2, "p90": 3, "max": 4}
    (tmp_path / "admission.json").write_text(json.dumps(
        {**stored, "bench": "admission", "data": {"flows_admitted": {"exact_preemptive": sample}}}))
    out = tmp_path / "RESULTS.md"
    subprocess.run([ROOT / "perf" / "report", "--results", tmp_path, "--out", out], check=True)
    assert "| net_cycles_per_packet | 1,234 | 20 | 2,000 | cycles | at most 25: **missed** |" in out.read_text()
    drawn = (tmp_path / "curve-hit.svg").read_text()
    assert drawn.count("<polyline") == 2 and "10 rules" in drawn
    assert "fixed split, 1 unit" in (tmp_path / "fig1.svg").read_text()
    assert "exact preemptive" in (tmp_path / "admission.svg").read_text()


def test_figures_of_two_machines_make_no_report(tmp_path):
    for name, cpu in (("l3-1", "some"), ("police", "another")):
        (tmp_path / f"{name}.json").write_text(json.dumps(
            {"metrics": {}, "machine": {"cpus": 2, "cpu": cpu, "kernel": "6"}, "versions": {}}))
    done = subprocess.run([ROOT / "perf" / "report", "--results", tmp_path, "--out", tmp_path / "out"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "several machines" in done.stderr and "another" in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_measured_is_refused():
    def exit_code(*words):
        return subprocess.run(words, capture_output=True, text=True, timeout=60).returncode
    perf = binary("ravelin-perf")
    assert exit_code(perf, "acl-1k", "--only", "nothing") == 2
    assert exit_code(perf, "l3-1", "--only", "mix") == 2
    assert exit_code(perf, "l3-1", "--frames", "9000") != 0
    assert exit_code(ROOT / "perf" / "run", "vs", "--against", "build") == 2
