# SPDX-License-Identifier: Apache-2.0
"""Sub-interfaces: two VLANs and untagged hosts on one link, and real TCP through them."""
import hashlib
import json
import os
import pathlib
import subprocess
import time

import pytest
import yaml

from lab import binary, iperf3, iperf3_result, wait_until
from wires import Wire, counter, drops, router, rule

MTU = 1400
TAGS = {"vlan10": "8100000a", "vlan20": "8100001481000015"}
TAGGER = pathlib.Path(__file__).with_name("tagger.py")
RULES = [rule("ping", protocol=["icmp", "icmp6"]), rule("ten-to-twenty", in_="lan.10", out="lan.20"),
         rule("ten-to-dmz", in_="lan.10", out="dmz"), rule("own", out="local", protocol="tcp", to_ports=7000)]


def config(rules=None) -> str:
    """VLAN 10 and VLAN 20.21 on lan, whose host is in all three; default deny."""
    tree = yaml.safe_load(router(RULES if rules is None else rules, firewall={"default": "drop"}))
    tree["ports"] += [
        {"name": "lan.10", "parent": "lan", "vlan": "10", "addresses": ["10.0.10.1/24", "fd00:10::1/64"], "tap": "ten"},
        {"name": "lan.20", "parent": "lan", "vlan": "20.21", "tag": "802.1q", "mtu": f"{MTU}B",
         "addresses": ["10.0.20.1/24", "fd00:20::1/64"]}]
    return yaml.safe_dump(tree, sort_keys=False)


def into_vlan(lab, host, device: str, address: str, address6: str, gateway: str):
    """The host's link has a VLAN device of its own, and nothing else to send by."""
    process = host.popen(["/usr/bin/python3", TAGGER, device, "eth0", TAGS[device]], stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    host.sysctl(**{f"net__ipv6__conf__{device}__accept_dad": 0})
    host.run(f"ip link set {device} mtu {MTU} up")
    host.run(f"ip addr add {address} dev {device}")
    # On a busy machine a link that is up may have no IPv6 yet.
    wait_until(lambda: host.run(f"ip addr add {address6} dev {device} nodad", check=False).returncode == 0, 10,
               f"{address6} on {device}")
    gateway6 = f"{address6.split('::')[0]}::1"
    # The kernel looks after the state of links once a second: until then a new one may count as down.
    wait_until(lambda: all(host.run(f"ip route get {to}", check=False).returncode == 0 for to in (gateway, gateway6)),
               30, f"{device} up")
    host.run(f"ip -4 route add 10.0.0.0/8 via {gateway}")
    host.run(f"ip -6 route add fd00::/16 via {gateway6}")


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.ten = lab.host("ten", "lan", [], [])
    lab.server = lab.host("server", "dmz", ["10.0.2.2/24", "fd00:2::2/64"],
                          ["default via 10.0.2.1", "default via fd00:2::1"])
    lab.start(config())
    into_vlan(lab, lab.ten, "vlan10", "10.0.10.2/24", "fd00:10::2/64", "10.0.10.1")
    return lab


@pytest.mark.parametrize("target", ["10.0.10.1", "fd00:10::1", "10.0.2.2", "fd00:2::2"])
def test_hosts_in_the_vlan_reach_the_box_and_what_is_behind(net, target):
    net.ten.ping(target, count=3)


def test_tcp_carries_a_file_unchanged(net):
    folder = net.directory / "www"
    folder.mkdir()
    content = os.urandom(1 << 20)
    (folder / "file").write_bytes(content)
    net.server.web(8081, folder)
    net.ten.run(f"curl -sSf -m 20 -o {folder}/got http://10.0.2.2:8081/file")
    assert hashlib.sha256((folder / "got").read_bytes()).digest() == hashlib.sha256(content).digest()


def test_counters_and_status_tell_sub_interfaces_from_their_parent(net):
    before = counter(net, "port.lan.10.rx_packets"), counter(net, "port.lan.20.rx_packets")
    net.ten.ping("10.0.10.1", count=5)
    assert counter(net, "port.lan.10.rx_packets") >= before[0] + 5
    assert counter(net, "port.lan.20.rx_packets") == before[1]
    ports = {p["name"]: p for p in net.cli("status")["ports"]}
    assert ports["lan.10"]["device"] == "lan vlan 10" and ports["lan.10"]["link_up"]
    assert ports["lan.20"]["mtu"] == MTU and ports["lan.20"]["mac"] == ports["lan"]["mac"]


def test_the_kernel_has_the_sub_interface(net):
    wait_until(lambda: "10.0.10.1" in net.box.run("ip addr show dev ten", check=False).stdout, 10, "the TAP's address")
    net.box.popen("nc -lk -p 7000")
    wait_until(lambda: net.box.run("ss -Hltn sport = :7000").stdout, 5, "somebody listens")
    net.ten.run("nc -z -w 3 10.0.10.1 7000")


def test_explain_takes_the_sub_interface_or_the_tag(net):
    for packet in "in=lan.10 udp 10.0.10.2:1 > 10.0.2.2:53", "in=lan vlan=10 udp 10.0.10.2:1 > 10.0.2.2:53":
        told = net.cli(f"explain '{packet}'")
        assert (told["rule"], told["out_port"]) == ("ten-to-dmz", "dmz"), told


def test_a_trace_of_the_sub_interface(net):
    """The filter sees no tags, and what is not of the VLAN is not told."""
    trace = net.box.popen([binary("ravelin"), "--run-dir", net.run_dir, "--json", "trace", "icmp and ip[8] != 77",
                           "--port", "lan.10", "--count", "2"])
    time.sleep(0.5)
    net.server.ping("10.0.2.1")
    net.ten.ping("10.0.2.2", options="-t 77")
    net.ten.ping("10.0.2.2", count=2)
    output, errors = trace.communicate(timeout=10)
    events = [json.loads(line) for line in output.splitlines() if '"steps"' in line]
    assert len(events) == 2, (output, errors)
    for event in events:
        assert (event["port"], event["out_port"]) == ("lan.10", "dmz"), event
        assert "10.0.10.2" in event["summary"], event


@pytest.mark.parametrize("port, tagged", [("lan.10", False), ("lan", True)])
def test_a_capture_of_either(net, tmp_path, port, tagged):
    file = tmp_path / "vlan.pcapng"
    capture = net.box.popen([binary("ravelin"), "--run-dir", net.run_dir, "capture",
                             "vlan 10 and icmp" if tagged else "icmp", "--port", port, "-w", file, "--count", "3"])
    time.sleep(0.5)
    net.server.ping("10.0.2.1")
    net.ten.ping("10.0.2.2", count=3)
    _, errors = capture.communicate(timeout=10)
    shown = subprocess.run(["tshark", "-r", file, "-T", "fields", "-e", "frame.interface_name", "-e", "vlan.id",
                            "-e", "ip.src", "-e", "icmp.type", "-e", "frame.len"],
                           capture_output=True, text=True, check=True).stdout.splitlines()
    size = 14 + 20 + 8 + 56 + (4 if tagged else 0)
    assert shown == ["\t".join([port, "10" if tagged else "", "10.0.10.2", "8", str(size)])] * 3, errors


def test_two_tags_and_tags_of_nobody(net):
    """By hand: what the box sends and what it refuses, bit for bit."""
    from scapy.all import ARP, ICMP, IP, UDP, Dot1Q, Ether, Raw
    mac = next(p["mac"] for p in net.cli("status")["ports"] if p["name"] == "lan")
    asking = (Ether(src="02:00:00:00:20:02", dst="ff:ff:ff:ff:ff:ff") / Dot1Q(vlan=20) / Dot1Q(vlan=21) /
              ARP(hwsrc="02:00:00:00:20:02", psrc="10.0.20.2", pdst="10.0.20.1"))
    ping = (Ether(src="02:00:00:00:20:02", dst=mac) / Dot1Q(vlan=20, prio=5) / Dot1Q(vlan=21) /
            IP(src="10.0.20.2", dst="10.0.2.2") / ICMP(id=7, seq=1) / Raw(b"tagged"))
    stray = Ether(src="02:00:00:00:20:02", dst=mac) / Dot1Q(vlan=99) / IP(src="10.0.10.2", dst="10.0.2.2") / UDP()
    head = bytes.fromhex("020000002002" + mac.replace(":", "") + TAGS["vlan20"])
    with Wire(net.ten) as wire:
        wire.send(asking)
        assert wire.receive(lambda f: f.startswith(head + bytes.fromhex("0806")))
        wire.send(ping)
        assert wire.receive(lambda f: f.startswith(head + bytes.fromhex("0800")) and f.endswith(b"tagged"))
        before = drops(net).get("parse.vlan", 0)
        wire.send(stray)
        wait_until(lambda: drops(net).get("parse.vlan", 0) == before + 1, 3, "the stray frame is dropped by name")


def test_throughput_survives_the_tags(net):
    """No figure: a transfer of a second that ends in order on both sides."""
    assert iperf3_result(iperf3(net.ten, net.server, "10.0.2.2", "-t 1"))["sum_received"]["bytes"] > 0
