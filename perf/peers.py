# SPDX-License-Identifier: Apache-2.0
"""perf/run vs: ours and another program at the same work, A B A B.

--peer testpmd        moves frames and is no router (io): the ceiling
       ovs            Open vSwitch with DPDK: one flow that does what a router does, work l3-1
       l3fwd          DPDK's example of a router (lpm), built from the sources that package dpdk-doc carries
       l3fwd-fib      the same by its other table of routes
       l3fwd-acl      the same example behind rules; its one lookup says the way out too, so it has no routes
       nft            the kernel's routing and nftables on veth, where Ravelin's ports are sockets (peer_nft.py)
--work NAME           l3-1, l3-128k, l3-full; acl-10, acl-1k, acl-10k for l3fwd-acl and nft

All but nft play the tape of our bench through the same replay ports on the same core, and what leaves is checked
byte by byte (one frame in 1,024): MACs of the next hop, TTL less one, checksum right, the rest as it was.
"""
import contextlib
import importlib
import json
import os
import pathlib
import subprocess
import sys

import results

NOT_INSTALLED = 3
SECONDS = 1.0
ROUTES, RULES = ("l3-1", "l3-128k", "l3-full"), ("acl-1k", "acl-10", "acl-10k")
# Module and works of each, the first unless told otherwise.
PEERS = {"testpmd": (None, ("l3-1",)), "ovs": ("peer_ovs", ("l3-1",)), "l3fwd": ("peer_l3fwd", ROUTES),
         "l3fwd-fib": ("peer_l3fwd", ROUTES), "l3fwd-acl": ("peer_l3fwd", RULES), "nft": ("peer_nft", RULES)}
UNIT = "tsc cycles/packet"


class NotInstalled(Exception):
    """The peer is not on this machine."""


def found(peer: str, package: str, *names: str) -> str:
    """The first of these files; $RAVELIN_PEERS is a root that is looked into first."""
    root = os.environ.get("RAVELIN_PEERS")
    for name in names:
        for base in filter(None, (root, "/")):
            if os.access(pathlib.Path(base) / name.lstrip("/"), os.R_OK):
                return str(pathlib.Path(base) / name.lstrip("/"))
    raise NotInstalled(f"{peer} is not installed (package {package})")


def tool(program: pathlib.Path, *words) -> str:
    """What ravelin-tape prints."""
    done = subprocess.run([program.parent / "ravelin-tape", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"vs: {done.stderr.strip()}")
    return done.stdout


def about(program: pathlib.Path, work: str) -> dict:
    """Its routes and rules."""
    return json.loads(tool(program, "about", work))


@contextlib.contextmanager
def tape_of(program: pathlib.Path, work: str):
    """A file to be played, for as long."""
    tape = pathlib.Path("/dev/shm") / f"ravelin-tape-{os.getpid()}.vs"
    try:
        tool(program, "write", tape, work)
        yield tape
    finally:
        tape.unlink(missing_ok=True)


def watched(program: pathlib.Path, peer: str, tape: pathlib.Path, known_wrong=lambda expected, found: False) -> float:
    """Cycles a packet of whoever plays it. `known_wrong`: of the first wrong frame, whether that is the peer's way; then
    a thousandth may be so."""
    seen = json.loads(tool(program, "watch", tape, SECONDS))
    wrong, checked = seen["wrong"], seen["checked"]
    if not checked or (wrong and not (wrong <= checked / 1000 and
                                      known_wrong(*(bytes.fromhex(seen[name]) for name in ("expected", "found"))))):
        sys.exit(f"vs: {peer}: {wrong} of {checked} frames looked at are wrong, the first:\n"
                 f"  expected {seen.get('expected')}\n  found    {seen.get('found')}")
    return seen["cycles_per_packet"]


def memory_words(size: int) -> str:
    """EAL's options: huge pages where so many MiB are free, else none."""
    free = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
    enough = free.exists() and int(free.read_text()) * 2 >= size
    return "--in-memory" if enough else f"--no-huge --no-shconf -m {size}"


def ours(program: pathlib.Path, work: str, args) -> dict:
    words = [program, work, "--runs", "1", "--json", *(["--quick"] if args.quick else []),
             *(["--only", "mix"] if work in ("acl-1k", "acl-10k") else [])]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    if not done.stdout.startswith("{"):
        sys.exit("vs: ours does not run")
    return {name: m["median"] for name, m in json.loads(done.stdout)["metrics"].items()}


def in_turns(program: pathlib.Path, peer, work: str, args) -> dict:
    """Metrics of both, on replay ports."""
    a, io, b = [], [], []
    for number in range(args.runs):
        measured = ours(program, work, args)
        a.append(measured["cycles_per_packet"])
        io.append(measured["io_cycles_per_packet"])
        b.append(peer.once(program, args.peer, work) if peer else measured["testpmd_io_cycles_per_packet"])
        print(f"vs: run {number + 1} of {args.runs}: ours {a[-1]:.1f}, {args.peer} {b[-1]:.1f}", file=sys.stderr)
    return {"cycles_per_packet": results.metric(a, UNIT), f"{args.peer}_cycles_per_packet": results.metric(b, UNIT),
            "io_cycles_per_packet": results.metric(io, UNIT),
            "net_cycles_per_packet": results.metric([x - y for x, y in zip(a, io)], UNIT),
            f"{args.peer}_net_cycles_per_packet": results.metric([x - y for x, y in zip(b, io)], UNIT),
            "peer_over_ours": results.metric([y / x for x, y in zip(a, b)], "ratio")}


def run(program: pathlib.Path, args) -> int:
    module, works = PEERS[args.peer]
    work = args.work or works[0]
    if work not in works:
        print(f"vs: --work: found '{work}', expected one of {', '.join(works)} for {args.peer}", file=sys.stderr)
        return 2
    peer = importlib.import_module(module) if module else None
    try:
        if peer is None:
            found("testpmd", "dpdk", "/usr/bin/dpdk-testpmd")
        elif hasattr(peer, "rates"):
            metrics = peer.rates(program, work, args)
        if peer is None or hasattr(peer, "once"):
            metrics = in_turns(program, peer, work, args)
    except NotInstalled as lacking:
        print(f"vs: {lacking}", file=sys.stderr)
        return NOT_INSTALLED
    return results.show({"bench": "vs", "metrics": metrics, **results.about(program),
                         "config": {"peer": args.peer, "runs": args.runs, "work": work}}, args.json)
