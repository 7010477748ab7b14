# SPDX-License-Identifier: Apache-2.0
"""The steps of scripts/test. Each builds what it needs, runs it, and gives counts; the full output
of step S is in PREFIX-logs/S.log, failures are also shown here, indented."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

import counts
from counts import Counts

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUZZ_SECONDS = 10
HOSTS_AT_ONCE = 3  # system tests mostly wait for their hosts
FUZZ_AT_ONCE = os.cpu_count() or 1
# Structures several threads share at once; everything with real workers is in suite `workers`.
THREADED_UNITS = ("spsc_ring", "neighbour_table", "frame", "live_set", "live_trie", "learned_routes", "limit_table",
                  "source_counts")
# Every build shares one cache (scripts/build); every report stops the program and shows the way.
ENVIRONMENT = {
    "CCACHE_NOHASHDIR": "true", "CCACHE_SLOPPINESS": "pch_defines,time_macros",
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


class Ahead:
    """A later step's build, which goes on while the tests of others run and mostly wait, with what
    they leave of the CPUs. Whether it succeeds is that step's to see."""

    def __init__(self):
        self.building = None

    def start(self, directory: pathlib.Path, target: str, log):
        if self.building is None:
            self.building = subprocess.Popen(
                ["ninja", "-C", str(directory), target], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, **ENVIRONMENT},
                preexec_fn=lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)))

    def wait(self):
        if self.building is not None:
            self.building.wait()

    def stop(self):
        if self.building is not None and self.building.poll() is None:
            self.building.terminate()
            self.building.wait()


class Step:
    """Where one step writes and how it runs commands. `ahead`: None where no step comes later that
    builds as asan does."""

    def __init__(self, name: str, prefix: str, everything: bool, ahead: Ahead | None):
        self.name, self.prefix, self.everything, self.ahead = name, prefix, everything, ahead
        self.log_path = pathlib.Path(f"{prefix}-logs") / f"{name}.log"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.log = self.log_path.open("w")

    def build_dir(self, suffix: str = "") -> pathlib.Path:
        return pathlib.Path(self.prefix + (f"-{suffix}" if suffix else ""))

    def run(self, *command, env=None, timeout=1800) -> bool:
        """True if it succeeded. Its output goes to the log."""
        self.log.write(f"$ {' '.join(map(str, command))}\n")
        self.log.flush()
        try:
            return subprocess.run(list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL,
                                  stdout=self.log, stderr=subprocess.STDOUT, timeout=timeout,
                                  env={**os.environ, **ENVIRONMENT, **(env or {})}).returncode == 0
        except subprocess.TimeoutExpired:
            self.log.write(f"\nstopped after {timeout} s\n")
            return False

    def show(self, lines: int = 60):
        """The end of the log, indented so that no tool takes it for our own closing line."""
        self.log.flush()
        for line in self.log_path.read_text(errors="replace").splitlines()[-lines:]:
            print("    |", line)

    def build(self, directory: pathlib.Path, *options: str, target: str = "") -> bool:
        """All of it, or what one target needs, or with --configure nothing yet."""
        if not target:
            return self.run("scripts/build", *options, directory)
        return (self.run("scripts/build", "--configure", *options, directory) and
                self.run("ninja", "-C", directory, target))

    def meson_test(self, directory: pathlib.Path, *selection: str, slower: int = 1) -> Counts:
        results = directory / "gtest-xml"
        shutil.rmtree(ROOT / results, ignore_errors=True)
        (ROOT / directory / "meson-logs" / "testlog.json").unlink(missing_ok=True)
        good = self.run("meson", "test", "-C", directory, "--print-errorlogs",
                        "--timeout-multiplier", slower, *selection,
                        env={"GTEST_OUTPUT": f"xml:{ROOT / results}/"})
        return counts.of_meson(ROOT / directory, good)


def gcc(step: Step) -> Counts:
    """gcc 12 with werror; tests of stages, workers, control plane, command (--all: all)."""
    if not step.build(step.build_dir(), target="" if step.everything else "appliance"):
        return Counts(failed=1)
    if step.ahead is not None and configure_asan(step):
        step.ahead.start(step.build_dir("asan"), "path_tests", step.log)
    others = ("replay",) if step.everything else ("replay", "unit")
    return step.meson_test(step.build_dir(), *(f"--no-suite={suite}" for suite in others))


def lint(step: Step) -> Counts:
    """Format, sizes, dependencies, names (--all: clang-tidy on every file)."""
    tidy = ["--build", str(step.build_dir("clang"))] if step.everything else ["--fast"]
    return counts.of_lines(step, ["scripts/lint", *tidy])


def configure_asan(step: Step) -> bool:
    return step.build(step.build_dir("asan"), "--sanitize", "asan", "--fuzz", "--configure")


def asan(step: Step) -> Counts:
    """clang with address and undefined-behaviour sanitizers; engine, stages, captures (--all: all)."""
    directory = step.build_dir("asan")
    if step.ahead is not None:
        step.ahead.wait()
    if not configure_asan(step):
        return Counts(failed=1)
    others = () if step.everything else ("workers", "control", "cli")
    return step.meson_test(directory, *(f"--no-suite={suite}" for suite in others), slower=4)


def tsan(step: Step) -> Counts:
    """clang with thread sanitizer; what several threads share (--all: workers)."""
    directory = step.build_dir("tsan")
    if not step.build(directory, "--sanitize", "tsan", "--configure"):
        return Counts(failed=1)
    units = step.meson_test(directory, *THREADED_UNITS, slower=6)
    return units + step.meson_test(directory, "--suite", "workers", slower=6) if step.everything else units


def fuzz(step: Step) -> Counts:
    """Every fuzz target for some seconds on a copy of its corpus."""
    directory = step.build_dir("asan")
    if not step.build(directory, "--sanitize", "asan", "--fuzz", target="fuzz_targets"):
        return Counts(failed=1)
    targets = sorted((ROOT / directory / "tests" / "fuzz").glob("*_fuzz"))
    command = ["/usr/bin/python3", "scripts/lib/fuzz_smoke.py", str(FUZZ_SECONDS),
               str(FUZZ_AT_ONCE), *map(str, targets)]
    return counts.of_lines(step, command)


def system(step: Step) -> Counts:
    """Both processes between real hosts in network namespaces."""
    if not step.build(step.build_dir(), target="appliance"):
        return Counts(failed=1)
    first = pytest(step, "system")
    if not first.failed:
        return first
    # The machine itself stalls for milliseconds to seconds: what failed gets one more chance, and
    # the log keeps both runs.
    second = pytest(step, "system-again", "--last-failed", "-n0")
    print(f"    {first.failed} system tests failed; of these passed on their own: {second.passed}")
    return Counts(first.passed + second.passed, second.failed or first.failed - second.passed,
                  first.skipped)


def pytest(step: Step, name: str, *options: str) -> Counts:
    xml = ROOT / f"{step.prefix}-logs" / f"{name}.xml"
    xml.unlink(missing_ok=True)
    good = step.run("/usr/bin/python3", "-m", "pytest", "-o",
                    f"cache_dir={ROOT / f'{step.prefix}-logs' / 'pytest-cache'}", "-ra",
                    "-n", HOSTS_AT_ONCE, "--dist", "loadfile",
                    "--durations=10", f"--junit-xml={xml}", *options, "tests/system",
                    env={"RAVELIN_BUILD": str(ROOT / step.build_dir()), "PYTHONDONTWRITEBYTECODE": "1"})
    return counts.of_junit(xml, good)


STEPS = (gcc, lint, system, asan, fuzz, tsan)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/test")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", action="append", choices=[s.__name__ for s in STEPS])
    parser.add_argument("--builds", default="build")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{s.__name__:8}{s.__doc__.splitlines()[0]}" for s in STEPS))
        return 0
    wanted = ["gcc"] if options.quick else options.only
    os.chdir(ROOT)
    sys.stdout.reconfigure(line_buffering=True)
    total, begin = Counts(), time.monotonic()
    ahead = Ahead() if not wanted or "asan" in wanted else None
    for function in STEPS:
        if wanted and function.__name__ not in wanted:
            continue
        print(f"== {function.__name__}: {function.__doc__.splitlines()[0]}")
        step, start = Step(function.__name__, options.builds, options.all or options.quick, ahead), time.monotonic()
        try:
            result = function(step)
        except BaseException:
            if ahead is not None:
                ahead.stop()
            raise
        if result.failed:
            step.show()
        print(f"== {function.__name__}: passed {result.passed}, failed {result.failed}, "
              f"skipped {result.skipped} in {time.monotonic() - start:.0f} s")
        total += result
    if total.passed == 0 and total.failed == 0:
        total += Counts(failed=1)
    print(f"== all steps took {time.monotonic() - begin:.0f} s")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


sys.exit(main())
