# SPDX-License-Identifier: Apache-2.0
"""Two hosts are two principals: what either sends and is sent is charged to who asked."""
import time

import pytest
import yaml

from lab import iperf3, iperf3_result
from wires import client_and_server, counter, router, rule

RULES = [rule("ping", protocol=["icmp", "icmp6"]), rule("out", in_="lan"), rule("in", in_="dmz", to_ports=7001, protocol="tcp"),
         {**rule("paid", protocol="tcp", to_ports=7002), "principal": "backup"}]

SIX_FLOWS = """import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.0.1.200", 0))
for port in range(9001, 9007):
    s.sendto(b"x", ("10.0.2.2", port))
"""


def config(**caps) -> str:
    tree = yaml.safe_load(router([RULES[3], *RULES[:3]], firewall={"default": "drop"}))
    tree["principals"] = [{"name": "house", "prefixes": ["10.0.1.0/24", "fd00:1::/64"]},
                          {"name": "house/guest", "prefixes": ["10.0.1.128/25"], "caps": caps},
                          {"name": "server", "prefixes": ["10.0.2.0/24"]}, {"name": "backup"}]
    stages = tree["pipeline"]
    behind = next(i for i, s in enumerate(stages) if s == "firewall" or "firewall" in s)
    stages.insert(behind + 1, "classify")
    return yaml.safe_dump(tree, sort_keys=False)


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.start(config())
    return lab


def charged(lab) -> dict:
    return {p["name"]: p for p in lab.cli("principals")["principals"]}


def received(lab) -> int:
    return sum(counter(lab, f"port.{port}.rx_packets") for port in ("lan", "dmz"))


def test_every_packet_and_every_cycle_has_an_owner(net):
    before, at = charged(net), time.monotonic()
    packets = received(net)
    result = iperf3_result(iperf3(net.client, net.server, "10.0.2.2", "-t 2"))
    assert result["sum_received"]["bytes"] > 1e6
    net.client.ping("10.0.2.2", count=3)
    time.sleep(0.3)  # idle
    answer = net.cli("principals")
    after, passed = {p["name"]: p for p in answer["principals"]}, time.monotonic() - at
    grown = {name: after[name]["packets"] - before[name]["packets"] for name in after}
    assert abs(sum(grown.values()) - (received(net) - packets)) <= 4  # what came while we asked
    assert grown["house"] > 0.95 * sum(grown.values())  # the answers too
    cycles = sum(after[n]["cycles"] - before[n]["cycles"] for n in after)
    assert 0.97 < cycles / (answer["cycles_hz"] * answer["workers"] * passed) < 1.03


def test_who_opened_the_flow_pays_and_a_rule_decides_otherwise(net):
    net.client.serve("nc -lk -p 7001", port=7001)
    net.server.run("nc -z -w 3 10.0.1.2 7001")
    net.server.serve("nc -lk -p 7002", port=7002)
    net.client.run("nc -z -w 3 10.0.2.2 7002")
    flows = {f["destination_port"]: f["principal"] for f in net.cli("flows --protocol tcp")["flows"]}
    assert flows[7001] == "server" and flows[7002] == "backup"
    only = net.cli("flows --principal backup")["flows"]
    assert {f["destination_port"] for f in only} == {7002}
    told = net.cli("explain in=lan udp 10.0.1.200:1 > 10.0.2.2:9")
    assert told["principal"] == "house/guest"
    assert "principal house/guest" in net.ravelin("explain in=lan udp 10.0.1.200:1 > 10.0.2.2:9").stdout


def test_explaining_charges_nobody(net):
    before = charged(net)["house/guest"]
    for _ in range(20):
        net.cli("explain in=lan udp 10.0.1.200:1 > 10.0.2.2:9")
    assert charged(net)["house/guest"] == before


def test_a_cap_on_flows_is_enforced_and_counts_go_on_over_a_change(net):
    packets = charged(net)["house"]["packets"]
    assert packets > 0
    net.client.run("ip addr add 10.0.1.200/24 dev eth0")
    net.apply(config(flows=3))
    assert charged(net)["house"]["packets"] >= packets
    net.client.run(f"python3 -c '{SIX_FLOWS}'")
    time.sleep(0.5)
    assert counter(net, "drop.firewall.principal_flows") >= 3
    assert charged(net)["house/guest"]["flows"] == 3
    assert charged(net)["house/guest"]["drops"] >= 3


def test_top_shows_whose_the_workers_time_is(net):
    flood = net.client.popen("ping -f -q -w 3 10.0.2.2")
    time.sleep(0.5)
    top = net.cli("top --by principal --count 1 --interval 1s")["principals"]
    flood.wait()
    by_name = {p["name"]: p for p in top}
    assert 0.97 < sum(p["cycles"] for p in top) < 1.03
    assert by_name["house"]["pps"] > 100 and by_name["idle"]["pps"] == 0
    text = net.ravelin("top --by principal --count 1 --interval 200ms").stdout
    assert "PRINCIPAL" in text and "house" in text


def test_metrics_have_a_series_for_each(net):
    config_with = yaml.safe_load(config())
    config_with["control"] = {"metrics": "127.0.0.1:9477"}
    net.apply(yaml.safe_dump(config_with, sort_keys=False))
    time.sleep(2.5)  # asked for once a second
    text = net.box.run("curl -s http://127.0.0.1:9477/metrics").stdout
    assert 'ravelin_principal_packets_total{principal="house"}' in text
    assert 'ravelin_principal_worker_seconds_total{principal="idle"}' in text


@pytest.mark.parametrize("unit", ["cpu", "cycles"])
def test_a_cap_on_cpu_leaves_the_workers_to_others(net, unit):
    hz = net.cli("principals")["cycles_hz"] // 100  # of one per cent
    told, raw = {"cpu": ([1, 2], [1, 2]), "cycles": ([f"{hz}cyc/s", f"{hz + 1}cyc/s"], [hz, hz + 1])}[unit]
    tree = yaml.safe_load(config())
    tree["principals"][0]["caps"] = {unit: told[0]}
    tree["principals"][1]["caps"] = {unit: told[1]}
    refused = net.apply(yaml.safe_dump(tree, sort_keys=False), check=False)
    wrong = f"caps.{unit}: found {raw[1]}, expected at most {raw[0]}, which 'house' has"
    assert refused.returncode != 0 and wrong in refused.stderr
    tree["principals"][1]["caps"] = {}
    net.apply(yaml.safe_dump(tree, sort_keys=False))
    dropped = counter(net, "drop.principal.over_cpu")
    before, at = net.cli("principals"), time.monotonic()
    result = iperf3_result(iperf3(net.client, net.server, "10.0.2.2", "-t 3"))
    after, passed = net.cli("principals"), time.monotonic() - at
    cycles = {p["name"]: p["cycles"] for p in before["principals"]}
    house = next(p for p in after["principals"] if p["name"] == "house")
    share = (house["cycles"] - cycles["house"]) / (after["cycles_hz"] * passed)
    assert share < 0.04, (share, result["sum_received"])
    assert counter(net, "drop.principal.over_cpu") > dropped
    assert house["caps"][unit] == raw[0]
    assert {"cpu": "1 %", "cycles": "Mcyc/s"}[unit] in net.ravelin("principals").stdout
    top = net.cli("top --by principal --count 1 --interval 200ms")["principals"]
    assert next(p for p in top if p["name"] == "house")["cap"] == pytest.approx(0.01 / after["workers"], rel=1e-4)


def test_a_cap_on_memory_bounds_flows(net):
    net.apply(config(memory="600B"))
    net.client.run("ip addr add 10.0.1.200/24 dev eth0", check=False)
    net.client.run(f"python3 -c '{SIX_FLOWS}'")
    time.sleep(0.5)
    assert counter(net, "drop.firewall.principal_memory") >= 3
    guest = charged(net)["house/guest"]
    assert guest["flows"] == 3 and guest["memory"] == guest["caps"]["memory"] == 600, guest
