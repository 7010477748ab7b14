# SPDX-License-Identifier: Apache-2.0
"""perf/run vs: ours and another program over the same replay port, A B A B.

Work: l3-1, IPv4 forwarding of 65,536 flows by one route. What leaves is checked byte by byte (one frame in
1,024): MACs of the next hop, TTL less one, checksum right, the rest as it was. testpmd only moves frames (io),
so it is the ceiling and no router. Open vSwitch gets one flow with the same actions.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import results

NOT_INSTALLED = 3
PACKAGES = {"testpmd": "dpdk", "ovs": "openvswitch-switch-dpdk"}
SECONDS = 1.0


class NotInstalled(Exception):
    """The peer is not on this machine."""


def found(peer: str, *names: str) -> str:
    """The first of these programs; $RAVELIN_PEERS is a root that is looked into first."""
    root = os.environ.get("RAVELIN_PEERS")
    for name in names:
        for base in filter(None, (root, "/")):
            if os.access(pathlib.Path(base) / name.lstrip("/"), os.X_OK):
                return str(pathlib.Path(base) / name.lstrip("/"))
    raise NotInstalled(f"{peer} is not installed (package {PACKAGES[peer]})")


def watch(program: pathlib.Path, tape: pathlib.Path) -> dict:
    done = subprocess.run([program.parent / "ravelin-tape", "watch", tape, str(SECONDS)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"vs: {done.stderr.strip()}")
    return json.loads(done.stdout)


class OpenVSwitch:
    """A private one: own database, own sockets, one poll-mode thread on the measuring CPU."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path, tape: pathlib.Path):
        self.switch = found("ovs", "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk")
        self.server, self.tool = found("ovs", "/usr/sbin/ovsdb-server"), found("ovs", "/usr/bin/ovsdb-tool")
        self.vsctl, self.ofctl = found("ovs", "/usr/bin/ovs-vsctl"), found("ovs", "/usr/bin/ovs-ofctl")
        self.folder, self.running = folder, []
        self.environment = {**os.environ, "RAVELIN_TAPE": str(tape), "OVS_RUNDIR": str(folder), "OVS_DBDIR": str(folder),
                            "OVS_LOGDIR": str(folder)}
        cpu = max(os.sched_getaffinity(0))
        self.extra = f"-d {program.parent}/librte_net_replay.so --vdev=net_replay --no-pci --in-memory " \
                     f"--no-telemetry --force-max-simd-bitwidth=512 -l {cpu}"
        self.mask = hex(1 << cpu)

    def call(self, *words):
        subprocess.run(words, env=self.environment, check=True, capture_output=True, timeout=60)

    def start(self, *words):
        log = (self.folder / f"{pathlib.Path(words[0]).name}.log").open("w")
        self.running.append(subprocess.Popen(words, env=self.environment, stdout=log, stderr=log))

    def set(self, *words):
        self.call(self.vsctl, f"--db=unix:{self.folder}/db.sock", *words)

    def __enter__(self):
        try:
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def set_up(self):
        schema = pathlib.Path(self.tool).parents[1] / "share/openvswitch/vswitch.ovsschema"
        self.call(self.tool, "create", self.folder / "conf.db", schema)
        self.start(self.server, f"--remote=punix:{self.folder}/db.sock", self.folder / "conf.db")
        time.sleep(0.5)
        self.set("--no-wait", "init")
        self.set("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                 f'other_config:dpdk-extra="{self.extra}"', f"other_config:pmd-cpu-mask={self.mask}")
        self.start(self.switch, f"unix:{self.folder}/db.sock")
        self.set("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail-mode=secure")
        for number, side in ((1, "lan"), (2, "wan")):
            self.set("add-port", "br0", side, "--", "set", "Interface", side, "type=dpdk",
                     f"options:dpdk-devargs=net_null_{side}", f"ofport_request={number}")
        self.call(self.ofctl, "add-flow", f"unix:{self.folder}/br0.mgmt",
                  "in_port=1,ip,actions=dec_ttl,mod_dl_src:02:00:00:00:00:02,mod_dl_dst:02:00:00:00:01:02,output:2")
        time.sleep(1)

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def ours(program: pathlib.Path, args) -> dict:
    done = subprocess.run([program, "l3-1", "--runs", "1", "--json", *(["--quick"] if args.quick else [])],
                          stdout=subprocess.PIPE, text=True)
    if not done.stdout.startswith("{"):
        sys.exit("vs: ours does not run")
    return json.loads(done.stdout)["metrics"]


def said_by_switch(folder: str) -> str:
    """The end of its log; empty where it never started."""
    log = pathlib.Path(folder, "ovs-vswitchd-dpdk.log")
    return log.read_text(errors="replace")[-2000:] if log.is_file() else ""


def one_of_ovs(program: pathlib.Path) -> float:
    with tempfile.TemporaryDirectory(prefix="ravelin-ovs-") as folder:
        tape = pathlib.Path("/dev/shm") / f"ravelin-tape-{os.getpid()}.vs"
        try:
            subprocess.run([program.parent / "ravelin-tape", "write", tape], check=True)
            with OpenVSwitch(program, pathlib.Path(folder), tape):
                seen = watch(program, tape)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
            sys.exit(f"vs: ovs: {failed}\n{(failed.stderr or b'').decode().strip()}\n{said_by_switch(folder)}")
        finally:
            tape.unlink(missing_ok=True)
    if seen["wrong"] or not seen["checked"]:
        sys.exit(f"vs: ovs: {seen['wrong']} of {seen['checked']} frames looked at are wrong")
    return seen["cycles_per_packet"]


def run(program: pathlib.Path, args) -> int:
    a, b = [], []
    try:
        if args.peer == "testpmd":
            found("testpmd", "/usr/bin/dpdk-testpmd")
        for number in range(args.runs):
            measured = ours(program, args)
            a.append(measured["cycles_per_packet"]["median"])
            b.append(one_of_ovs(program) if args.peer == "ovs" else measured["testpmd_io_cycles_per_packet"]["median"])
            print(f"vs: run {number + 1} of {args.runs}: ours {a[-1]:.1f}, {args.peer} {b[-1]:.1f}", file=sys.stderr)
    except NotInstalled as lacking:
        print(f"vs: {lacking}", file=sys.stderr)
        return NOT_INSTALLED
    unit = "tsc cycles/packet"
    metrics = {"cycles_per_packet": results.metric(a, unit),
               f"{args.peer}_cycles_per_packet": results.metric(b, unit),
               "peer_over_ours": results.metric([y / x for x, y in zip(a, b)], "ratio")}
    return results.show({"bench": "vs", "metrics": metrics, **results.about(program),
                         "config": {"peer": args.peer, "runs": args.runs, "work": "l3-1"}}, args.json)
