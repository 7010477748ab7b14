# SPDX-License-Identifier: Apache-2.0
"""Ways of packets as the hosts see them: several next hops, rules, path MTU and fragments."""
import json

import pytest
import yaml

from lab import iperf3, iperf3_result, wait_until
from wires import client_and_server, counter, drops, router

TARGET = "10.9.9.9"
FLOWS = 48
# Answers each datagram with this host's name.
ECHO = ("import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
        f"s.bind(('{TARGET}',7))\n"
        "while 1:\n d,a=s.recvfrom(99)\n s.sendto(sys.argv[1].encode(),a)\n")
# Source port -> name that answered; "" where nobody did.
ASK = """
import json,socket,sys
out={}
for port in range(20000,20000+%d):
    s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP,socket.IP_TOS,int(sys.argv[1]))
    s.bind(('0.0.0.0',port)); s.settimeout(0.3); name=''
    for attempt in range(3):
        s.sendto(b'?',('%s',7))
        try: name=s.recv(99).decode(); break
        except TimeoutError: pass
    out[port]=name
print(json.dumps(out))
""" % (FLOWS, TARGET)


def ways(client, tos: int = 0) -> dict:
    return json.loads(client.run(["/usr/bin/python3", "-c", ASK, tos]).stdout)


@pytest.fixture(scope="module")
def uplinks(make_lab):
    """Two uplinks, dmz and wan, that both lead to 10.9.9.9; EF goes by wan."""
    lab = make_lab()
    lab.client, lab.dmz = client_and_server(lab)
    lab.wan = lab.host("wan", "wan", ["192.0.2.254/24"], ["default via 192.0.2.1"])
    for name, host in (("dmz", lab.dmz), ("wan", lab.wan)):
        host.run(f"ip addr add {TARGET}/32 dev lo")
        host.sysctl(net__ipv4__conf__all__arp_announce=2)  # ask in the link's name, not TARGET's
        host.serve(["/usr/bin/python3", "-c", ECHO, name], port=7, udp=True)
    tree = yaml.safe_load(router(ports=("lan", "dmz", "wan"),
                                 workers={"count": 2, "poll": "adaptive"}))
    tree["pipeline"][2] = {"route": {
        "routes": [{"to": f"{TARGET}/32",
                    "next-hops": [{"via": "10.0.2.2"}, {"via": "192.0.2.254"}]}],
        "tables": [{"name": "voice", "routes": [{"to": "0.0.0.0/0", "via": "192.0.2.254"}]}],
        "rules": [{"name": "voice", "in": "lan", "dscp": "ef", "table": "voice"}]}}
    lab.start(yaml.safe_dump(tree, sort_keys=False))
    wait_until(lambda: states(lab) == {"dmz": "up", "wan": "up"}, 5, "both gateways are known")
    return lab


def states(lab) -> dict:
    return {r["port"]: r["state"] for r in lab.cli(f"routes {TARGET}")["routes"]}


def test_flows_spread_over_next_hops_and_stay(uplinks):
    first = ways(uplinks.client)
    assert set(first.values()) == {"dmz", "wan"}, first
    assert ways(uplinks.client) == first


def test_explain_says_which_next_hop_a_flow_has(uplinks):
    gateway = {"dmz": "10.0.2.2", "wan": "192.0.2.254"}
    for port, name in list(ways(uplinks.client).items())[:8]:
        told = uplinks.cli(["explain", f"in=lan udp 10.0.1.2:{port} > {TARGET}:7"])
        assert (told["out_port"], told["next_hop"]) == (name, gateway[name])
        assert any(s["detail"] == f"out {name} via {gateway[name]}" for s in told["steps"])


def test_a_rule_chooses_a_table_by_dscp(uplinks):
    assert set(ways(uplinks.client, 46 << 2).values()) == {"wan"}
    told = uplinks.cli(["explain", f"in=lan udp 10.0.1.2:5 > {TARGET}:7 tos=184"])
    assert told["route"] == "0.0.0.0/0 of table voice by rule voice"
    assert any(r["table"] == "voice" for r in uplinks.cli("routes")["routes"])


def test_a_lost_link_moves_its_flows_alone_and_they_come_back(uplinks):
    before = ways(uplinks.client)
    uplinks.wan.run("ip link set eth0 down")
    wait_until(lambda: states(uplinks)["wan"] == "down", 5, "the loss of the link is seen")
    during = ways(uplinks.client)
    assert set(during.values()) == {"dmz"}, during
    uplinks.wan.run("ip link set eth0 up")
    uplinks.wan.run("ip route replace default via 192.0.2.1")
    wait_until(lambda: states(uplinks)["wan"] == "up", 10, "the link is back")
    assert ways(uplinks.client) == before


@pytest.fixture(scope="module")
def narrow(make_lab):
    """A link of 1,280 bytes behind one of 1,500; nothing clamps TCP's MSS."""
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    tree = yaml.safe_load(router(mtu={"dmz": "1280B"}, workers={"count": 2, "poll": "adaptive"}))
    tree["pipeline"].remove("clamp")
    lab.start(yaml.safe_dump(tree, sort_keys=False))
    return lab


@pytest.fixture(scope="module")
def by_route(make_lab):
    """Links of 1,500 bytes; the route to 10.7.7.7 and fd00:7::7 carries 1,300."""
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.server.run("ip addr add 10.7.7.7/32 dev lo")
    lab.server.run("ip addr add fd00:7::7/128 dev lo")
    tree = yaml.safe_load(router(routes=[
        {"to": "10.7.7.0/24", "via": "10.0.2.2", "mtu": "1300B"},
        {"to": "fd00:7::/64", "via": "fd00:2::2", "mtu": "1300B"}]))
    tree["pipeline"].remove("clamp")
    lab.start(yaml.safe_dump(tree, sort_keys=False))
    return lab


@pytest.mark.parametrize("target", ["10.0.2.2", "fd00:2::2"])
def test_tcp_learns_the_mtu_of_a_narrower_link(narrow, target):
    before = drops(narrow).get("rewrite.too_big", 0)
    end = iperf3_result(iperf3(narrow.client, narrow.server, target, "-n 4M"))
    assert end["sum_received"]["bytes"] >= 1e6  # what had come when the sender was done
    assert drops(narrow).get("rewrite.too_big", 0) > before


@pytest.mark.parametrize("target", ["10.7.7.7", "fd00:7::7"])
def test_tcp_learns_the_mtu_of_a_route(by_route, target):
    before = drops(by_route).get("rewrite.too_big", 0)
    end = iperf3_result(iperf3(by_route.client, by_route.server, target, "-n 4M"))
    assert end["sum_received"]["bytes"] >= 1e6  # what had come when the sender was done
    assert drops(by_route).get("rewrite.too_big", 0) > before
    shown = by_route.client.run(f"ip route get {target}").stdout
    assert "mtu 1300" in shown, shown


# 4,000 bytes in one datagram, ten times; says how many came whole.
RECEIVE = """
import hashlib,socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('10.0.2.2',9999)); s.settimeout(10)
for n in range(10):
    d,a=s.recvfrom(65535); s.sendto(hashlib.sha256(d).hexdigest().encode(),a)
"""
SEND = """
import hashlib,os,socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP,10,0)  # IP_MTU_DISCOVER: never DF
s.settimeout(5); whole=0
for n in range(10):
    d=os.urandom(4000); s.sendto(d,('10.0.2.2',9999))
    whole+=s.recv(999).decode()==hashlib.sha256(d).hexdigest()
print(whole)
"""


def test_a_datagram_that_may_be_cut_arrives_whole(narrow):
    before = counter(narrow, "rewrite.fragmented")
    narrow.client.run("ip route flush cache")  # what TCP has learned: the client is not to cut
    narrow.server.serve(["/usr/bin/python3", "-c", RECEIVE], port=9999, udp=True)
    assert narrow.client.run(["/usr/bin/python3", "-c", SEND]).stdout.strip() == "10"
    assert counter(narrow, "rewrite.fragmented") > before


def test_a_forged_source_does_not_pass_a_strict_port(make_lab):
    lab = make_lab()
    client, server = client_and_server(lab)
    tree = yaml.safe_load(router())
    for port in tree["ports"]:
        port["rpf"] = "strict"
    lab.start(yaml.safe_dump(tree, sort_keys=False))
    client.run("ip addr add 172.31.0.9/32 dev lo")
    client.ping(server.v4)
    client.ping(server.v6)
    client.ping(server.v4, options="-I 172.31.0.9", check=False)
    assert drops(lab)["route.rpf_strict"] == 1
    # The check is policy: it goes without a restart.
    for port in tree["ports"]:
        port["rpf"] = "off"
    lab.apply(yaml.safe_dump(tree, sort_keys=False))
    client.ping(server.v4, options="-I 172.31.0.9", check=False)
    assert drops(lab)["route.rpf_strict"] == 1
    lab.close()
