# SPDX-License-Identifier: Apache-2.0
"""What the test runners counted, from their own result files. A run that fails without a failed
test (a crash, a time-out, no result file) counts as one failure: nothing is lost."""
import dataclasses
import json
import pathlib
import re
import xml.etree.ElementTree as ElementTree


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed,
                      self.skipped + other.skipped)


def of_cases(path: pathlib.Path) -> Counts:
    """The cases of one JUnit file, of pytest or gtest."""
    result = Counts()
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            result.skipped += 1
        else:
            result.passed += 1
    return result


def of_junit(path: pathlib.Path, good: bool) -> Counts:
    try:
        result = of_cases(path)
    except (OSError, ElementTree.ParseError):
        return Counts(failed=1)
    return result if good or result.failed else result + Counts(failed=1)


def of_meson(build: pathlib.Path, good: bool) -> Counts:
    """Google Test's cases where a program wrote them, else the program as one test."""
    total = Counts()
    try:
        records = [json.loads(line) for line in
                   (build / "meson-logs" / "testlog.json").read_text().splitlines()]
    except OSError:
        return Counts(failed=1)
    for record in records:
        program = pathlib.Path(next(a for a in record["command"] if "/" in a)).name
        of_program = Counts()
        for path in (build / "gtest-xml").glob(f"{program}*.xml"):
            if re.fullmatch(rf"{re.escape(program)}(_\d+)?\.xml", path.name):
                of_program += of_junit(path, True)
                path.unlink()
        if record["result"] == "SKIP":
            of_program = of_program if of_program.skipped else Counts(skipped=1)
        elif record["result"] in ("OK", "EXPECTEDFAIL"):
            of_program = of_program if of_program != Counts() else Counts(passed=1)
        elif not of_program.failed:
            of_program += Counts(failed=1)
        total += of_program
    return total if good or total.failed else total + Counts(failed=1)


def of_lines(step, command: list) -> Counts:
    """The closing line `N passed, N failed, N skipped` of one of our own scripts."""
    good = step.run(*command)
    step.log.flush()
    lines = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$",
                       step.log_path.read_text(errors="replace"), re.M)
    if not lines:
        return Counts(failed=1)
    result = Counts(*map(int, lines[-1]))
    return result if good or result.failed else result + Counts(failed=1)
