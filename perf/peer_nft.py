# SPDX-License-Identifier: Apache-2.0
"""The kernel's routing and nftables beside Ravelin, both between veth pairs in namespaces, offloads off on both.

The same generator plays the same tape into either by a packet socket on the first CPU; what arrives behind it is
counted by the sink's interface. Ravelin's worker polls sockets (af_packet) on the last CPU. nftables gets the rules one
after the other (linear) and as one set of concatenated intervals (set), and each both where the generator's CPU
forwards (inline: the generator waits for it) and where the last CPU does (rps). Needs root.
"""
import contextlib
import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))

import lab as lab_module  # noqa: E402
import peers  # noqa: E402
import results  # noqa: E402
import wires  # noqa: E402

LAN, WAN, SENDER, SINK = "10.0.1.1", "192.0.2.1", "10.0.1.2", "192.0.2.254"
BEHIND = {"10.0.0.0/8": SENDER, "198.18.0.0/15": SINK}  # where the tapes' hosts are
UNIT = "Mpps"


def our_rules(about: dict) -> list:
    """As the firewall reads them."""
    names = {6: "tcp", 17: "udp"}
    return [wires.rule(f"r{i}", from_=r["from"], to=r["to"], protocol=names[r["protocols"][0]],
                       to_ports=["-".join(map(str, p)) for p in r["to_ports"]], stateful=False)
            for i, r in enumerate(about["rules"])]


def match(rule: dict, separator: str) -> str:
    """Addresses, protocol and port of one rule."""
    (low, high), protocol = rule["to_ports"][0], {6: "tcp", 17: "udp"}[rule["protocols"][0]]
    port = str(low) if low == high else f"{low}-{high}"
    if separator:
        return separator.join((rule["from"][0], rule["to"][0], protocol, port))
    return f"ip saddr {rule['from'][0]} ip daddr {rule['to'][0]} {protocol} dport {port}"


def linear(about: dict) -> str:
    rules = "\n".join(f"    {match(r, '')} accept" for r in about["rules"])
    return f"table ip t {{\n  chain f {{\n    type filter hook forward priority 0; policy drop;\n{rules}\n  }}\n}}\n"


def one_set(about: dict) -> str:
    elements = ",\n".join(dict.fromkeys(match(r, " . ") for r in about["rules"]))
    return ("table ip t {\n  set s {\n    type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags interval;\n"
            f"    elements = {{ {elements} }}\n  }}\n  chain f {{\n    type filter hook forward priority 0; policy drop;\n"
            "    ip saddr . ip daddr . meta l4proto . th dport @s accept\n  }\n}\n")


class Kernel:
    """A namespace that routes between a sender and a sink; what both sides of the comparison have in common is there
    as `sender`, `sink` and `mac`."""

    def __init__(self, tag: str):
        self.box = lab_module.Namespace(f"{tag}-kernel")
        self.hosts = []
        try:
            self.box.sysctl(net__ipv4__ip_forward=1, net__ipv4__conf__all__rp_filter=0, net__ipv4__conf__default__rp_filter=0)
            self.sender, self.sink = self.host(tag, "lan", SENDER, LAN), self.host(tag, "wan", SINK, WAN)
            for network, via in BEHIND.items():
                self.box.run(f"ip route add {network} via {via}")
            self.mac = self.box.run("cat /sys/class/net/lan/address").stdout.strip()
        except BaseException:
            self.close()
            raise

    def host(self, tag: str, port: str, address: str, own: str):
        host = lab_module.Host(f"{tag}-k{port}", [f"{address}/24"], [f"default via {own}"])
        self.hosts.append(host)
        self.box.run(f"ip link add {port} type veth peer name eth0 netns {host.name}")
        self.box.run(f"ethtool -K {port} {lab_module.OFFLOADS}", check=False)
        self.box.run(f"ip link set {port} up")
        self.box.run(f"ip addr add {own}/24 dev {port}")
        host.come_up(1500)
        return host

    def load(self, ruleset: str, folder: pathlib.Path, rps: bool):
        file = folder / "ruleset.nft"
        file.write_text("flush ruleset\n" + ruleset)
        self.box.run(["nft", "-f", file], timeout=120)
        mask = f"{1 << max(os.sched_getaffinity(0)):x}" if rps else "0"
        self.box.run(["sh", "-c", f"echo {mask} > /sys/class/net/lan/queues/rx-0/rps_cpus"])

    def close(self):
        for host in self.hosts:
            host.close()
        self.box.close()


def received(host) -> int:
    return int(host.run("cat /sys/class/net/eth0/statistics/rx_packets").stdout)


def rate(program: pathlib.Path, side, tape: pathlib.Path, seconds: float) -> float:
    """Million packets a second that arrive behind it while the generator runs."""
    before = received(side.sink)
    said = side.sender.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), program.parent / "ravelin-tape", "send",
                            tape, "eth0", side.mac, str(seconds)], timeout=seconds + 60).stdout
    time.sleep(0.2)
    return (received(side.sink) - before) / json.loads(said)["seconds"] / 1e6


def start_ours(lab, about: dict):
    lab.sender = lab.host("sender", "lan", [f"{SENDER}/24"], [f"default via {LAN}"])
    lab.sink = lab.host("sink", "wan", [f"{SINK}/24"], [f"default via {WAN}"])
    lab.start(wires.router(our_rules(about), ports=("lan", "wan"), routes=[{"to": n, "via": v} for n, v in BEHIND.items()],
                           workers={"poll": "busy", "cpus": [max(os.sched_getaffinity(0))]}), seconds=60)
    lab.mac = next(p["mac"] for p in lab.cli("status")["ports"] if p["name"] == "lan")


def rates(program: pathlib.Path, work: str, args) -> dict:
    """Metrics of both; `ours_over_NAME` are ratios of the same turn."""
    peers.found("nft", "nftables", "/usr/sbin/nft")
    if why := lab_module.missing():
        raise SystemExit(f"vs: nft: {why}")
    about, seconds = peers.about(program, work), 0.3 if args.quick else 2
    rulesets = {"nft_linear": linear(about), "nft_set": one_set(about)}
    taken = {}
    with contextlib.ExitStack() as stack:
        tape = stack.enter_context(peers.tape_of(program, work))
        lab = stack.enter_context(lab_module.Lab(program.parent.parent))
        kernel = Kernel(lab.tag)
        stack.callback(kernel.close)
        start_ours(lab, about)
        for number in range(args.runs):
            for name, ruleset in rulesets.items():
                for rps in (False, True):
                    kernel.load(ruleset, lab.directory, rps)
                    ours = rate(program, lab, tape, seconds)
                    theirs = rate(program, kernel, tape, seconds)
                    key = name + ("_rps" if rps else "")
                    taken.setdefault("ours", []).append(ours)
                    taken.setdefault(key, []).append(theirs)
                    taken.setdefault(f"ours_over_{key}", []).append(ours / max(theirs, 1e-9))
                    print(f"vs: run {number + 1} of {args.runs}: ours {ours:.3f}, {key} {theirs:.3f} Mpps", file=sys.stderr)
    return {name: results.metric(values, "ratio" if "over" in name else UNIT) for name, values in taken.items()}
