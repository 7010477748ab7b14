# SPDX-License-Identifier: Apache-2.0
"""The kernel behind the ports: TAPs, the exception path, routes of routing daemons."""
import ipaddress
import os
import pathlib
import re
import signal

import pytest
import yaml

import frr
from lab import wait_until
from wires import client_and_server, counter, drops, router, rule

MANY = 100_000
RULES = [rule("bgp", out="local", protocol="tcp", to_ports=179),
         rule("service", out="local", protocol="tcp", to_ports=7000),
         rule("ping", protocol=["icmp", "icmp6"]),
         rule("through", in_=["lan", "dmz"], out=["lan", "dmz"])]


def config(rules=None, dmz=(), **local) -> str:
    """Default deny; every port has a TAP; what routing daemons tell the kernel is learned."""
    tree = yaml.safe_load(router(RULES if rules is None else rules, firewall={"default": "drop"}))
    for port in tree["ports"]:
        port["tap"] = f"{port['name']}0"
        if port["name"] == "dmz":
            port["addresses"] += list(dmz)
    if local:
        tree["pipeline"] = [{"local": local} if s == "local" else s for s in tree["pipeline"]]
    tree["kernel-routes"] = {"protocols": ["bgp", "static", "boot"]}
    return yaml.safe_dump(tree, sort_keys=False)


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.start(config())
    wait_until(lambda: "fd00:2::1" in shown(lab, "dmz0"), 10, "the TAPs have their addresses")
    return lab


@pytest.fixture(autouse=True)
def recovered(request):
    if "net" in request.fixturenames:
        lab = request.getfixturevalue("net")
        lab.recover()
        for family in "-4", "-6":
            lab.box.run(f"ip {family} route flush proto static", check=False)
        wait_until(lambda: learned(lab) == 0, 10, "nothing is learned yet")


def shown(lab, tap: str) -> str:
    return lab.box.run(f"ip addr show dev {tap}", check=False).stdout


def learned(lab) -> int:
    return counter(lab, "route.learned")


def transfer(lab, server, client, target: str, port: int = 7000) -> str:
    """What the client gets from a server that says one line."""
    listener = server.popen(["/usr/bin/python3", "-c",
                             "import socket; s = socket.create_server(('::', %d), family=socket.AF_INET6,"
                             " dualstack_ipv6=True); c, _ = s.accept(); c.sendall(b'hello')" % port])
    wait_until(lambda: server.run(f"ss -Hlnt sport = :{port}").stdout, 10, "somebody listens")
    done = client.run(["/usr/bin/python3", "-c",
                       "import socket; print(socket.create_connection(('%s', %d), 3).recv(9))"
                       % (target, port)], check=False)
    listener.kill()
    return done.stdout + done.stderr


def test_a_tap_is_what_the_port_is(net):
    mac = next(p["mac"] for p in net.cli("status")["ports"] if p["name"] == "lan")
    text = shown(net, "lan0")
    assert f"link/ether {mac}" in text and "mtu 1500" in text and "LOWER_UP" in text
    assert "inet 10.0.1.1/24" in text and "inet6 fd00:1::1/64" in text


def test_addresses_follow_the_policy(net):
    net.apply(config(dmz=["10.0.9.1/24"]))
    wait_until(lambda: "10.0.9.1/24" in shown(net, "dmz0"), 5, "the new address is there")
    net.apply(config())
    wait_until(lambda: "10.0.9.1/24" not in shown(net, "dmz0"), 5, "it is gone again")


def child(parent: int, name: str) -> int:
    children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return next((int(p) for p in children if pathlib.Path(f"/proc/{p}/comm").read_text().strip() == name), 0)


def test_who_mirrors_is_replaced_when_killed(net):
    keeper = child(net.control.pid, "ravelin-taps")
    old = child(keeper, "ravelin-mirror")
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: child(keeper, "ravelin-mirror") not in (0, old), 5, "another one")
    assert net.cli("status")["kernel"]["sandbox"] == "on"
    net.apply(config(dmz=["10.0.9.1/24"]))
    wait_until(lambda: "10.0.9.1/24" in shown(net, "dmz0"), 5, "the new address is there")
    net.kill_dataplane()
    assert "LOWER_UP" in shown(net, "dmz0"), "it is held through a data plane's death, as before"
    net.wait_ready()
    net.apply(config())
    wait_until(lambda: "10.0.9.1/24" not in shown(net, "dmz0"), 5, "it is gone again")


def test_the_link_state_is_mirrored(net):
    net.client.run("ip link set eth0 down")
    try:
        wait_until(lambda: "NO-CARRIER" in shown(net, "lan0"), 5, "the TAP has no carrier")
    finally:
        net.client.run("ip link set eth0 up")
        for command in ("-4 route replace default via 10.0.1.1", "-6 addr replace fd00:1::2/64 dev eth0 nodad",
                        "-6 route replace default via fd00:1::1"):
            net.client.run(f"ip {command}")
    wait_until(lambda: "LOWER_UP" in shown(net, "lan0"), 5, "the TAP has its carrier back")


@pytest.mark.parametrize("target", ["10.0.1.1", "fd00:1::1", "10.0.2.1"])
def test_a_service_of_the_box_is_reached_where_rules_allow(net, target):
    assert "hello" in transfer(net, net.box, net.client, target)


def test_what_the_rules_deny_does_not_reach_the_kernel(net):
    assert "hello" not in transfer(net, net.box, net.client, "10.0.1.1", port=7001)


@pytest.mark.parametrize("target", ["10.0.2.2", "fd00:2::2"])
def test_the_kernel_reaches_hosts_without_a_rule(net, target):
    net.box.run(f"ping -n -c 2 -W 3 {target}")
    assert "hello" in transfer(net, net.server, net.box, target, port=7002)


def test_a_flood_to_the_box_leaves_the_path_alone(net):
    net.apply(config(**{"kernel-rate": "100pps"}))
    flood = net.server.popen(["/usr/bin/python3", "-c",
                              "import socket, itertools\n"
                              "for n in range(40000):\n"
                              " s = n % 200 == 0 and socket.socket(socket.AF_INET, socket.SOCK_STREAM) or s\n"
                              " s.setblocking(False)\n"
                              " s.connect_ex(('10.0.2.1', 7000))\n"
                              " s.close()\n"
                              " s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n"])
    answered = net.client.run("ping -n -c 50 -i 0.02 -W 2 10.0.2.2").stdout
    flood.kill()
    assert " 0% packet loss" in answered
    wait_until(lambda: drops(net).get("local.kernel_rate", 0) > 0, 5, "the flood met its limit")
    net.apply(config())


def far(net, address: str) -> bool:
    """Asked briefly and often, as times are taken with it."""
    return net.client.ping(address, count=4, options="-W 0.2", check=False).returncode == 0


def test_routes_of_the_kernel_are_learned_and_forgotten(net):
    net.server.run("ip addr add 20.1.0.1/32 dev lo")
    net.server.run("ip addr add 2001:db8:77::1/128 dev lo nodad")
    assert not far(net, "20.1.0.1")
    net.box.run("ip route add 20.1.0.0/24 via 10.0.2.2 dev dmz0 proto static")
    net.box.run("ip -6 route add 2001:db8:77::/48 via fd00:2::2 dev dmz0 proto static")
    wait_until(lambda: learned(net) == 2, 5, "both are learned")
    assert far(net, "20.1.0.1") and far(net, "2001:db8:77::1")
    route = net.cli("routes 20.1.0.1")["routes"][0]
    assert route["origin"] == "static" and route["via"] == "10.0.2.2" and route["port"] == "dmz"
    generation = net.cli("status")["generation"]
    net.box.run("ip route del 20.1.0.0/24 proto static")
    net.box.run("ip -6 route del 2001:db8:77::/48 proto static")
    wait_until(lambda: learned(net) == 0, 5, "both are gone")
    assert not far(net, "20.1.0.1")
    assert net.cli("status")["generation"] == generation


def test_a_configured_route_wins_and_protocols_not_asked_for_are_left(net):
    net.box.run("ip route add 20.1.0.0/24 via 10.0.2.2 dev dmz0 proto 77")
    net.box.run("ip route add 10.0.1.0/24 via 10.0.2.2 dev dmz0 proto static metric 5")
    net.client.ping("10.0.2.2")
    assert net.cli("routes 10.0.1.2")["routes"][0]["origin"] == "connected"
    assert not far(net, "20.1.0.1")
    net.box.run("ip route del 20.1.0.0/24 proto 77")
    net.box.run("ip route del 10.0.1.0/24 metric 5 proto static")


def test_a_new_policy_and_two_deaths_keep_learned_routes(net):
    batch = net.directory / "routes"
    text = "".join(f"route add {ipaddress.ip_address('20.2.0.0') + i * 256}/24 via 10.0.2.2 "
                   "dev dmz0 proto static\n" for i in range(500))
    batch.write_text(text)
    net.server.run("ip addr add 20.2.5.1/32 dev lo")
    net.box.run(f"ip -batch {batch}")
    wait_until(lambda: learned(net) == 500, 10, "all are learned")
    net.apply(config(dmz=["10.0.9.1/24"]))
    assert far(net, "20.2.5.1") and learned(net) == 500
    net.kill_dataplane()
    print(f"data plane killed: {frr.seconds_until(lambda: far(net, '20.2.5.1'), 'forwarding'):.2f} s")
    wait_until(lambda: learned(net) == 500, 10, "all are learned again")
    net.kill_control()
    net.box.run("ip route del 20.2.6.0/24 proto static")
    assert far(net, "20.2.5.1")
    net.start_control()
    net.wait_ready()
    wait_until(lambda: learned(net) == 499, 10, "what went meanwhile is gone")
    batch.write_text(text.replace("route add", "route del"))
    net.box.run(f"ip -force -batch {batch}", check=False)
    wait_until(lambda: learned(net) == 0, 10, "all are gone")


def test_routes_of_a_dead_control_plane_go_after_their_time(net):
    stale = yaml.safe_load(config())
    stale["kernel-routes"]["stale-time"] = "2s"
    net.apply(yaml.safe_dump(stale, sort_keys=False))
    net.server.run("ip addr add 20.3.0.1/32 dev lo")
    net.box.run("ip route add 20.3.0.0/24 via 10.0.2.2 dev dmz0 proto static")
    wait_until(lambda: learned(net) == 1, 5, "it is learned")
    net.kill_control()
    wait_until(lambda: not far(net, "20.3.0.1"), 10, "nobody vouches for it any more")
    net.client.ping("10.0.2.2")
    net.start_control()
    net.wait_ready()
    wait_until(lambda: learned(net) == 1, 10, "it is learned again")
    assert far(net, "20.3.0.1") and counter(net, "route.learned_stale") == 1
    net.apply(config())


def test_routes_beyond_the_limit_are_left_out_until_there_is_room(net):
    few = yaml.safe_load(config())
    few["kernel-routes"]["limit"] = 3
    net.apply(yaml.safe_dump(few, sort_keys=False))

    def add(n: int):
        net.box.run(f"ip route add 20.4.{n}.0/24 via 10.0.2.2 dev dmz0 proto static")

    def beyond() -> tuple:
        kernel = net.cli("status")["kernel"]
        return kernel["in_kernel"], kernel["in_dataplane"], kernel["beyond_limit"]

    for n in range(4):
        add(n)
    wait_until(lambda: beyond() == (3, 3, 1), 5, "one is left out")
    assert "3 of 3 learned; 1 beyond the limit" in net.ravelin("status").stdout
    net.box.run("ip route del 20.4.0.0/24 proto static")
    wait_until(lambda: beyond() == (3, 3, 0), 5, "it takes the place of the one that went")
    add(4)
    wait_until(lambda: beyond() == (3, 3, 1), 5, "one is left out again")
    net.apply(config())
    wait_until(lambda: beyond() == (4, 4, 0), 5, "a higher limit lets it in")


SPEAKER = """
router bgp {own}
 bgp router-id {router}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor {peer} remote-as {other}
 neighbor {peer} timers 3 9
 neighbor {peer} timers connect 1
 neighbor {peer6} remote-as {other}
 neighbor {peer6} timers 3 9
 neighbor {peer6} timers connect 1
 address-family ipv4 unicast
  no neighbor {peer6} activate
{networks}
 exit-address-family
 address-family ipv6 unicast
  neighbor {peer6} activate
{networks6}
 exit-address-family
!
"""


def speakers(net):
    """FRR beside Ravelin (65001), and one at the server that announces MANY networks (65002)."""
    first = ipaddress.ip_address("20.16.0.0")
    networks = "\n".join(f"  network {first + i * 256}/24" for i in range(MANY))
    networks6 = "\n".join(f"  network 2001:db8:{i:x}::/48" for i in range(256, 356))
    out = "\n  neighbor 10.0.2.1 route-map OUT out"
    far_end = frr.Speaker(net.server, net.directory / "frr-server",
                          "route-map OUT permit 10\n!\n" +
                          SPEAKER.format(own=65002, other=65001, router="10.0.2.2", peer="10.0.2.1",
                                         peer6="fd00:2::1", networks=networks + out,
                                         networks6=networks6))
    own = frr.Speaker(net.box, net.directory / "frr-box",
                      SPEAKER.format(own=65001, other=65002, router="10.0.1.1", peer="10.0.2.2",
                                     peer6="fd00:2::2", networks="", networks6=""))
    return own, far_end


@pytest.mark.skipif(bool(frr.missing()), reason=frr.missing() or "-")
def test_two_frr_speakers_and_100k_routes(net, record_property):
    net.server.run("ip addr add 20.16.5.1/32 dev lo")
    net.server.run("ip addr add 2001:db8:105::1/128 dev lo nodad")
    own, far_end = speakers(net)

    def timed(name: str, wanted: int):
        took = frr.seconds_until(lambda: learned(net) == wanted, f"{name}; own: {own.log()}")
        record_property(name, round(took, 2))
        print(f"{name}: {took:.2f} s to {wanted} routes in the data plane")

    wait_until(lambda: own.established("10.0.2.2"), 60, f"BGP is up; {own.log()} {far_end.log()}")
    timed("announcement", MANY + 100)
    assert far(net, "20.16.5.1") and far(net, "2001:db8:105::1")
    assert net.cli("routes 20.16.5.1")["routes"][0]["origin"] == "bgp"
    assert re.search(r"\bPfxRcd\b", own.vty("show bgp summary"))
    kernel = net.cli("status")["kernel"]
    assert (kernel["in_kernel"], kernel["in_dataplane"]) == (MANY + 100, MANY + 100)
    assert (kernel["refused"], kernel["unusable"], kernel["problem"]) == (0, 0, "")
    assert "100,100 of 100,100 learned" in net.ravelin("status").stdout

    far_end.vty("configure terminal", "route-map OUT deny 10", "end", "clear bgp ipv4 unicast * soft out")
    timed("withdrawal", 100)
    assert not far(net, "20.16.5.1") and far(net, "2001:db8:105::1")

    far_end.vty("configure terminal", "route-map OUT permit 10", "end", "clear bgp ipv4 unicast * soft out")
    timed("announcement again", MANY + 100)
    assert far(net, "20.16.5.1")

    net.kill_dataplane()
    took = frr.seconds_until(lambda: far(net, "20.16.5.1"), "forwarding after a death")
    print(f"data plane killed: forwarding by a learned route after {took:.2f} s")
    timed("resync", MANY + 100)
    assert own.established("10.0.2.2"), "the session outlived the data plane"
