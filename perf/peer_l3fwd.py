# SPDX-License-Identifier: Apache-2.0
"""DPDK's example l3fwd on our replay ports, built for this CPU from the sources in package dpdk-doc.

Beside -march three things are changed before it is compiled: no offloads are asked for, which these ports lack, and
its tables of routes and of memory for them are made large enough for a full table. It answers no ARP, counts nothing,
and checks no more than version, length and TTL: a floor and no product.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import peers

SOURCES = "/usr/share/dpdk/examples/l3fwd"
CHANGES = (("main.c", r"RTE_ETH_RX_OFFLOAD_CHECKSUM", "0"),
           ("l3fwd_lpm.c", r"(IPV4_L3FWD_LPM_MAX_RULES\s+)1024", r"\g<1>(1 << 20)"),
           ("l3fwd_lpm.c", r"(IPV4_L3FWD_LPM_NUMBER_TBL8S )\(1 << 8\)", r"\g<1>(1 << 17)"),
           ("l3fwd_fib.c", r"config_ipv4.max_routes = \(1 << 16\)", "config_ipv4.max_routes = (1 << 20)"),
           ("l3fwd_fib.c", r"config_ipv4.dir24_8.num_tbl8 = \(1 << 15\)", "config_ipv4.dir24_8.num_tbl8 = (1 << 17)"))
LOOKUPS = {"l3fwd": "lpm", "l3fwd-fib": "fib", "l3fwd-acl": "acl"}
MEMORY = 1024  # MiB; a full table


def built(program: pathlib.Path) -> pathlib.Path:
    """The program; made once a build directory."""
    main = pathlib.Path(peers.found("l3fwd", "dpdk-doc", f"{SOURCES}/main.c"))
    folder = program.parent / "peers" / "l3fwd"
    if (folder / "build" / "l3fwd").exists():
        return folder / "build" / "l3fwd"
    shutil.rmtree(folder.parent, ignore_errors=True)
    shutil.copytree(main.parents[1] / "common", folder.parent / "common")
    shutil.copytree(main.parent, folder)
    for name, before, after in CHANGES:
        text, times = re.subn(before, after, (folder / name).read_text())
        if not times:
            sys.exit(f"vs: l3fwd: {name} of this DPDK has no {before}")
        (folder / name).write_text(text)
    # After DPDK's own -march, which is for any CPU.
    done = subprocess.run(["make", "-s", "-C", folder, "shared", "LDFLAGS=-march=native"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"vs: l3fwd does not build:\n{done.stderr[-2000:]}")
    return folder / "build" / "l3fwd"


def rule_lines(about: dict) -> str:
    """One line a rule, whose way out is port 1."""
    lines = []
    for rule in about["rules"]:
        low, high = rule["to_ports"][0] if rule["to_ports"] else (0, 65535)
        protocol = f"{rule['protocols'][0]}/255" if rule["protocols"] else "0/0"
        lines.append(f"R{rule['from'][0]} {rule['to'][0]} 0 : 65535 {low} : {high} {protocol} 1")
    return "\n".join(lines) + "\n"


def words(executable: pathlib.Path, program: pathlib.Path, peer: str, folder: pathlib.Path) -> list:
    cpu = max(os.sched_getaffinity(0))
    return [executable, "-d", program.parent / "librte_net_replay.so", "--vdev=net_replay", "--no-pci", "--no-telemetry",
            "--force-max-simd-bitwidth=512", "--log-level=error", "-l", str(cpu), *peers.memory_words(MEMORY).split(), "--",
            "-p", "0x3", f"--config=(0,0,{cpu}),(1,0,{cpu})", f"--lookup={LOOKUPS[peer]}", f"--rule_ipv4={folder}/v4",
            f"--rule_ipv6={folder}/v6", "--eth-dest=0,02:00:00:00:01:01", "--eth-dest=1,02:00:00:00:01:02", "--parse-ptype"]


def write_tables(program: pathlib.Path, peer: str, work: str, folder: pathlib.Path):
    about = peers.about(program, work)
    routes = [f"R{prefix} 1" for prefix in about["routes"]]
    (folder / "v4").write_text(rule_lines(about) if peer == "l3fwd-acl" else "\n".join(routes) + "\n")
    # It wants some of IPv6 too.
    (folder / "v6").write_text("R2001:db8:0:0:0:0:0:0/32 0:0:0:0:0:0:0:0/0 0 : 65535 0 : 65535 0/0 1\n" if peer == "l3fwd-acl" else "R2001:db8::/32 1\n")


def carry_lost(expected: bytes, found: bytes) -> bool:
    """It adds one to the header's checksum when it takes one from the TTL, and leaves the carry away: 1 packet in 65,536."""
    return expected[:24] == found[:24] and expected[26:] == found[26:]


def once(program: pathlib.Path, peer: str, work: str) -> float:
    executable = built(program)
    with tempfile.TemporaryDirectory(prefix="ravelin-l3fwd-") as name, peers.tape_of(program, work) as tape:
        folder = pathlib.Path(name)
        write_tables(program, peer, work, folder)
        with (folder / "log").open("w") as log:
            running = subprocess.Popen(words(executable, program, peer, folder), stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, env={**os.environ, "RAVELIN_TAPE": str(tape)})
        try:
            time.sleep(2)
            return peers.watched(program, peer, tape, carry_lost)
        except SystemExit:
            print(f"vs: {peer} says:\n{(folder / 'log').read_text()[-2000:]}", file=sys.stderr)
            raise
        finally:
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
