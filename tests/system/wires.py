# SPDX-License-Identifier: Apache-2.0
"""Raw frames on a host's link, and YAML for the labs."""
import contextlib
import ctypes
import os
import socket
import struct
import threading
import time

import yaml

CLONE_NEWNET = 0x40000000
ETH_P_ALL, PACKET_AUXDATA, SOL_PACKET = 0x0003, 8, 263
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
PACKET_OUTGOING = 4


def socket_in(host, *arguments) -> socket.socket:
    """A socket that lives in the host's namespace; the caller's thread stays where it is."""
    made = []

    def inside():
        with contextlib.closing(os.fdopen(os.open(f"/run/netns/{host.name}", os.O_RDONLY))) as space:
            if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET) == 0:
                made.append(socket.socket(*arguments))
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    return made[0]


class Wire:
    """Sends and receives whole Ethernet frames on a host's eth0."""

    def __init__(self, host):
        self.socket = socket_in(host, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.bind(("eth0", ETH_P_ALL))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *frames):
        for frame in frames:
            self.socket.send(bytes(frame))

    def receive(self, wanted, seconds: float = 2.0, count: int = 1) -> list:
        """Up to `count` frames for which wanted(bytes) is true; fewer when the time is over."""
        found, end = [], time.monotonic() + seconds
        while len(found) < count and (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data, extra, _flags, address = self.socket.recvmsg(65536, 256)
            except socket.timeout:
                break
            frame = with_tag(data, extra)
            if address[2] != PACKET_OUTGOING and wanted(frame):
                found.append(frame)
        return found


def with_tag(data: bytes, extra: list) -> bytes:
    """The frame as it was on the wire: the kernel hands the VLAN tag over beside it."""
    for level, kind, value in extra:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _length, _snap, _mac, _net, tci, tpid = struct.unpack("IIIHHHH", value[:20])
            if status & TP_STATUS_VLAN_VALID:
                tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                return data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data


def rule(name: str, action: str = "accept", **members) -> dict:
    """A rule; to_ports becomes to-ports, in_ becomes in."""
    return {"name": name, "action": action,
            **{k.rstrip("_").replace("_", "-"): v for k, v in members.items()}}


EVERYTHING = [rule("everything")]
LAN, DMZ, WAN = (["10.0.1.1/24", "fd00:1::1/64"], ["10.0.2.1/24", "fd00:2::1/64"],
                 ["192.0.2.1/24", "2001:db8:2::1/64"])
ADDRESSES = {"lan": LAN, "dmz": DMZ, "wan": WAN}


def router(rules=None, ports=("lan", "dmz"), routes=(), mtu=None, **more) -> str:
    """YAML of a router; `more`: firewall={...}, workers={...}, control={...}, sets={...}."""
    firewall = {"rules": EVERYTHING if rules is None else rules, **more.pop("firewall", {})}
    stages = ["parse", "steer", {"route": {"routes": list(routes)}}, {"firewall": firewall},
              "neighbour", "local", "clamp", "rewrite"]
    return yaml.safe_dump({
        "mode": "router",
        "workers": {"hugepages": "off", **more.pop("workers", {})},
        "ports": [{"name": p, "device": f"af_packet:rv-{p}", "addresses": ADDRESSES[p],
                   **({"mtu": mtu[p]} if mtu and p in mtu else {})} for p in ports],
        "pipeline": stages, "control": {"metrics": "off", **more.pop("control", {})}, **more},
        sort_keys=False)


def client_and_server(lab, mtu: int = 1500):
    """Two hosts of router(): 10.0.1.2 fd00:1::2 on lan, 10.0.2.2 fd00:2::2 on dmz."""
    client = lab.host("client", "lan", ["10.0.1.2/24", "fd00:1::2/64"],
                      ["default via 10.0.1.1", "default via fd00:1::1"], mtu)
    server = lab.host("server", "dmz", ["10.0.2.2/24", "fd00:2::2/64"],
                      ["default via 10.0.2.1", "default via fd00:2::1"], mtu)
    return client, server


def pings(lab) -> bool:
    """Whether lab.client of client_and_server() reaches the server, over IPv4."""
    return lab.client.run("ping -n -c 2 -i 0.05 -W 1 10.0.2.2", check=False).returncode == 0


def attacker(lab):
    """A host of router() and configs/edge.yaml on wan: 192.0.2.254 2001:db8:2::fe."""
    return lab.host("attacker", "wan", ["192.0.2.254/24", "2001:db8:2::fe/64"],
                    ["default via 192.0.2.1", "default via 2001:db8:2::1"])


def rule_packets(lab, name: str) -> int:
    return next((r["packets"] for r in lab.cli("rules")["rules"] if r["name"] == name), 0)


def counter(lab, name: str) -> int:
    return next((c["value"] for c in lab.cli("counters")["counters"] if c["name"] == name), 0)


def drops(lab) -> dict:
    """Reason -> packets, without those that never happened."""
    return {d["name"].removeprefix("drop."): d["value"] for d in lab.cli("drops")["drops"] if d["value"]}
