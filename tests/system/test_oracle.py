# SPDX-License-Identifier: Apache-2.0
"""A smoke of the oracle: twenty seconds of rules and packets through Ravelin and Linux nftables."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import lab as lab_module
import pytest

KINDS = {"rules", "sets", "tcp", "mutation", "icmp", "fragments", "extensions", "oddities"}
IMPORT_ORACLE = lab_module.BUILD / "tests" / "oracle" / "import_oracle"
ORACLE = lab_module.BUILD / "tests" / "oracle" / "oracle"
DOCUMENT = lab_module.ROOT / "tests" / "oracle" / "differences.md"
CANNOT_RUN_HERE = 4

pytestmark = pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft (scripts/deps)")


def test_every_documented_difference_is_known_to_the_tool():
    listed = subprocess.run([ORACLE, "--list"], capture_output=True, text=True, check=True)
    written = re.findall(r"^## ([a-z0-9-]+)$", DOCUMENT.read_text(), re.MULTILINE)
    assert written == listed.stdout.split()


def test_same_rules_same_packets_same_verdicts():
    environment = {"RAVELIN_DATA": str(lab_module.ROOT / ".." / "shared" / "data"), **os.environ}
    done = subprocess.run([ORACLE, "--minutes", "0.33", "--json", "--show", "3"], text=True,
                          capture_output=True, timeout=300, env=environment)
    if done.returncode == CANNOT_RUN_HERE:
        pytest.skip(done.stderr.strip())
    result = json.loads(done.stdout)
    assert not result["errors"], "\n".join(result["errors"])
    assert not result["new"], "\n".join(result["reproductions"])
    assert done.returncode == 0, done.stderr
    real_sets = pathlib.Path(environment["RAVELIN_DATA"]).is_dir()
    assert set(result["packets_by_kind"]) == (KINDS if real_sets else KINDS - {"sets"})
    # Both sides say yes, no and "told so" about something, or nothing was compared.
    assert {"forwarded", "dropped", "reset", "icmp 3/13"} <= set(result["verdicts"])


@pytest.mark.skipif(shutil.which("iptables-nft-restore") is None,
                    reason="needs iptables-nft-restore (scripts/deps)")
def test_imported_rules_accept_nothing_that_the_kernel_denies():
    files = sorted((lab_module.ROOT / "tests" / "oracle" / "import").glob("*.rules"))
    done = subprocess.run([IMPORT_ORACLE, *files], text=True, capture_output=True, timeout=300)
    if done.returncode == CANNOT_RUN_HERE:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    if len(skipped) == len(files):
        pytest.skip("\n".join(skipped))
