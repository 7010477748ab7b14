# SPDX-License-Identifier: Apache-2.0
"""configs/wire.yaml: two hosts that believe to be on one cable."""
import pytest
import yaml
from scapy.all import IP, UDP, Dot1Q, Ether, Raw

from lab import ROOT, wait_until
from wires import Wire, drops

WIRE = (ROOT / "configs" / "wire.yaml").read_text()
LLDP, UNKNOWN = 0x88cc, 0x88b5  # 0x88b5: for experiments (IEEE 802)


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.outside = lab.host("outside", "outside", ["10.9.0.1/24", "fd00:9::1/64"])
    lab.inside = lab.host("inside", "host", ["10.9.0.2/24", "fd00:9::2/64"])
    lab.start(WIRE)
    return lab


def with_wire(**members) -> str:
    """configs/wire.yaml with other members of stage wire."""
    tree = yaml.safe_load(WIRE)
    next(s for s in tree["pipeline"] if "wire" in s)["wire"] = members
    return yaml.safe_dump(tree)


def passes(net, frame, back: bool = False) -> bool:
    """Whether the very same bytes come out of the other end."""
    source, sink = (net.inside, net.outside) if back else (net.outside, net.inside)
    with Wire(sink) as receiver, Wire(source) as sender:
        sender.send(frame)
        return bool(receiver.receive(lambda got: got == bytes(frame), 1.0))


@pytest.mark.parametrize("target", ["10.9.0.2", "fd00:9::2"])
def test_the_hosts_find_and_ping_each_other(net, target):
    net.outside.ping(target, count=3)


def test_each_host_sees_the_others_own_mac(net):
    net.outside.ping("10.9.0.2")
    assert net.inside.mac in net.outside.run("ip neigh show 10.9.0.2").stdout
    assert net.outside.mac in net.inside.run("ip neigh show 10.9.0.1").stdout


def test_services_are_reached_and_nothing_else(net):
    net.inside.web(80)
    net.inside.serve("nc -lk -p 8080", port=8080)
    net.outside.run("nc -z -w 3 10.9.0.2 80")
    net.outside.run("nc -z -w 3 fd00:9::2 80")
    assert net.outside.run("nc -z -w 1 10.9.0.2 8080", check=False).returncode != 0


def test_the_host_opens_what_it_likes(net):
    net.outside.serve("nc -lk -p 8080", port=8080)
    net.inside.run("nc -z -w 3 10.9.0.1 8080")


def test_ttl_and_addresses_are_untouched(net):
    frame = (Ether(src=net.inside.mac, dst=net.outside.mac) /
             IP(src="10.9.0.2", dst="10.9.0.1", ttl=1, id=77) / UDP(sport=5, dport=6) / Raw(b"same"))
    assert passes(net, frame, back=True)


def test_tags_pass_unchanged(net):
    frame = (Ether(src=net.inside.mac, dst=net.outside.mac) / Dot1Q(vlan=7, prio=5) /
             IP(src="10.9.0.2", dst="10.9.0.1") / UDP(sport=5, dport=6) / Raw(b"tagged"))
    assert passes(net, frame, back=True)


def test_lldp_passes_and_the_unknown_does_not(net):
    lldp = Ether(dst="01:80:c2:00:00:0e", src=net.outside.mac, type=LLDP) / Raw(b"\x02\x07" + bytes(60))
    unknown = Ether(dst=net.inside.mac, src=net.outside.mac, type=UNKNOWN) / Raw(bytes(60))
    before = drops(net).get("wire.ethertype", 0)
    assert passes(net, lldp)
    assert not passes(net, unknown)
    wait_until(lambda: drops(net).get("wire.ethertype", 0) == before + 1, 3, str(drops(net)))


def test_the_policy_for_ethertypes_and_tags_is_the_operators(net):
    unknown = Ether(dst=net.inside.mac, src=net.outside.mac, type=UNKNOWN) / Raw(bytes(60))
    lldp = Ether(dst="01:80:c2:00:00:0e", src=net.outside.mac, type=LLDP) / Raw(b"\x02\x07" + bytes(60))
    net.apply(with_wire(ethertypes={"other": "accept", "lldp": "drop", "arp": "drop"}))
    try:
        assert passes(net, unknown)
        assert not passes(net, lldp)
        net.outside.run("ip neigh flush all")
        assert net.outside.ping("10.9.0.2", check=False).returncode != 0
        assert {"wire.lldp", "wire.arp"} <= set(drops(net))
    finally:
        net.apply(WIRE)
    net.outside.run("ip neigh flush all")  # its failure is remembered for a while
    net.outside.ping("10.9.0.2", count=3)
