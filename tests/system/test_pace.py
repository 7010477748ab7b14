# SPDX-License-Identifier: Apache-2.0
"""configs/shared-link.yaml: two hosts as two principals share a port's rate by weight, with real TCP through it;
what a third has reserved of it is kept."""
import time

import pytest
import yaml

from lab import ROOT, iperf3, wait_until
from wires import counter, drops

RATE, OVERHEAD = 20_000_000, 24
SHARED = (ROOT / "configs" / "shared-link.yaml").read_text()
NAMES = ("org", "guests")
NOTHING = {"bytes": 0, "packets": 0, "marked": 0, "dropped": 0}


def config(rate: str) -> str:
    tree = yaml.safe_load(SHARED)
    wan = tree["ports"][2]
    wan.pop("rate")
    tree.pop("reservations")  # they need it
    if rate:
        wan["rate"] = rate
    return yaml.safe_dump(tree, sort_keys=False)


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.org = lab.host("org", "lan", ["10.0.1.2/24"], ["default via 10.0.1.1"])
    lab.guests = lab.host("guests", "dmz", ["10.0.2.2/24"], ["default via 10.0.2.1"])
    lab.server = lab.host("server", "wan", ["192.0.2.254/24"], ["default via 192.0.2.1"])
    for host in lab.hosts.values():
        host.sysctl(net__ipv4__tcp_ecn=1)
    lab.start(SHARED)
    return lab


def wan(net) -> dict:
    return next(p for p in net.cli("ports")["ports"] if p["name"] == "wan")


def shares(net) -> dict:
    """Principal -> what the port has sent for it."""
    return {**dict.fromkeys(NAMES, NOTHING), **{s["principal"]: s for s in wan(net)["shares"]}}


def test_hosts_share_the_rate_by_weight(net):
    running = [iperf3(host, net.server, "192.0.2.254", "-t 60") for host in (net.org, net.guests)]

    def both_sent(bytes_each, since=None):
        now = shares(net)
        moved = {name: now[name]["bytes"] - (since[name]["bytes"] if since else 0) for name in NAMES}
        return now if all(n > bytes_each for n in moved.values()) else None
    wait_until(lambda: both_sent(500_000), 30, "both are at it")
    began, before = time.monotonic(), shares(net)
    after = wait_until(lambda: both_sent(1_500_000, before), 60, "both sent more")
    took = time.monotonic() - began
    for process in running:
        process.kill()
    sent = {name: after[name]["bytes"] - before[name]["bytes"] for name in NAMES}
    assert 2 < sent["org"] / sent["guests"] < 4.5, sent
    wire = sum(sent.values()) + OVERHEAD * sum(after[n]["packets"] - before[n]["packets"] for n in NAMES)
    # What stood ahead of the wire at either end comes on top.
    assert wire * 8 < RATE * took * 1.02 + 8 * 20_000, (wire, took)


def test_the_queue_is_to_be_seen_and_tells_of_congestion(net):
    running = iperf3(net.guests, net.server, "192.0.2.254", "-t 60")
    wait_until(lambda: wan(net)["queue_frames"] > 0, 30, "frames wait")
    assert wan(net)["rate"] == RATE
    wait_until(lambda: shares(net)["guests"]["marked"] > 0, 30, "TCP that asked for marks is marked")
    running.kill()
    assert counter(net, "link.marked") > 0
    memory = {m["table"]: m for m in net.cli("status")["dataplane"]["memory"]}
    assert 0 < memory["link.wan"]["capacity"] <= 8192 / 4 and memory["link.wan"]["bytes"] > 0
    text = net.ravelin("ports").stdout
    assert "20.0 Mbit/s" in text and "guests" in text, text
    assert {name for name in drops(net) if name.split(".")[0] in ("link", "pipeline")} <= {"link.queue_full"}, drops(net)


def promising(rate: str, /, **contract) -> str:
    tree = yaml.safe_load(SHARED)
    tree["ports"][2]["rate"] = rate
    tree["reservations"][0].update(contract)
    return yaml.safe_dump(tree, sort_keys=False)


def calls(net) -> dict:
    """The reservation of the example, with what came of it."""
    (one,) = (r for r in net.cli("reservations")["reservations"] if r["name"] == "calls")
    return one


def flood(host, target: str, mbit: int):
    """Datagrams of 1,400 bytes at that rate, until the process is killed."""
    each = 1400 * 8
    return host.popen(["/usr/bin/python3", "-c", f"""
import socket, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sent, began = 0, time.monotonic()
while True:
    while sent * {each} < (time.monotonic() - began) * {mbit}e6:
        out.sendto(bytes(1400), ("{target}", 9))
        sent += 1
    time.sleep(0.002)
"""])


def test_a_promise_is_kept_while_others_flood(net):
    """Ten times the rate from either of the others; pings of the principal that has a reservation."""
    pings = 300
    net.apply(promising("4Mbit", deadline="20ms"))
    net.org.run("ip addr add 10.0.1.40/24 dev eth0")
    before = calls(net)
    running = [flood(host, "192.0.2.254", 40) for host in (net.org, net.guests)]
    wait_until(lambda: wan(net)["queue_frames"] > 50, 30, "frames wait")
    lost = shares(net)["guests"]["dropped"]
    done = net.org.run(f"ping -n -q -c {pings} -i 0.01 -W 2 -I 10.0.1.40 192.0.2.254")
    assert " 0% packet loss" in done.stdout, done.stdout
    assert shares(net)["guests"]["dropped"] > lost, "the flood has met its bound all along"
    for process in running:
        process.kill()
    after = calls(net)
    moved = {what: after[what] - before[what] for what in ("sent", "used", "late", "dropped")}
    assert moved["sent"] >= pings and moved["dropped"] == 0, moved
    # One that came before its period was over may go by its share; a machine that stood still makes some late.
    assert moved["used"] > pings / 2 and moved["late"] < pings / 10, moved
    (port,) = net.cli("reservations")["ports"]
    assert port == {"port": "wan", "rate": 4_000_000, "reserved": (200 + 14 + OVERHEAD) * 500 * 8, "box": 200_000}
    text = net.ravelin("reservations").stdout
    assert "calls" in text and "952 kbit/s of 4.00 Mbit/s reserved" in text, text


def test_a_promise_that_cannot_be_kept_is_refused_and_the_old_one_stays(net):
    net.apply(promising("4Mbit", deadline="20ms"))
    before = calls(net)
    for contract, why in (({"rate": "5kpps"}, "has not 238 bytes on the wire every 200 us to spare"),
                          ({"deadline": "5ms"}, "with a deadline of"),
                          ({"out": "lan"}, "port lan has no rate")):
        done = net.apply(promising("4Mbit", **{"deadline": "20ms", **contract}), check=False)
        assert done.returncode != 0 and "reservations[0]" in done.stderr and why in done.stderr, done.stderr
        assert ".yaml:" in done.stderr, done.stderr
    assert calls(net) == before


def test_what_is_provisional_takes_its_promises_along(net):
    net.apply(promising("4Mbit", deadline="20ms"))
    sent = calls(net)["sent"]
    assert sent > 0, "counted on over all changes so far"
    net.apply(promising("4Mbit", deadline="30ms", rate="100pps"), "--confirm 60s")
    assert (calls(net)["rate_pps"], calls(net)["deadline_ns"]) == (100, 30_000_000)
    net.ravelin("rollback")
    now = calls(net)
    assert (now["rate_pps"], now["deadline_ns"]) == (500, 20_000_000) and now["sent"] >= sent, now
    net.apply(config("4Mbit"))
    assert net.cli("reservations")["reservations"] == []


RESERVE = "reserve bulk --principal guests --out wan --bytes 1400 --rate 100pps --deadline"


def test_live_reservations_outlive_both_processes(net):
    net.apply(promising("4Mbit", deadline="20ms"))
    generation = net.cli("status")["generation"]
    refused = net.ravelin(f"{RESERVE} 5ms", check=False)
    assert refused.returncode != 0 and "live reservation bulk: port wan" in refused.stderr, refused.stderr
    assert "with a deadline of" in refused.stderr, refused.stderr
    assert "it fits" in net.ravelin(f"{RESERVE} 40ms --dry-run").stdout
    assert len(net.cli("reservations")["reservations"]) == 1
    assert net.cli(f"{RESERVE} 40ms")["live_us"] > 0

    def there() -> dict:
        return {r["name"]: (r["live"], r["deadline_ns"]) for r in net.cli("reservations")["reservations"]}
    both = {"calls": (False, 20_000_000), "bulk": (True, 40_000_000)}
    assert there() == both and net.cli("status")["generation"] == generation
    net.kill_control()
    net.start_control()
    net.wait_ready()
    assert there() == both
    net.kill_dataplane()
    net.wait_ready()
    assert there() == both

    def used():
        return next(r["used"] for r in net.cli("reservations")["reservations"] if r["name"] == "bulk")
    running = flood(net.guests, "192.0.2.254", 8)
    wait_until(lambda: used() > 20, 30, "the new data plane keeps it")
    running.kill()
    done = net.apply(config("100Kbit"), check=False)
    assert done.returncode != 0 and "live reservation bulk" in done.stderr, done.stderr
    net.ravelin("release bulk")
    assert set(there()) == {"calls"}
    assert net.ravelin("release bulk", check=False).returncode != 0
    net.apply(config("100Kbit"))


def test_the_rate_may_change_and_go(net):
    for rate, bits in ("", None), ("100Mbit", 100_000_000), ("20Mbit", RATE):
        net.apply(config(rate))
        assert wan(net).get("rate") == bits
        net.org.ping("192.0.2.254", count=5)
        net.org.ping("10.0.1.1", count=2)


def test_a_wrong_rate_is_refused_with_its_place(net):
    done = net.apply(config("20"), check=False)
    assert done.returncode != 0 and "rate" in done.stderr and ".yaml:" in done.stderr, done.stderr
