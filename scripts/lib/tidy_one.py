# SPDX-License-Identifier: Apache-2.0
"""clang-tidy on one file, unless the same preprocessed text was clean under the same checks.

usage: tidy_one.py BUILD_DIR FILE
"""
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "ravelin-tidy"
# The analyzer takes 10 to 20 s a file in the inline code of protobuf and nlohmann/json.
WITHOUT_ANALYZER = ("controlplane/", "dataplane/process/")


def compile_command(build: pathlib.Path, file: pathlib.Path):
    """(directory, arguments) of the file, or None if no target compiles it."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if (pathlib.Path(entry["directory"]) / entry["file"]).resolve() == file:
            arguments = shlex.split(entry["command"])
            return entry["directory"], arguments[1:] if "ccache" in arguments[0] else arguments
    return None


def fingerprint(directory: str, arguments: list) -> str:
    """Hash of what clang-tidy would see: the preprocessed text with comments, and the checks."""
    command = [a for a in arguments if a != "-c"]
    command[command.index("-o") + 1] = "-"
    text = subprocess.run(command + ["-E", "-C"], cwd=directory, capture_output=True).stdout
    return hashlib.sha256(text + (ROOT / ".clang-tidy").read_bytes()).hexdigest()


def main() -> int:
    build, file = pathlib.Path(sys.argv[1]), (ROOT / sys.argv[2]).resolve()
    found = compile_command(build, file)
    if found is None:
        print(f"{sys.argv[2]}:1: no target compiles this file")
        return 1
    mark = CACHE / fingerprint(*found)
    if mark.exists():
        return 0
    less = ["--checks=-clang-analyzer-*"] if sys.argv[2].startswith(WITHOUT_ANALYZER) else []
    tidy = subprocess.run(["clang-tidy", "--quiet", "-p", str(build), *less, str(file)],
                          cwd=ROOT, capture_output=True, text=True)
    findings = re.findall(r"^(?:.*(?:warning|error): .*)(?:\n.*){0,2}", tidy.stdout, re.M)
    if findings or tidy.returncode:
        print("\n".join(findings) or tidy.stdout + tidy.stderr)
        return 1
    CACHE.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return 0


sys.exit(main())
