# SPDX-License-Identifier: Apache-2.0
"""perf/run far: the generator in a process and on a CPU of its own, Ravelin as it ships on another, memif between them.

dpdk-testpmd moves frames between our replay ports, which make, check and count them, and two memif ports; what
Ravelin forwards comes back by the second. What crosses between CPUs depends on where the host puts these (README.md),
so their distance is measured before and after each window while both processes stand still: a window that
it changed in is left out, and near and far are told apart. A window in which next to nothing arrives is stalled and is
told, not averaged in. The link is part of the figure: what a packet costs is told by the other benches. Needs root.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))

import lab as lab_module  # noqa: E402
import peers  # noqa: E402
import results  # noqa: E402

SECONDS, SETTLE, PATIENCE = 1.0, 0.3, 10
STALLED = 0.01  # Mpps
LAN, WAN = "02:00:00:00:00:01", "02:00:00:00:00:02"


def cpus() -> tuple:
    """The generator's and Ravelin's."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def policy(work: dict, socket: pathlib.Path) -> dict:
    """A router with the work's routes, and its rules if it has any."""
    ports = [{"name": name, "device": f"memif:id={i},role=server,rsize=11,socket={socket},socket-abstract=no", "mac": mac,
              "addresses": [own]} for i, (name, mac, own) in enumerate((("lan", LAN, "10.0.0.1/24"), ("wan", WAN, "192.0.2.1/24")))]
    routes = [{"to": "10.0.0.0/8", "via": "10.0.0.2"}, {"to": "0.0.0.0/0", "via": "192.0.2.2"},
              *({"to": prefix, "via": "192.0.2.2"} for prefix in work["routes"])]
    gateways = [{"port": "lan", "address": "10.0.0.2", "mac": "02:00:00:00:01:01"},
                {"port": "wan", "address": "192.0.2.2", "mac": "02:00:00:00:01:02"}]
    import peer_nft
    firewall = [{"firewall": {"rules": peer_nft.our_rules(work)}}] if work["rules"] else []
    return {"mode": "router", "workers": {"count": 1, "poll": "busy", "cpus": [str(cpus()[1])], "buffers": 16384}, "ports": ports,
            "pipeline": ["parse", "steer", {"route": {"routes": routes}}, *firewall, {"neighbour": {"static": gateways}}, "local",
                         "clamp", "rewrite"], "control": {"metrics": "off"}}


class Generator:
    """testpmd between our ports and memif, within a `with`."""

    def __init__(self, program: pathlib.Path, tape: pathlib.Path, socket: pathlib.Path, log: pathlib.Path):
        cpu = cpus()[0]
        links = [f"--vdev=net_memif{i},id={i},role=client,rsize=11,socket={socket},socket-abstract=no" for i in (0, 1)]
        self.words = [peers.found("testpmd", "dpdk", "/usr/bin/dpdk-testpmd"), "-d", program.parent / "librte_net_replay.so",
                      "--vdev=net_replay", *links, "--no-pci", "--no-telemetry", f"--lcores=0@{cpu},1@{cpu}", "--log-level=error",
                      *peers.memory_words(256).split(), "--", "-i", "--forward-mode=io", "--portlist=0,2,1,3", "--burst=32",
                      "--nb-cores=1", "--total-num-mbufs=16384", "--no-flush-rx"]
        self.environment, self.log, self.process = {**os.environ, "RAVELIN_TAPE": str(tape)}, log, None

    def __enter__(self):
        with self.log.open("w") as log:
            self.process = subprocess.Popen(self.words, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True, env=self.environment)
        time.sleep(2)
        self.say("start")
        time.sleep(1)
        return self

    def say(self, line: str):
        if self.process.poll() is not None:
            raise SystemExit(f"far: testpmd ended with {self.process.returncode}:\n{self.log.read_text()[-2000:]}")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError, SystemExit):
            self.say("quit")
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def standing(*pids: int):
    """Both processes stand still meanwhile."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def counted(program: pathlib.Path, tape: pathlib.Path) -> dict:
    return json.loads(peers.tool(program, "seen", tape))


def window(program: pathlib.Path, tape: pathlib.Path, seconds: float) -> tuple:
    """Mpps that came back, and the share of what was offered."""
    time.sleep(SETTLE)
    before, start = counted(program, tape), time.monotonic()
    time.sleep(seconds)
    after, took = counted(program, tape), time.monotonic() - start
    if after["wrong"]:
        raise SystemExit(f"far: {after['wrong']} of {after['checked']} frames looked at are wrong")
    returned, offered = after["sent"] - before["sent"], after["received"] - before["received"]
    return returned / took / 1e6, returned / max(1, offered)


def take(program: pathlib.Path, tape: pathlib.Path, pids: tuple, args) -> dict:
    """Windows by state: near, far, flipped, stalled."""
    taken = {}

    def distance() -> str:
        with standing(*pids):
            return json.loads(peers.tool(program, "distance")).get("state", "alone")
    before = distance()
    for number in range(2 * args.runs if args.quick else 4 * args.runs):
        mpps, share = window(program, tape, SECONDS / (5 if args.quick else 1))
        after = distance()
        state = "stalled" if mpps < STALLED else before if before == after else "flipped"
        taken.setdefault(state, []).append((mpps, share))
        print(f"far: window {number + 1}: {mpps:.2f} Mpps, {before} before and {after} after", file=sys.stderr)
        before = after
    return taken


def report(taken: dict, work: str) -> dict:
    metrics = {}
    for state in ("near", "far", "alone"):
        if state in taken:
            metrics[f"{state}_mpps"] = results.metric([mpps for mpps, _ in taken[state]], "Mpps")
            metrics[f"{state}_returned"] = results.metric([share for _, share in taken[state]], "of what was offered")
    out = {"bench": "far", "metrics": metrics, "config": {"work": work, "windows": {s: len(w) for s, w in taken.items()}}}
    if not metrics:
        out["void"] = [f"no window held: {out['config']['windows']}"]
    return out


def run(program: pathlib.Path, args) -> int:
    import yaml
    work = args.work or "l3-1"
    if why := lab_module.missing():
        raise SystemExit(f"far: {why}")
    try:
        with contextlib.ExitStack() as stack:
            tape = stack.enter_context(peers.tape_of(program, work))
            lab = stack.enter_context(lab_module.Lab(program.parent.parent))
            socket = lab.directory / "memif.sock"
            generator = Generator(program, tape, socket, lab.directory / "testpmd.log")
            lab.write(yaml.safe_dump(policy(peers.about(program, work), socket), sort_keys=False))
            lab.start_control()
            lab_module.wait_until(lambda: lab.dataplane_pid() and socket.exists(), PATIENCE, "the data plane offers its memif")
            stack.enter_context(generator)
            lab.wait_ready(PATIENCE)
            pid = lab.dataplane_pid()
            taken = take(program, tape, (generator.process.pid, pid), args)
            if lab.dataplane_pid() != pid:
                raise SystemExit(f"far: the data plane ended meanwhile:\n{lab.log_tail()}")
    except peers.NotInstalled as lacking:
        print(f"far: {lacking}", file=sys.stderr)
        return peers.NOT_INSTALLED
    return results.show({**report(taken, work), **results.about(program)}, args.json)
