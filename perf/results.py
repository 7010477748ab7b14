# SPDX-License-Identifier: Apache-2.0
"""What every bench prints, for those that are scripts."""
import json
import os
import pathlib
import statistics
import subprocess
import time


def metric(values: list, unit: str, target: str = "") -> dict:
    """Median and spread. `target`: "at most N" or "at least N", which the median meets or not."""
    out = {"median": statistics.median(values), "min": min(values), "max": max(values), "unit": unit}
    if not target:
        return out
    limit = float(target.split()[-1])
    met = out["median"] <= limit if target.startswith("at most") else out["median"] >= limit
    return {**out, "target": target, "met": met}


def commit_of(directory: pathlib.Path) -> str:
    """Of the tree it stands in, with + where that has changes."""
    def git(*words):
        done = subprocess.run(["git", "-C", directory, *words], capture_output=True, text=True)
        return done.stdout.strip()
    return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")


def environment(program: pathlib.Path) -> dict:
    """To run it in: ravelin-perf writes down the commit of the tree that it was built in."""
    return {**os.environ, "RAVELIN_COMMIT": commit_of(program.parent)}


def about(program: pathlib.Path) -> dict:
    """Machine and versions, as ravelin-perf knows them."""
    done = subprocess.run([program, "--about"], capture_output=True, text=True, check=True, env=environment(program))
    return {**json.loads(done.stdout), "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def show(result: dict, as_json: bool) -> int:
    """Prints it; the exit code: 1 a target is missed or the figure is void."""
    if as_json:
        print(json.dumps(result, indent=1))
    else:
        print(f"{result['bench']}:")
        for name, m in result["metrics"].items():
            verdict = "" if "met" not in m else f"   {'met' if m['met'] else 'MISSED'}: {m['target']}"
            print(f"  {name:<44} {m['median']:>10.4g} {m['unit']:<22} {m['min']:.4g} to {m['max']:.4g}{verdict}")
        for why in result.get("void", []):
            print(f"  VOID: {why}")
    missed = any(not m.get("met", True) for m in result["metrics"].values())
    return 1 if missed or result.get("void") else 0
