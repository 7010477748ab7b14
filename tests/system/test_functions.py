# SPDX-License-Identifier: Apache-2.0
"""configs/functions.yaml: a stream is thinned and a server's words are copied, on cycles of theirs; others notice nothing."""
import time

import pytest
import yaml

from lab import ROOT, iperf3, iperf3_result, wait_until
from wires import Wire, counter, drops

EXAMPLE = (ROOT / "configs" / "functions.yaml").read_text()
VIDEO = """import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.0.2.2", 6000))
for number in range(%d):
    s.sendto(number.to_bytes(4, "big") * 50, ("192.0.2.254", %d))
    time.sleep(0.001)
"""
LISTEN = """import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.254", %d))
s.settimeout(2)
try:
    while True:
        print(int.from_bytes(s.recv(2000)[:4], "big"), flush=True)
except TimeoutError:
    pass
"""


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.server = lab.host("server", "lan", ["10.0.1.80/24", "10.0.1.2/24"], ["default via 10.0.1.1"])
    lab.guest = lab.host("guest", "dmz", ["10.0.2.2/24"], ["default via 10.0.2.1"])
    lab.outside = lab.host("outside", "wan", ["192.0.2.254/24"], ["default via 192.0.2.1"])
    lab.analyser = lab.host("analyser", "see", ["203.0.113.2/24"], [])
    lab.start(EXAMPLE)
    lab.guest.ping("192.0.2.254")
    return lab


def stream(net, packets: int, port: int) -> list:
    listening = net.outside.popen(["/usr/bin/python3", "-c", LISTEN % port])
    wait_until(lambda: f":{port} " in net.outside.run("ss -lun").stdout, 10, "somebody listens")
    net.guest.run(["/usr/bin/python3", "-c", VIDEO % (packets, port)])
    out, _ = listening.communicate(timeout=60)
    return [int(line) for line in out.split()]


def charged(net) -> dict:
    return {p["name"]: p for p in net.cli("principals")["principals"]}


def test_a_stream_is_thinned_and_in_order(net):
    before = charged(net)["guests/video"]
    assert stream(net, 900, 5004) == [n for n in range(900) if n % 3 != 2]
    assert drops(net)["invoke.thinned"] == 300
    after = charged(net)["guests/video"]
    assert after["packets"] - before["packets"] == 900
    assert after["drops"] - before["drops"] == 300
    assert after["cycles"] > before["cycles"]


def test_others_have_no_function(net):
    before = counter(net, "invoke.packets")
    assert stream(net, 300, 5005) == list(range(300))
    result = iperf3_result(iperf3(net.guest, net.outside, "192.0.2.254", "-t 1"))
    assert result["sum_received"]["bytes"] > 1e6
    assert counter(net, "invoke.packets") == before


def test_a_copy_of_what_a_server_says_is_seen(net):
    with Wire(net.analyser) as wire:
        net.server.run("ping -c 3 -i 0.2 -I 10.0.1.80 192.0.2.254")
        net.server.run("ping -c 2 -i 0.2 -I 10.0.1.2 192.0.2.254")
        wire.socket.settimeout(1)
        seen = []
        try:
            while True:
                frame = wire.socket.recv(2000)
                if frame[12:14] == b"\x08\x00" and frame[23] == 1:
                    seen.append(frame[26:30])
        except TimeoutError:
            pass
    # Questions and answers of its flow, nobody else's.
    assert sorted(seen) == sorted([bytes([10, 0, 1, 80]), bytes([192, 0, 2, 254])] * 3)


def test_explain_names_the_function(net):
    told = net.ravelin("explain in=dmz udp 10.0.2.2:1 > 192.0.2.254:5004").stdout
    assert "function thin-video" in told
    assert "function -" in net.ravelin("explain in=dmz udp 10.0.2.2:1 > 192.0.2.254:9").stdout


def test_functions_change_under_traffic(net):
    """What they leave out is all that is missing, whatever becomes of them meanwhile."""
    tree = yaml.safe_load(EXAMPLE)
    listening = net.outside.popen(["/usr/bin/python3", "-c", LISTEN % 5004])
    wait_until(lambda: ":5004 " in net.outside.run("ss -lun").stdout, 10, "somebody listens")
    before = drops(net)
    sending = net.guest.popen(["/usr/bin/python3", "-c", VIDEO % (2000, 5004)])
    for keep in (1, 2, 3):
        time.sleep(0.3)
        tree["functions"][0]["thin"] = {"keep": keep, "of": 3}
        net.apply(yaml.safe_dump(tree, sort_keys=False))
    assert sending.wait(timeout=60) == 0
    out, _ = listening.communicate(timeout=60)
    numbers = [int(line) for line in out.split()]
    assert numbers == sorted(set(numbers))
    after = drops(net)
    gone = sum(after[name] - before.get(name, 0) for name in after if name.startswith("invoke."))
    assert len(numbers) + gone == 2000, (len(numbers), before, after)
    net.apply(EXAMPLE)


def test_a_function_that_somebody_may_not_call_is_refused(net):
    tree = yaml.safe_load(EXAMPLE)
    tree["principals"][0]["function"] = "copy"
    refused = net.apply(yaml.safe_dump(tree, sort_keys=False), check=False)
    assert refused.returncode != 0
    assert "principals[0].function: function 'copy': not permitted to 'guests'" in refused.stderr


def test_cycles_are_reserved_while_it_runs(net):
    wish = "reserve video --principal guests/video --cpu 8000cyc/pkt --rate 2kpps --deadline 20ms"
    net.ravelin(wish)
    one = next(r for r in net.cli("reservations")["reservations"] if r["name"] == "video")
    assert one["cycles"] == 8000 and one["deadline_ns"] == 20_000_000 and one["live"] and one["kept"]
    before = drops(net)
    numbers = stream(net, 600, 5004)
    gone = {name: n - before.get(name, 0) for name, n in drops(net).items() if n != before.get(name, 0)}
    assert len(numbers) == 400 and gone == {"invoke.thinned": 200}, gone
    refused = net.ravelin("reserve more --principal org/server --cpu 9000000cyc/pkt --rate 2kpps", check=False)
    assert refused.returncode != 0 and "each worker" in refused.stderr
    refused = net.ravelin("reserve more --principal org --cpu 2000cyc/pkt --rate 2kpps", check=False)
    assert refused.returncode != 0 and "has no function" in refused.stderr
    net.ravelin("release video")
    assert net.cli("reservations")["cycles"]["reserved"] == 0
