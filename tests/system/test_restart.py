# SPDX-License-Identifier: Apache-2.0
"""SIGKILL to either process while packets flow."""
import gzip
import os
import re
import time

import pytest

from lab import ROOT, LabError, iperf3, iperf3_result, wait_until
from wires import EVERYTHING, client_and_server, counter, router, rule

ROUTES = ROOT.parent / "shared" / "data" / "routes"
MOST_GAP_SECONDS = 2.0
MOST_GAP_FULL_SECONDS = 5.0  # with the full table and 10k rules, on a machine that others use too
RULES = 10_000
ROUNDS = int(os.environ.get("RAVELIN_KILL_ROUNDS", 2))


class PingLog:
    """A ping every 20 ms; the longest time without an answer."""

    def __init__(self, host, target: str, seconds: float):
        self.process = host.popen(f"ping -n -D -i 0.02 -W 1 -c {int(seconds / 0.02)} {target}")

    def longest_gap(self) -> float:
        output, _ = self.process.communicate(timeout=120)
        times = [float(t) for t in re.findall(r"^\[([\d.]+)\] \d+ bytes", output, re.M)]
        assert len(times) > 2, output[-500:]
        return max(b - a for a, b in zip(times, times[1:]))


def transfer(lab, seconds: float):
    """An iperf3 transfer whose flows the data plane knows."""
    process = iperf3(lab.client, lab.server, "10.0.2.2", f"-t {seconds}")
    wait_until(lambda: lab.cli(f"flows --port {process.port}")["matching"] >= 2, 5, "control and data flow")
    return process


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.start(router())
    return lab


@pytest.fixture(autouse=True)
def recovered(request):
    """Each test begins with two processes that live."""
    if "net" in request.fixturenames:
        request.getfixturevalue("net").recover()


def test_a_transfer_survives_the_data_planes_death(net, record_property):
    process = transfer(net, 6)
    ping = PingLog(net.client, "10.0.2.2", 5)
    time.sleep(1)
    old = net.kill_dataplane()
    gap = ping.longest_gap()
    assert iperf3_result(process)["sum_received"]["bytes"] > 0
    record_property("gap_seconds", round(gap, 3))
    print(f"gap {gap:.3f} s")
    assert net.dataplane_pid() not in (0, old)
    assert gap < MOST_GAP_SECONDS
    status = net.cli("status")
    assert status["dataplane"]["adopted_flows"] >= 2
    assert status["generation"] == net.cli("history")["generations"][0]["generation"]


def test_the_flow_is_adopted_not_opened_again(net):
    """With a policy that denies mid-stream pickup, only adoption explains that it goes on."""
    process = transfer(net, 4)
    no_flow = counter(net, "drop.firewall.tcp_no_flow")
    net.kill_dataplane()
    iperf3_result(process)
    assert counter(net, "drop.firewall.tcp_no_flow") <= no_flow


def test_a_data_plane_that_dies_again_and_again_comes_back(net):
    for _ in range(3):
        net.kill_dataplane()
        wait_until(lambda: net.client.ping("10.0.2.2", check=False).returncode == 0, 10, "packets flow")


def test_packets_flow_on_without_a_control_plane(net):
    ping = PingLog(net.client, "10.0.2.2", 3)
    process = transfer(net, 3)
    net.kill_control()
    assert ping.longest_gap() < 0.5
    iperf3_result(process)
    net.start_control()
    net.wait_ready()


def test_a_restarted_control_plane_takes_over_the_living_data_plane(net):
    pid, generation = net.dataplane_pid(), net.cli("status")["generation"]
    net.kill_control()
    net.start_control()
    net.wait_ready()
    status = net.cli("status")
    assert net.dataplane_pid() == pid and status["generation"] == generation
    net.apply(router([rule("telnet", "drop", protocol="tcp", to_ports=23), *EVERYTHING]))


@pytest.mark.parametrize("dataplane_first", [False, True])
def test_both_killed_at_once_come_back_with_the_last_policy(net, dataplane_first):
    """The new control plane may still meet the old data plane, which dies without an answer."""
    net.apply(router([rule("no-ping", "drop", protocol="icmp"), *EVERYTHING]))
    generation = net.cli("status")["generation"]
    for _ in range(ROUNDS):
        old, kills = net.dataplane_pid(), [net.kill_dataplane, net.control.kill]
        for kill in kills if dataplane_first else reversed(kills):
            kill()
        net.control.wait(5)
        net.start_control()
        net.wait_ready()
        status = net.cli("status")
        assert status["dataplane"]["generation"] == generation
        assert status["dataplane"]["pid"] != old and status["dataplane_restarts"] <= 1
    assert net.client.ping("10.0.2.2", check=False).returncode != 0
    net.client.ping("fd00:2::2")
    net.apply(router())


def test_a_half_written_run_directory_is_no_obstacle(net):
    """Segments of a killed process that are damaged are made anew."""
    net.control.kill()
    net.kill_dataplane()
    net.control.wait(5)
    for path in net.run_dir.glob("flows.*"):
        path.write_bytes(os.urandom(1000))
    net.start_control()
    net.wait_ready()
    net.client.ping("10.0.2.2")


def full_policy(lab) -> str:
    """Every prefix of the Internet by way of the server, and 10,000 rules that do not match."""
    with gzip.open(next(ROUTES.glob("*.gz")), "rt") as table:
        lines = table.read().splitlines()
    (lab.directory / "v4.txt").write_text("\n".join(p for p in lines if ":" not in p))
    (lab.directory / "v6.txt").write_text("\n".join(p for p in lines if ":" in p))
    rules = [rule(f"r{i}", "drop", **{"from": f"172.{16 + i // 4096}.{i // 16 % 256}.{i % 16 * 16}/28"},
                  protocol="tcp", to_ports=1000 + i) for i in range(RULES)]
    return router(rules + EVERYTHING,
                  routes=[{"to": [{"file": str(lab.directory / "v4.txt")}], "via": "10.0.2.2"},
                          {"to": [{"file": str(lab.directory / "v6.txt")}], "via": "fd00:2::2"}])


@pytest.mark.skipif(not ROUTES.is_dir(), reason="no ../shared/data/routes")
def test_restart_with_the_full_routing_table_and_ten_thousand_rules(make_lab, record_property):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    begin = time.monotonic()
    lab.start(full_policy(lab), seconds=60)
    record_property("first_start_seconds", round(time.monotonic() - begin, 2))
    total = lab.cli("routes --limit 1")["total"]
    assert total > 1_000_000
    process = transfer(lab, 9)
    ping = PingLog(lab.client, "10.0.2.2", 8)
    time.sleep(1)
    lab.kill_dataplane()
    gap = ping.longest_gap()
    record_property("gap_seconds", round(gap, 3))
    print(f"{total} routes, {RULES} rules: gap {gap:.3f} s")
    assert gap < MOST_GAP_FULL_SECONDS
    iperf3_result(process)
    lab.close()


def test_a_stopped_appliance_leaves_no_process(net):
    net.stop()
    assert net.control.returncode == 0
    with pytest.raises(LabError):
        wait_until(lambda: net.dataplane_pid(), 0.5, "a data plane")
