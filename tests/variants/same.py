#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""same.py PROGRAM PROGRAM: whether what left the boxes of one test program left those of the other,
compiled for another variant, byte by byte; by the digests that tests/unit/twins.h records."""
import json
import pathlib
import subprocess
import sys
import tempfile


def left(program: str, folder: str) -> dict[str, str]:
    """What left in each test, as a digest; ends where a test fails."""
    out = pathlib.Path(folder) / "out.json"
    subprocess.run([program, f"--gtest_output=json:{out}"], check=True, stdout=subprocess.DEVNULL)
    tests = [test for suite in json.loads(out.read_text())["testsuites"] for test in suite["testsuite"]]
    return {f"{test['classname']}.{test['name']}.{key}": value
            for test in tests for key, value in test.items() if key.startswith("left_")}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        one, other = (left(program, folder) for program in sys.argv[1:])
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            print(f"{name}: {one.get(name)} and {other.get(name)}")
    print(f"{len(one)} boxes compared")
    return 0 if one and one == other else 1


sys.exit(main())
