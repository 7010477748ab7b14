# SPDX-License-Identifier: Apache-2.0
"""Runs libFuzzer targets for some seconds each, on a copy of tests/fuzz/corpus/<target>.

usage: fuzz_smoke.py SECONDS AT_ONCE TARGET...     a target is called <name>_fuzz
A finding is copied to fuzz-findings/ and shown."""
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def smoke(target: pathlib.Path, seconds: int) -> bool:
    name = target.name.removesuffix("_fuzz")
    with tempfile.TemporaryDirectory(prefix="ravelin-fuzz-") as scratch:
        corpus = pathlib.Path(scratch) / "corpus"
        findings = pathlib.Path(scratch) / "findings"
        corpus.mkdir()
        findings.mkdir()
        given = ROOT / "tests" / "fuzz" / "corpus" / name
        if not given.is_dir():
            print(f"{name}: no corpus in tests/fuzz/corpus/{name}")
            return False
        run = subprocess.run([target, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
                              "-print_final_stats=1", f"-artifact_prefix={findings}/", corpus, given],
                             capture_output=True, text=True, errors="replace")
        stats = [s for s in run.stderr.splitlines() if "number_of_executed_units" in s]
        print(f"{name}: {'ok' if run.returncode == 0 else 'FAILED'} {' '.join(stats)}", flush=True)
        if run.returncode:
            print(run.stderr[-6000:])
            for finding in findings.iterdir():
                (ROOT / "fuzz-findings").mkdir(exist_ok=True)
                shutil.copy(finding, ROOT / "fuzz-findings" / f"{name}-{finding.name}")
        return run.returncode == 0


def main() -> int:
    seconds, at_once = int(sys.argv[1]), int(sys.argv[2])
    targets = [pathlib.Path(t) for t in sys.argv[3:]]
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        results = list(pool.map(lambda target: smoke(target, seconds), targets))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped")
    return 0 if all(results) else 1


sys.exit(main())
