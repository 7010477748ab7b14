# SPDX-License-Identifier: Apache-2.0
"""The static checks of scripts/lint that need no compiler.

usage: lint.py --list | CHECK     one finding a line, `path:line: what`; fails if there are any
Findings that stand in lint_known.txt (`check path`) are old debt: told, but no failure.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ("dataplane/", "pipelines/", "controlplane/")
MAX_LINES, MAX_COLUMNS = 300, 100


def files(*patterns: str) -> list:
    """Paths git knows or would add, relative to the root."""
    listing = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--",
                              *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({p for p in listing.stdout.splitlines() if (ROOT / p).is_file()})


def lines(path: str) -> list:
    return (ROOT / path).read_text(errors="replace").splitlines()


def rooms(*suffixes: str) -> list:
    return [p for p in files(*(f"*{s}" for s in suffixes)) if p.startswith(ROOMS)]


def check_format():
    """clang-format would change nothing."""
    for path in files("*.h", "*.cc"):
        wrong = subprocess.run(["clang-format", "--style=file", "--dry-run", "--Werror", path],
                               cwd=ROOT, capture_output=True, text=True)
        if wrong.returncode:
            line = re.search(r":(\d+):", wrong.stderr)
            yield path, int(line[1]) if line else 1, "not formatted; run scripts/format"


def check_size():
    """Files and lines of the three rooms stay readable. Functions: .clang-tidy."""
    for path in rooms(".h", ".cc"):
        text = lines(path)
        if len(text) > MAX_LINES:
            yield path, len(text), f"{len(text)} lines, at most {MAX_LINES}"
        for number, line in enumerate(text, 1):
            if len(line) > MAX_COLUMNS:
                yield path, number, f"{len(line)} columns, at most {MAX_COLUMNS}"


def check_licence():
    """The licence stands on one line near the top of each source file."""
    for path in files("*.h", "*.cc", "*.py", "*.proto", "*.sh", "scripts/*", ".ci/run"):
        if path.endswith((".txt", ".md", ".json")):
            continue
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines(path)[:3]):
            yield path, 1, "no SPDX line"


# room of the includer -> what it must not include. dataplane/process is the data plane's main.
FORBIDDEN = (("dataplane/process/", ("controlplane/",)),
             ("dataplane/", ("pipelines/", "controlplane/", "dataplane/process/")),
             ("pipelines/model/", ("pipelines/stages/", "controlplane/", "dataplane/process/")),
             ("pipelines/", ("controlplane/", "dataplane/process/")),
             ("controlplane/admission/", ("pipelines/", "controlplane/", "dataplane/process/")),
             ("controlplane/", ("dataplane/process/",)))


def check_rooms():
    """Dependencies point one way (DESIGN.md)."""
    for path in rooms(".h", ".cc"):
        room, barred = next(r for r in FORBIDDEN if path.startswith(r[0]))
        for number, line in enumerate(lines(path), 1):
            include = re.match(r'\s*#include "([^"]+)"', line)
            own = include and include[1].startswith(room)
            if include and any(include[1].startswith(b) for b in barred
                               if not (own and room.startswith(b))):
                yield path, number, f"must not include {include[1]}"


def check_names():
    """A stage's name = its file = its test folder = its heading in the reference."""
    reference = ROOT / "docs" / "configuration.md"
    for path in files("pipelines/stages/*.cc"):
        text = (ROOT / path).read_text()
        if "REGISTER_STAGE" not in text:
            continue
        stem = pathlib.Path(path).stem
        if f'.name = "{stem}"' not in text:
            yield path, 1, f'the stage is not called "{stem}"'
        if not (ROOT / "tests" / "stages" / stem).is_dir():
            yield path, 1, f"no tests/stages/{stem}/"
        if reference.exists() and f"stage {stem}" not in reference.read_text():
            yield path, 1, f"not in {reference.relative_to(ROOT)}"


ABSOLUTE = re.compile(r"(?<![\w.])/(?:work|root|home)/\w")
REGISTRY = re.compile(r"\b(?:deb|registry|mirrors?|proxy|pypi|npm|crates)[\w.-]*\.(?:org|com|net|io)\b")


def check_portable():
    """Nothing names a place of one machine, or a package registry."""
    for path in files("scripts", ".ci", "tests", "configs", "*.md", "*meson*", *ROOMS):
        if path.startswith("tests/fuzz/corpus/"):
            continue
        for number, line in enumerate(lines(path), 1):
            if ABSOLUTE.search(line):
                yield path, number, "absolute path of one machine"
            if REGISTRY.search(line):
                yield path, number, "names a registry"


def check_documents():
    """Scripts and files that documents name exist."""
    for path in files("*.md"):
        base, fenced = (ROOT / path).parent, False
        for number, line in enumerate(lines(path), 1):
            fenced ^= line.lstrip().startswith("```")
            for script in re.findall(r"(?<![\w/.])(?:scripts|configs)/[\w.-]*\w", line):
                if not (ROOT / script).exists():
                    yield path, number, f"there is no {script}"
            prose = "" if fenced else re.sub(r"`[^`]*`", "", line)
            for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", prose):
                if not (base / link).exists():
                    yield path, number, f"broken link {link}"


CHECKS = {name[6:]: value for name, value in dict(globals()).items() if name.startswith("check_")}


def main(argument: str) -> int:
    if argument == "--list":
        print("\n".join(CHECKS))
        return 0
    known_file = ROOT / "scripts" / "lib" / "lint_known.txt"
    known = set(known_file.read_text().splitlines()) if known_file.exists() else set()
    fresh, old = 0, set()
    for path, number, what in CHECKS[argument]():
        if f"{argument} {path}" in known:
            old.add(path)
            continue
        print(f"{path}:{number}: {what}")
        fresh += 1
    if old:
        print(f"lint: {argument}: {len(old)} files of known debt (scripts/lib/lint_known.txt)")
    for entry in sorted(known):
        check, _, path = entry.partition(" ")
        if check == argument and path not in old:
            print(f"scripts/lib/lint_known.txt:1: strike out `{entry}`: it is in order now")
            fresh += 1
    return 1 if fresh else 0


sys.exit(main(sys.argv[1]))
