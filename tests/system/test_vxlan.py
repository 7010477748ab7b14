# SPDX-License-Identifier: Apache-2.0
"""VXLAN tunnels between the box and Linux's own VXLAN devices, over IPv4 and over IPv6."""
import hashlib
import os
import re

import pytest
import yaml

from lab import wait_until
from wires import client_and_server, counter, drops, router, rule

UNDER = {"vx4": ("10.0.2.1", "10.0.2.2", 50), "vx6": ("fd00:2::1", "fd00:2::2", 70)}
OVERLAY = {"vx4": ("10.104.0", "fd00:104:"), "vx6": ("10.106.0", "fd00:106:")}
VNI = {"vx4": 104, "vx6": 106}
RULES = [rule("outer", out="local", protocol="udp", to_ports=4789, from_=["10.0.2.2/32", "fd00:2::2/128"], stateful=False),
         rule("ping", protocol=["icmp", "icmp6"]), rule("to-overlay", in_="lan", out=["vx4", "vx6"]),
         rule("from-overlay", in_=["vx4", "vx6"], out="lan", protocol="tcp", to_ports=8081)]


def config(rules=None, workers: int = 2) -> str:
    """Default deny; the server on dmz is the other end of both tunnels."""
    tree = yaml.safe_load(router(RULES if rules is None else rules, firewall={"default": "drop"},
                                 workers={"count": workers}))
    for name, (local, remote, _less) in UNDER.items():
        v4, v6 = OVERLAY[name]
        tree["ports"].append({"name": name, "addresses": [f"{v4}.1/24", f"{v6}:1/64"],
                              "vxlan": {"vni": VNI[name], "local": local, "remotes": [{"address": remote}]}})
    tree["pipeline"].insert(tree["pipeline"].index("neighbour"), "vxlan")
    return yaml.safe_dump(tree, sort_keys=False)


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.server.run("ip route del default")
    lab.server.run("ip -6 route del default")
    for name, (local, remote, less) in UNDER.items():
        v4, v6 = OVERLAY[name]
        made = lab.server.run(f"ip link add {name} mtu {1500 - less} type vxlan id {VNI[name]} dstport 4789 "
                              f"local {remote} remote {local} dev eth0", check=False)
        if made.returncode:
            pytest.skip(f"this kernel has no VXLAN device: {made.stderr.strip()}")
        lab.server.sysctl(**{f"net__ipv6__conf__{name}__accept_dad": 0})
        lab.server.run(f"ip link set {name} up")
        lab.server.run(f"ip addr add {v4}.2/24 dev {name}")
        lab.server.run(f"ip addr add {v6}:2/64 dev {name} nodad")
    lab.start(config())
    return lab


def by(net, name: str):
    """The server reaches the client through this tunnel."""
    v4, v6 = OVERLAY[name]
    net.server.run(f"ip -4 route replace 10.0.1.0/24 via {v4}.1")
    net.server.run(f"ip -6 route replace fd00:1::/64 via {v6}:1")
    return f"{v4}.2", f"{v6}:2"


@pytest.mark.parametrize("name", UNDER)
def test_a_host_behind_the_tunnel_is_reached(net, name):
    for target in by(net, name):
        net.client.ping(target, count=3)


@pytest.mark.parametrize("name", UNDER)
def test_the_box_answers_in_the_tunnel(net, name):
    v4, v6 = OVERLAY[name]
    net.server.ping(f"{v4}.1", count=3)
    net.server.ping(f"{v6}:1", count=3)


@pytest.mark.parametrize("name", UNDER)
def test_tcp_carries_a_file_unchanged_both_ways(net, name):
    by(net, name)
    folder = net.directory / f"www-{name}"
    folder.mkdir()
    content = os.urandom(1 << 20)
    (folder / "file").write_bytes(content)
    port = {"vx4": 8080, "vx6": 8082}[name]
    net.server.web(port, folder)
    net.client.run(f"curl -sSf -m 20 -o {folder}/got http://{OVERLAY[name][0]}.2:{port}/file")
    assert hashlib.sha256((folder / "got").read_bytes()).digest() == hashlib.sha256(content).digest()
    if not hasattr(net, "back"):
        net.back = net.client.web(8081, folder)
    net.server.run(f"curl -sSf -m 20 -o {folder}/back http://10.0.1.2:8081/file")
    assert (folder / "back").stat().st_size == len(content)


@pytest.mark.parametrize("name", UNDER)
def test_the_largest_packet_passes_and_a_larger_one_is_told_so(net, name):
    target, _ = by(net, name)
    mtu = 1500 - UNDER[name][2]
    net.client.run("ip route flush cache")
    net.client.ping(target, options=f"-M do -s {mtu - 28}")
    refused = net.client.ping(target, options=f"-M do -s {mtu - 27}", check=False)
    assert refused.returncode != 0 and re.search(f"mtu ?= ?{mtu}", refused.stdout + refused.stderr), refused.stdout


def test_status_and_counters_tell_the_tunnels(net):
    target, _ = by(net, "vx4")
    before = counter(net, "vxlan.opened"), counter(net, "port.vx4.tx_packets")
    net.client.ping(target, count=3)
    assert counter(net, "vxlan.opened") >= before[0] + 3
    assert counter(net, "port.vx4.tx_packets") >= before[1] + 3
    ports = {p["name"]: p for p in net.cli("status")["ports"]}
    assert ports["vx4"]["device"] == "vxlan 104 10.0.2.1" and ports["vx4"]["mtu"] == 1450
    assert ports["vx6"]["mtu"] == 1430 and ports["vx6"]["link_up"]


def test_rules_judge_inner_and_outer_packets(net):
    target, _ = by(net, "vx4")
    net.client.serve("nc -lk -p 8085", port=8085)
    assert net.server.run("nc -z -w 1 10.0.1.2 8085", check=False).returncode != 0
    net.apply(config([r for r in RULES if r["name"] != "outer"]))
    try:
        assert net.client.ping(target, check=False).returncode != 0
    finally:
        net.apply(config())
    net.client.ping(target, count=2)


def test_another_network_identifier_is_dropped_by_name(net):
    net.server.run("ip link add stray type vxlan id 999 dstport 4789 local 10.0.2.2 remote 10.0.2.1 dev eth0")
    try:
        net.server.run("ip link set stray up")
        net.server.run("ip addr add 10.99.0.2/24 dev stray")
        net.server.ping("10.99.0.1", check=False)
        wait_until(lambda: drops(net).get("vxlan.unknown_vni", 0), 3, "drop.vxlan.unknown_vni")
    finally:
        net.server.run("ip link del stray")


def test_a_router_on_the_way_that_carries_less_is_heard(net):
    """The remote end moves behind the server, by a link of 1,400 bytes."""
    far = net.behind(net.server, "far", ["10.0.3.2/24", "fd00:3::2/64"], ["10.0.3.1/24", "fd00:3::1/64"], 1400)
    far.run("ip link add vx4 mtu 1350 type vxlan id 104 dstport 4789 local 10.0.3.2 remote 10.0.2.1 dev eth0")
    far.run("ip link set vx4 up")
    far.run("ip addr add 10.104.0.9/24 dev vx4")
    far.run("ip route add 10.0.1.0/24 via 10.104.0.1")
    tree = yaml.safe_load(config([rule("outer", out="local", protocol="udp", to_ports=4789, from_=["10.0.3.2/32"],
                                       stateful=False), *RULES[1:]]))
    tree["ports"][[p["name"] for p in tree["ports"]].index("vx4")]["vxlan"]["remotes"] = [{"address": "10.0.3.2"}]
    route = next(i for i, s in enumerate(tree["pipeline"]) if s == "route" or "route" in s)
    tree["pipeline"][route] = {"route": {"routes": [{"to": "10.0.3.0/24", "via": "10.0.2.2"}]}}
    net.apply(yaml.safe_dump(tree, sort_keys=False))
    try:
        net.client.run("ip route flush cache")
        net.client.ping("10.104.0.9", count=2)
        told = counter(net, "vxlan.told_too_big")

        def refused():
            answer = net.client.ping("10.104.0.9", options="-M do -s 1400 -W 1", check=False)
            return re.search("mtu ?= ?1350", answer.stdout + answer.stderr)
        wait_until(refused, 10, "an answer with the MTU of the path")
        assert counter(net, "vxlan.told_too_big") > told
        net.client.ping("10.104.0.9", options="-M do -s 1322")
        net.client.ping("10.104.0.9", options="-M dont -s 1400")
    finally:
        net.apply(config())
        net.client.run("ip route flush cache")
