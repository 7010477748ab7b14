# SPDX-License-Identifier: Apache-2.0
"""Real clients and a real server on both sides of the SYN proxy, and a flood that the server never hears of."""
import hashlib
import random
import threading
import time

import pytest
import yaml
from scapy.all import IP, TCP, Ether

from lab import ROOT, iperf3, iperf3_result, wait_until
from wires import Wire, attacker, client_and_server, counter, drops, router, rule

FLOOD = "50."  # all sources of the flood
RULES = [rule("servers", out="dmz", protocol="tcp", syn_proxy={}), rule("rest")]
WORKERS = {"count": 2}


def policy(**proxy) -> str:
    rules = [{**RULES[0], "syn-proxy": proxy}, RULES[1]]
    return router(rules, ports=("lan", "dmz", "wan"), workers=WORKERS,
                  routes=[{"to": "0.0.0.0/0", "via": "192.0.2.254"}])


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.attacker = attacker(lab)
    lab.page = random.Random(5).randbytes(3_000_000)
    (lab.directory / "page").write_bytes(lab.page)
    lab.server.web(80, lab.directory)
    lab.start(policy())
    return lab


@pytest.fixture(autouse=True)
def recovered(net):
    net.recover()


def fetch(net, target: str = "10.0.2.2", seconds: int = 20):
    """The whole page, to the last byte."""
    out = net.client.run(f"curl -sS -g -m {seconds} -o {net.directory}/got http://{target}/page", check=False)
    assert out.returncode == 0, out.stderr
    got = (net.directory / "got").read_bytes()
    assert hashlib.sha256(got).digest() == hashlib.sha256(net.page).digest()


@pytest.mark.parametrize("target", ["10.0.2.2", "[fd00:2::2]"])
@pytest.mark.parametrize("timestamps", [0, 1])
@pytest.mark.parametrize("sack", [0, 1])
@pytest.mark.parametrize("scaling", [0, 1])
def test_clients_of_every_kind(net, target, timestamps, sack, scaling):
    net.client.sysctl(net__ipv4__tcp_timestamps=timestamps, net__ipv4__tcp_sack=sack,
                      net__ipv4__tcp_window_scaling=scaling)
    before = counter(net, "firewall.syn_proxied")
    fetch(net, target)
    assert counter(net, "firewall.syn_proxied") == before + 1
    net.client.sysctl(net__ipv4__tcp_timestamps=1, net__ipv4__tcp_sack=1, net__ipv4__tcp_window_scaling=1)


@pytest.mark.parametrize("what", ["tcp_timestamps", "tcp_sack", "tcp_window_scaling"])
def test_a_server_that_lacks_what_was_promised(net, what):
    before = counter(net, "firewall.syn_proxy_mismatch")
    net.server.sysctl(**{f"net__ipv4__{what}": 0})
    fetch(net)
    net.server.sysctl(**{f"net__ipv4__{what}": 1})
    assert counter(net, "firewall.syn_proxy_mismatch") == before + 1


def test_windows_are_rescaled_for_a_server_of_another_scale(net):
    net.apply(policy(**{"window-scale": 2}))
    before = counter(net, "firewall.syn_proxy_mismatch")
    fetch(net)
    assert counter(net, "firewall.syn_proxy_mismatch") == before + 1
    net.apply(policy())


def test_lost_packets(net):
    """SACK blocks are shifted too, or every loss would cost a timeout."""
    loss = ("add table inet loss; add chain inet loss in { type filter hook input priority 0; }; "
            "add rule inet loss in meta l4proto tcp numgen random mod 50 0 drop")
    for host in (net.client, net.server):
        host.run(["nft", loss])
    try:
        fetch(net, seconds=50)
    finally:
        for host in (net.client, net.server):
            host.run(["nft", "delete table inet loss"])


def test_a_closed_port_is_refused_at_once(net):
    # To the client the connection stood for a moment: reset, not refused.
    out = net.client.run("curl -sS -m 10 http://10.0.2.2:81/", check=False)
    assert out.returncode in (7, 52, 55, 56), (out.returncode, out.stderr)


@pytest.mark.parametrize("options", ["-t 2", "-t 2 -R", "-t 2 -P 4"])
def test_transfers(net, options):
    assert iperf3_result(iperf3(net.client, net.server, "10.0.2.2", options))["sum_received"]["bytes"] > 0


def flood(net, stop: threading.Event, sent: list):
    mac = next(p["mac"] for p in net.cli("status")["ports"] if p["name"] == "wan")
    source = random.Random(9)
    frames = [bytes(Ether(dst=mac, src=net.attacker.mac) /
                    IP(src=f"{FLOOD}{source.randrange(256)}.{source.randrange(256)}.{source.randrange(1, 255)}",
                       dst="10.0.2.2") /
                    TCP(sport=source.randrange(1024, 65536), dport=80, flags="S", seq=i,
                        options=[("MSS", 1460)]))
              for i in range(1000)]
    with Wire(net.attacker) as wire:
        while not stop.is_set():
            wire.send(*frames)
            sent.append(len(frames))


def test_a_flood_reaches_nobody_and_clients_get_through(net):
    cookies, flows = counter(net, "firewall.syn_cookies"), net.cli("flows --port 80")["matching"]
    stop, sent, heard = threading.Event(), [], []
    with Wire(net.server) as wire:
        thread = threading.Thread(target=flood, args=(net, stop, sent))
        thread.start()
        try:
            wait_until(lambda: counter(net, "firewall.syn_cookies") > cookies + 5000, 60, "the flood")
            for _ in range(5):
                fetch(net)
            heard = wire.receive(lambda f: f[12:14] == b"\x08\x00" and f[26] == int(FLOOD[:-1]), 1.0)
        finally:
            stop.set()
            thread.join()
    assert not heard
    assert net.server.run("ss -Htn state syn-recv").stdout == ""
    assert counter(net, "firewall.syn_cookies") - cookies > 5000 and sum(sent) > 5000
    assert net.cli("flows --port 80")["matching"] <= flows + 5


def test_forged_acks_reach_nobody(net):
    before = drops(net).get("firewall.syn_proxy_forged", 0)
    mac = next(p["mac"] for p in net.cli("status")["ports"] if p["name"] == "wan")
    with Wire(net.attacker) as wire:
        wire.send(*[Ether(dst=mac, src=net.attacker.mac) / IP(src="50.1.1.1", dst="10.0.2.2") /
                    TCP(sport=2000 + i, dport=80, flags="A", seq=i, ack=7 * i) for i in range(100)])
    wait_until(lambda: drops(net).get("firewall.syn_proxy_forged", 0) == before + 100, 5, str(drops(net)))


@pytest.mark.parametrize("options", ["-t 5", "-t 5 -R"])
def test_a_transfer_survives_the_data_planes_death(net, options):
    process = iperf3(net.client, net.server, "10.0.2.2", options)
    wait_until(lambda: net.cli(f"flows --port {process.port}")["matching"] >= 2, 5, "control and data flow")
    time.sleep(1)
    net.kill_dataplane()
    assert iperf3_result(process)["sum_received"]["bytes"] > 0
    assert net.cli("status")["dataplane"]["adopted_flows"] >= 2


@pytest.fixture(scope="module")
def forward(make_lab):
    """configs/nat.yaml with the forwarded server behind the SYN proxy."""
    lab = make_lab()
    lab.inner = lab.host("inner", "lan", ["10.0.1.2/24"], ["default via 10.0.1.1"])
    lab.far = lab.host("far", "wan", ["192.0.2.254/24"])
    (lab.directory / "page").write_text("the inner page\n")
    lab.inner.web(80, lab.directory)
    config = yaml.safe_load((ROOT / "configs" / "nat.yaml").read_text())
    stage = next(s["firewall"] for s in config["pipeline"] if isinstance(s, dict) and "firewall" in s)
    stage["rules"].insert(0, rule("proxied", in_="wan", out="lan", protocol="tcp", to_ports=80, syn_proxy={}))
    lab.start(yaml.safe_dump(config, sort_keys=False))
    return lab


def test_a_server_behind_a_port_forward(forward):
    assert "inner page" in forward.far.run("curl -sS -m 5 http://192.0.2.1:8080/page").stdout
    assert counter(forward, "firewall.syn_proxied") == 1
