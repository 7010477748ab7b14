# SPDX-License-Identifier: Apache-2.0
"""perf/run guard: what a packet takes, against what stands in the tree (instructions.json).

Instructions are counted one by one, so a busy machine finds the same as an idle one. A tenth more than
stands there is an error, and so is anything dear (locks, divisions, clocks, system calls) that was not
there. --renew writes what is found; --sections shows which functions it is spent in. The compiler and what
it compiled for decide about instructions: where nothing stands for these, nothing is judged (exit code 3).
"""
import bisect
import json
import pathlib
import subprocess
import sys

import results

STORED = pathlib.Path(__file__).resolve().parent / "instructions.json"
NET, DEAR = "net_instructions_per_packet", "dear_per_packet"
MARGIN, DEAR_MARGIN = 0.1, 0.1  # of what stands there; a packet
MUCH_LESS = 0.75  # of it: then what stands there would hide much
NOT_JUDGED = 3


def measure(program: pathlib.Path, *words) -> dict:
    """JSON of the bench `instructions`."""
    done = subprocess.run([program, "instructions", "--runs", "1", "--json", *words], stdout=subprocess.PIPE, text=True,
                          env=results.environment(program))
    if not done.stdout.startswith("{"):
        sys.exit(f"guard: {program} does not run")
    return json.loads(done.stdout)


def build_of(result: dict) -> str:
    return f"{result['versions']['compiler']}, {result['versions']['built_for']}"


def found_in(result: dict) -> dict:
    return {name: m["median"] for name, m in result["metrics"].items() if name.endswith((NET, DEAR))}


def too_much(stored: dict, found: dict) -> list:
    """What is dearer than what stands in the tree, one line each; what was not measured too."""
    lines = []
    for name, before in stored.items():
        most = before * (1 + MARGIN) if name.endswith(NET) else before + DEAR_MARGIN
        if name not in found:
            lines.append(f"{name}: not measured, expected {before:.1f}")
        elif found[name] > most:
            lines.append(f"{name}: found {found[name]:.1f}, expected at most {most:.1f} ({before:.1f} in the tree)")
    lines += [f"{name}: found {found[name]:.1f}, but nothing stands in the tree: --renew"
              for name in sorted(found) if name.endswith(NET) and name not in stored]
    return lines


def much_less(stored: dict, found: dict) -> list:
    return [f"{name}: {found[name]:.1f}, and {before:.1f} in the tree" for name, before in stored.items()
            if name.endswith(NET) and name in found and found[name] < MUCH_LESS * before]


class Symbols:
    """Names of the functions of a file, by address."""

    def __init__(self, path: str):
        listed = subprocess.run(["nm", "-nC", "--defined-only", path], capture_output=True, text=True).stdout
        symbols = [line.split(" ", 2) for line in listed.splitlines()]
        symbols = [(int(at, 16), name) for at, kind, name in symbols if kind in "tTwWiu"]
        self.addresses, self.names = [at for at, _ in symbols], [name for _, name in symbols]
        self.file = pathlib.Path(path).name

    def of(self, address: int) -> str:
        at = bisect.bisect_right(self.addresses, address) - 1
        return self.names[at] if at >= 0 else self.file


def functions_of(work: dict) -> list:
    """(instructions a packet, function) of one work, most first."""
    files, times = {}, {}
    for path, address, n in work["places"]:
        if path not in files:
            files[path] = Symbols(path)
        name = files[path].of(address)
        times[name] = times.get(name, 0) + n / work["packets"]
    return sorted(((n, name) for name, n in times.items()), reverse=True)


def show_functions(program: pathlib.Path, works: list):
    for name in works:
        print(f"{name}: instructions a packet, the generator's among them")
        for n, function in functions_of(measure(program, "--sections", "--only", name)["data"][name])[:12]:
            print(f"  {n:7.1f}  {function[:100]}")


def run(program: pathlib.Path, args) -> int:
    result = measure(program)
    build, found = build_of(result), found_in(result)
    everything = json.loads(STORED.read_text()) if STORED.is_file() else {}
    if args.renew:
        everything[build] = {name: round(value, 1) for name, value in sorted(found.items())}
        STORED.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n")
        print(f"guard: wrote {STORED.name} for {build}", file=sys.stderr)
    stored = everything.get(build)
    if stored is None:
        print(f"guard: nothing stands in {STORED.name} for {build}; perf/run guard --renew", file=sys.stderr)
        return NOT_JUDGED
    wrong = too_much(stored, found)
    works = sorted({line.split(".")[0] for line in wrong}) if wrong else []
    if args.sections:
        works = sorted({name.split(".")[0] for name in stored})
    show_functions(program, works)
    for name, value in found.items():
        print(f"  {name:<44} {value:10.1f}  ({stored.get(name, 0):.1f} in the tree)")
    for line in much_less(stored, found):
        print(f"guard: much less than before, --renew: {line}")
    for line in wrong:
        print(f"guard: {line}")
    return 1 if wrong else 0
