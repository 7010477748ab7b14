# SPDX-License-Identifier: Apache-2.0
"""A router between two hosts, as the hosts see it."""
import hashlib
import re

import pytest

from lab import iperf3, iperf3_result, wait_until
from wires import Wire, client_and_server, router

MTU = 1400
BOTH = ("v4", "v6")
BOX = {"v4": "10.0.1.1", "v6": "fd00:1::1"}
FAR = {"v4": "10.0.2.1", "v6": "fd00:2::1"}


@pytest.fixture(scope="module")
def net(make_lab):
    """Everything is allowed; the link of dmz carries 1,400 bytes."""
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.server.run("ip addr add 10.0.2.3/24 dev eth0")
    lab.server.run("ip addr add fd00:2::3/64 dev eth0 nodad preferred_lft 0")
    lab.start(router(mtu={"dmz": f"{MTU}B"}))
    return lab


@pytest.mark.parametrize("target", ["10.0.2.2", "fd00:2::2", "10.0.2.3", "fd00:2::3"])
def test_the_first_packet_to_a_new_neighbour_is_not_lost(net, target):
    net.client.ping(target, count=1)


@pytest.mark.parametrize("target", [*BOX.values(), *FAR.values()])
def test_the_box_answers_pings_to_its_own_addresses(net, target):
    net.client.ping(target, count=3)


def test_the_box_answers_at_its_link_local_address(net):
    shown = net.client.run("ip -6 neigh").stdout + net.client.ping("ff02::1%eth0", check=False).stdout
    mac = next(p["mac"] for p in net.cli("status")["ports"] if p["name"] == "lan")
    first, *rest = (int(b, 16) for b in mac.split(":"))
    b = [first ^ 2, *rest]
    address = f"fe80::{b[0]:02x}{b[1]:02x}:{b[2]:02x}ff:fe{b[3]:02x}:{b[4]:02x}{b[5]:02x}"
    assert net.client.ping(f"{address}%eth0", check=False).returncode == 0, shown


@pytest.mark.parametrize("family", BOTH)
def test_tcp_carries_a_file_unchanged(net, family):
    target = getattr(net.server, family)
    folder = net.directory / f"www-{family}"
    folder.mkdir()
    content = bytes(range(256)) * 8192
    (folder / "file").write_bytes(content)
    port = {"v4": 8081, "v6": 8082}[family]
    net.server.web(port, folder)
    url = f"http://{f'[{target}]' if family == 'v6' else target}:{port}/file"
    net.client.run(f"curl -sSf -g -m 20 -o {folder}/got {url}")
    assert hashlib.sha256((folder / "got").read_bytes()).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("options", ["", "-6", "-u -b 20M -l 1200", "-6 -u -b 20M -l 1200", "-R"])
def test_iperf3(net, options):
    target = net.server.v6 if "-6" in options else net.server.v4
    end = iperf3_result(iperf3(net.client, net.server, target, f"-t 1 {options}"))
    if "-u" in options:
        assert end["sum"]["lost_percent"] < 5  # the machine itself stalls for milliseconds
    else:
        assert end["sum_received"]["bits_per_second"] > 20e6


@pytest.mark.parametrize("family, words", [("v4", "Time to live exceeded"),
                                           ("v6", "Time exceeded: Hop limit")])
def test_a_packet_whose_hop_limit_ends_is_answered(net, family, words):
    done = net.client.ping(getattr(net.server, family), options="-t 1", check=False)
    assert re.search(rf"From {BOX[family]}:? icmp_seq=1 {words}", done.stdout), done.stdout


@pytest.mark.parametrize("family", BOTH)
def test_path_mtu_is_told_to_who_may_not_be_fragmented(net, family):
    net.client.run("ip route flush cache", check=False)
    net.client.run("ip -6 route flush cache", check=False)
    done = net.client.ping(getattr(net.server, family), options=f"-M do -s {MTU}", check=False)
    told = (rf"From {BOX[family]}:? icmp_seq=1 "
            rf"(Frag needed and DF set \(mtu = {MTU}\)|Packet too big: mtu={MTU})")
    assert re.search(told, done.stdout + done.stderr), done.stdout + done.stderr


def test_ipv4_that_may_be_fragmented_is(net):
    net.client.run("ip route flush cache", check=False)
    with Wire(net.server) as wire:
        net.client.ping("10.0.2.3", options=f"-M dont -s {MTU + 50}", check=False)
        pieces = wire.receive(lambda f: f[12:14] == b"\x08\x00" and f[23] == 1, 1, count=2)
    assert len(pieces) == 2 and all(len(p) <= MTU + 14 for p in pieces)
    assert pieces[0][20] & 0x20 and pieces[1][20:22] != b"\x00\x00"


@pytest.mark.parametrize("target, words", [
    ("10.0.2.77", "Destination Host Unreachable"),
    ("fd00:2::77", "Destination unreachable: Address unreachable"),
    ("203.0.113.9", "Destination Net Unreachable"),
    ("2001:db8:ffff::9", "Destination unreachable: No route")])
def test_the_unreachable_is_said_to_be_so(net, target, words):
    done = net.client.run(f"ping -n -c 1 -W 6 {target}", check=False)
    assert words in done.stdout, done.stdout


def test_neighbours_are_known_and_listed(net):
    net.client.ping("10.0.2.2")
    net.client.ping("fd00:2::2")
    table = {n["address"]: n for n in net.cli("neighbours")["neighbours"]}
    assert table["10.0.1.2"]["mac"] == net.client.mac
    assert table["fd00:2::2"]["mac"] == net.server.mac
    assert table["fd00:2::2"]["port"] == "dmz"


def test_a_neighbour_that_changes_its_mac_is_found_again(net):
    net.server.run("ip link set eth0 address 02:00:00:00:77:01")
    net.server.run("ip -6 addr add fd00:2::2/64 dev eth0 nodad", check=False)
    net.server.run("ip route replace default via 10.0.2.1", check=False)
    net.server.run("ip -6 route replace default via fd00:2::1", check=False)
    net.server.ping("10.0.2.1")
    wait_until(lambda: net.client.ping("10.0.2.2", check=False).returncode == 0, 40,
               "the server is reached at its new MAC")


def test_a_ping_of_its_own_size_survives_a_hundred_times(net):
    assert " 0% packet loss" in net.client.run("ping -n -c 100 -i 0.01 -W 2 10.0.2.2").stdout


def test_every_drop_so_far_has_a_name(net):
    for drop in net.cli("drops")["drops"]:
        assert drop["name"] and drop["help"].endswith(".")


def test_jumbo_frames(make_lab):
    lab = make_lab()
    client, _server = client_and_server(lab, mtu=9000)
    lab.box.run("ip link set rv-dmz mtu 1500")  # the configuration says what it shall be
    lab.start(router(mtu={"lan": "9000B", "dmz": "9000B"}))
    for target in ("10.0.2.2", "fd00:2::2"):
        client.ping(target, count=3, options="-M do -s 8900")
    assert "frame size" not in lab.log.read_text(), "an error about what works"
    lab.close()


def test_four_workers_share_the_ports(make_lab):
    lab = make_lab()
    client, server = client_and_server(lab)
    lab.start(router(workers={"count": 4, "poll": "adaptive"}))
    for target in (server.v4, server.v6):
        client.ping(target, count=20)
    transfers = [iperf3(client, server, server.v4, "-t 1 -P 4"),
                 iperf3(client, server, server.v6, "-t 1 -P 4")]
    for transfer in transfers:
        assert iperf3_result(transfer)["sum_received"]["bytes"] > 1e6
    assert {f["worker"] for f in lab.cli("flows")["flows"]} > {0}
    lab.close()
