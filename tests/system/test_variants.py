# SPDX-License-Identifier: Apache-2.0
"""Variants for CPUs: which one is taken, and an appliance on each of them between real hosts."""
import pathlib
import shutil
import subprocess

import pytest

from lab import BUILD, binary, iperf3, iperf3_result
from wires import EVERYTHING, client_and_server, router, rule, rule_packets

RULES = [rule("no-telnet", "drop", protocol="tcp", to_ports=[23]), *EVERYTHING]


def best() -> str:
    """As dataplane/process/variant.h."""
    flags = pathlib.Path("/proc/cpuinfo").read_text().split("flags\t\t:")[1].splitlines()[0].split()
    return "avx512" if {"avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512vbmi"} <= set(flags) else "avx2"


def started(make_lab, program: str):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.dataplane = program
    lab.start(router(RULES))
    return lab


def test_the_best_that_was_built_and_runs_here_is_taken(make_lab):
    if not (BUILD / "dataplane/process" / f"ravelin-dataplane-{best()}").exists():
        pytest.skip(f"{best()} was not built")
    lab = started(make_lab, "ravelin-dataplane")
    assert lab.cli("status")["dataplane"]["variant"] == best()
    program = pathlib.Path(f"/proc/{lab.dataplane_pid()}/exe").readlink()
    assert program == binary("ravelin-dataplane").with_name(f"ravelin-dataplane-{best()}")
    assert f"CPU variant    {best()}\n" in lab.ravelin("status").stdout


def test_the_least_forwards_judges_and_follows_connections(make_lab):
    lab = started(make_lab, "ravelin-dataplane-avx2")
    assert lab.cli("status")["dataplane"]["variant"] == "avx2"
    assert lab.client.ping("10.0.2.2", count=3).returncode == 0
    sent = iperf3_result(iperf3(lab.client, lab.server, "10.0.2.2", "-n 8M"))
    assert sent["sum_received"]["bytes"] > 1_000_000
    assert lab.client.run("nc -w 1 10.0.2.2 23", check=False).returncode != 0
    assert rule_packets(lab, "no-telnet") > 0


def test_what_is_not_there_is_told(tmp_path):
    alone = shutil.copy(binary("ravelin-dataplane"), tmp_path)
    done = subprocess.run([alone, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"ravelin-dataplane: {alone}-{best()}: No such file or directory\n"
