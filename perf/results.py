# SPDX-License-Identifier: Apache-2.0
"""What every bench prints, for those that are scripts."""
import json
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def about(program: pathlib.Path) -> dict:
    """Machine and versions, as ravelin-perf knows them."""
    done = subprocess.run([program, "--about"], capture_output=True, text=True, check=True,
                          env={**os.environ, "RAVELIN_COMMIT": os.environ.get("RAVELIN_COMMIT", "")})
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
