# SPDX-License-Identifier: Apache-2.0
"""perf/run micro [--only TABLE]: every table with 1, 8, 32 and 64 packets at once, by which cache it and its keys fill.

What perf/micro/*_bench say of their cases that have arguments `burst` and `set` (perf/micro/cases.h): TSC cycles a packet, the
median of batches; here the median of runs. A set that no table of a kind can fill is left out and told.
"""
import json
import os
import pathlib
import subprocess
import sys

import results

SETS = ("l1", "l2", "l3", "dram")
TABLES = {"lpm": "lpm_bench", "classifier": "classifier_bench", "flow_table": "flow_table_bench", "limit_table": "limit_table_bench",
          "source_counts": "source_counts_bench", "resilient_group": "resilient_group_bench",
          "live_set": "live_set_bench", "neighbour_table": "neighbour_table_bench", "sched": "sched_bench"}
UNIT = "tsc cycles/packet"


def cases_of(program: pathlib.Path, runs: int, quick: bool) -> list:
    cpu = str(max(os.sched_getaffinity(0)))
    done = subprocess.run(["taskset", "-c", cpu, program, "--benchmark_filter=burst:", f"--benchmark_min_time={0.001 if quick else 0.02}",
                           f"--benchmark_repetitions={runs}", "--benchmark_format=json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)["benchmarks"]


def named(name: str) -> tuple:
    """`flows_found/burst:8/set:2/...`: table's work, set, packets at once."""
    words = name.split("/")
    values = dict(word.split(":") for word in words[1:] if ":" in word)
    return words[0], SETS[int(values["set"])], int(values["burst"])


def gather(cases: list) -> tuple:
    """metrics {WORK.SET.burst_N: metric}, bytes {WORK.SET: of table and keys}, left_out {WORK.SET: why}."""
    values, sizes, left_out = {}, {}, {}
    for case in cases:
        if case.get("run_type") == "aggregate":
            continue
        work, memory, burst = named(case["name"])
        if case.get("error_occurred"):
            left_out[f"{work}.{memory}"] = case["error_message"]
            continue
        values.setdefault(f"{work}.{memory}.burst_{burst}", []).append(case["cycles"])
        sizes[f"{work}.{memory}"] = int(case["bytes"])
    return {name: results.metric(taken, UNIT) for name, taken in values.items()}, sizes, left_out


def run(program: pathlib.Path, args) -> int:
    if args.only and args.only not in TABLES:
        print(f"perf: --only: found '{args.only}', expected one of {', '.join(TABLES)}", file=sys.stderr)
        return 2
    build, wanted = program.parent.parent, [args.only] if args.only else list(TABLES)
    targets = [f"perf/micro/{TABLES[table]}" for table in wanted]
    known = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], stdout=subprocess.PIPE, text=True, check=True).stdout
    if f"{targets[0]}:" not in known:
        print("perf: micro: Google Benchmark was not there when this was configured (package libbenchmark-dev)", file=sys.stderr)
        return 3
    subprocess.run(["ninja", "-C", build, *targets], check=True, stdout=sys.stderr)
    about, cases = results.about(program), []
    for table, target in zip(wanted, targets):
        print(f"micro: {table}", file=sys.stderr)
        cases += cases_of(build / target, args.runs, args.quick)
    metrics, sizes, left_out = gather(cases)
    out = {"bench": "micro", "metrics": metrics, "config": {"runs": args.runs, "quick": args.quick, "bytes": sizes},
           "notes": [f"{where} is left out: {why}" for where, why in left_out.items()], **about}
    return results.show(out, args.json)
