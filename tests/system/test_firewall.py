# SPDX-License-Identifier: Apache-2.0
"""configs/edge.yaml against a scanner, and what a policy change does to connections under way."""
import socket
import time

import pytest
from scapy.all import IP, TCP, UDP, Ether, Raw

from lab import ROOT, iperf3, iperf3_result, wait_until
from wires import (EVERYTHING, Wire, attacker, client_and_server, counter, drops, router, rule,
                   rule_packets, socket_in)

SCANNED = 200


def scan(host, target: str, ports: str) -> list:
    """Open ports by a SYN scan."""
    family = "-6" if ":" in target else ""
    done = host.run(f"nmap {family} -n -Pn -sS -p {ports} --max-retries 1 -T4 --min-rate 500 "
                    f"-oG - {target}", timeout=90)
    return [int(word.split("/")[0]) for word in done.stdout.replace("Ports: ", " ").split()
            if "/open/" in word]


@pytest.fixture(scope="module")
def edge(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.attacker = attacker(lab)
    lab.server.web(80)
    lab.server.serve("nc -lk -p 22", port=22)
    lab.start((ROOT / "configs" / "edge.yaml").read_text())
    return lab


def test_what_no_rule_allows_is_denied(edge):
    before = rule_packets(edge, "refuse-from-wan")
    assert edge.attacker.ping("10.0.1.2", count=3, check=False).returncode != 0
    assert rule_packets(edge, "refuse-from-wan") == before + 3


@pytest.mark.parametrize("target", ["10.0.2.2", "fd00:2::2"])
def test_a_port_scan_finds_only_what_is_offered(edge, target):
    before, open_ports = rule_packets(edge, "refuse-from-wan"), scan(edge.attacker, target, f"1-{SCANNED}")
    assert open_ports == [80]
    assert rule_packets(edge, "refuse-from-wan") - before >= SCANNED - 2  # 80 open, 113 rejected


@pytest.mark.parametrize("target", ["10.0.2.2", "[fd00:2::2]"])
def test_what_is_offered_works_from_everywhere(edge, target):
    for who in (edge.client, edge.attacker):
        who.run(f"curl -sSf -g -m 5 -o /dev/null http://{target}/")


@pytest.mark.parametrize("target", ["10.0.2.2", "fd00:2::2"])
def test_reject_answers_tcp_with_a_reset(edge, target):
    begin = time.monotonic()
    done = edge.attacker.run(f"curl -sS -g -m 5 telnet://{f'[{target}]' if ':' in target else target}:113",
                             check=False)
    assert done.returncode == 7, done.stderr  # curl: connection refused
    assert time.monotonic() - begin < 2


def test_replies_pass_though_nothing_may_be_opened_from_there(edge):
    edge.attacker.serve("nc -lk -p 7000", port=7000)
    edge.client.run("nc -z -w 3 192.0.2.254 7000")
    edge.client.ping("192.0.2.254")
    edge.client.serve("nc -lk -p 7000", port=7000)
    assert edge.attacker.run("nc -z -w 1 10.0.1.2 7000", check=False).returncode != 0


def test_a_forged_source_does_not_enter(edge):
    before = rule_packets(edge, "spoofed-from-wan")
    mac = next(p["mac"] for p in edge.cli("status")["ports"] if p["name"] == "wan")
    with Wire(edge.attacker) as wire:
        wire.send(Ether(dst=mac, src=edge.attacker.mac) / IP(src="10.0.1.2", dst="10.0.2.2") /
                  TCP(sport=4000, dport=80, flags="S"))
    wait_until(lambda: rule_packets(edge, "spoofed-from-wan") == before + 1, 3, "the rule's count")


def test_tcp_out_of_nowhere_is_dropped_by_name(edge):
    name = "firewall.tcp_no_flow"
    before = drops(edge).get(name, 0)
    mac = next(p["mac"] for p in edge.cli("status")["ports"] if p["name"] == "wan")
    with Wire(edge.attacker) as wire:
        wire.send(Ether(dst=mac, src=edge.attacker.mac) / IP(src="192.0.2.254", dst="10.0.2.2") /
                  TCP(sport=4001, dport=80, flags="A", seq=5, ack=9) / Raw(b"x"))
    wait_until(lambda: drops(edge).get(name, 0) == before + 1, 3, f"{name} in {drops(edge)}")


@pytest.fixture(scope="module")
def pair(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.start(router())
    return lab


def test_reject_answers_udp_with_an_icmp_error(pair):
    pair.apply(router([rule("no", "reject", protocol="udp", to_ports=9999), *EVERYTHING]))
    with socket_in(pair.client, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("10.0.2.2", 9999))
        sender.settimeout(3)
        sender.send(b"hello")
        with pytest.raises(OSError) as refused:
            sender.recv(1)
    assert not isinstance(refused.value, TimeoutError)


def test_a_flow_that_the_new_policy_denies_is_cut(pair):
    pair.apply(router())
    transfer = iperf3(pair.client, pair.server, "10.0.2.2", "-t 3")
    ours = f"flows --protocol tcp --port {transfer.port}"
    wait_until(lambda: pair.cli(ours)["matching"], 5, "the flow")
    cut_before = drops(pair).get("firewall.flow_cut", 0)
    pair.apply(router([rule("no-iperf", "drop", protocol="tcp", to_ports=transfer.port), *EVERYTHING]))
    wait_until(lambda: drops(pair).get("firewall.flow_cut", 0) > cut_before, 5, str(drops(pair)))
    pair.client.ping("10.0.2.2")  # what stays allowed goes on
    transfer.kill()
    assert pair.cli(ours)["matching"] == 0


def test_keep_established_opts_out(pair):
    pair.apply(router())
    transfer = iperf3(pair.client, pair.server, "10.0.2.2", "-t 2")
    wait_until(lambda: pair.cli(f"flows --port {transfer.port}")["matching"], 5, "the flow")
    pair.apply(router([rule("no-iperf", "drop", protocol="tcp", to_ports=transfer.port), *EVERYTHING],
                      firewall={"keep-established": True}))
    assert iperf3_result(transfer)["sum_received"]["bytes"] > 0
    assert counter(pair, "firewall.kept") > 0


def test_udp_state_lets_only_the_asked_answer(pair):
    pair.apply(router([rule("out", in_="lan")]))
    with socket_in(pair.client, socket.AF_INET, socket.SOCK_DGRAM) as client, \
            socket_in(pair.server, socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("10.0.2.2", 5300))
        client.bind(("10.0.1.2", 5301))
        server.settimeout(2)
        client.settimeout(1)
        server.sendto(b"unasked", ("10.0.1.2", 5301))
        with pytest.raises(TimeoutError):
            client.recv(16)
        client.sendto(b"question", ("10.0.2.2", 5300))
        assert server.recv(16) == b"question"
        server.sendto(b"answer", ("10.0.1.2", 5301))
        assert client.recv(16) == b"answer"


def test_scapy_frames_with_a_wrong_checksum_are_dropped(pair):
    mac = next(p["mac"] for p in pair.cli("status")["ports"] if p["name"] == "lan")
    before = sum(drops(pair).values())
    with Wire(pair.client) as wire:
        wire.send(Ether(dst=mac, src=pair.client.mac) /
                  IP(src="10.0.1.2", dst="10.0.2.2", chksum=0x1234) / UDP(sport=1, dport=2))
    wait_until(lambda: sum(drops(pair).values()) > before, 3, "a named drop")
