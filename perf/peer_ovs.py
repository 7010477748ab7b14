# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch with DPDK on our replay ports: a private one with its own database and sockets, one poll-mode
thread on the measuring CPU, and one flow with the actions of a router."""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import peers

PACKAGE = "openvswitch-switch-dpdk"


class OpenVSwitch:
    """Runs within a `with`."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path, tape: pathlib.Path):
        self.switch, self.server, self.tool, self.vsctl, self.ofctl = (
            peers.found("ovs", PACKAGE, name) for name in
            ("/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", "/usr/sbin/ovsdb-server", "/usr/bin/ovsdb-tool",
             "/usr/bin/ovs-vsctl", "/usr/bin/ovs-ofctl"))
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


def said_by_switch(folder: str) -> str:
    """The end of its log; empty where it never started."""
    log = pathlib.Path(folder, "ovs-vswitchd-dpdk.log")
    return log.read_text(errors="replace")[-2000:] if log.is_file() else ""


def once(program: pathlib.Path, peer: str, work: str) -> float:
    with tempfile.TemporaryDirectory(prefix="ravelin-ovs-") as folder, peers.tape_of(program, work) as tape:
        try:
            with OpenVSwitch(program, pathlib.Path(folder), tape):
                return peers.watched(program, peer, tape)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failed:
            sys.exit(f"vs: ovs: {failed}\n{(failed.stderr or b'').decode().strip()}\n{said_by_switch(folder)}")
