# SPDX-License-Identifier: Apache-2.0
"""What an operator can look at."""
import json
import re
import subprocess
import time

import pytest

from lab import ROOT, binary, wait_until
from wires import attacker, client_and_server, rule_packets

COMMANDS = ("status", "rules", "routes", "neighbours", "flows", "principals", "counters", "drops", "history",
            "top --count 1 --interval 200ms", "top --by principal --count 1 --interval 200ms")


@pytest.fixture(scope="module")
def net(make_lab):
    """configs/edge.yaml with some traffic behind it."""
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.attacker = attacker(lab)
    lab.server.serve("nc -lk -p 80", port=80)
    lab.start((ROOT / "configs" / "edge.yaml").read_text())
    lab.client.ping("10.0.2.2", count=5)
    lab.client.run("nc -z -w 3 10.0.2.2 80")
    lab.attacker.ping("10.0.1.2", check=False)
    return lab


@pytest.mark.parametrize("command", COMMANDS)
def test_each_view_has_text_and_json(net, command):
    assert net.ravelin(command).stdout.strip()
    assert isinstance(net.cli(command), dict)


@pytest.mark.parametrize("command", ["", *sorted({c.split()[0] for c in COMMANDS}), "check", "diff", "apply",
                                     "confirm", "rollback", "trace", "explain", "capture", "calibrate"])
def test_each_command_has_help_with_an_example(net, command):
    text = net.ravelin(f"{command} --help").stdout
    assert not command or f"ravelin {command}" in text


def test_the_machine_is_calibrated_beside_a_sleeping_worker(net):
    assert "not calibrated yet" in net.ravelin("calibrate --show", check=False).stderr
    measured = net.cli("calibrate --seconds 0.5")
    assert measured["kept"], measured["warnings"]
    (worker,) = measured["workers"]
    assert 0 < worker["share"] <= 1 and worker["cycles_per_second"] <= worker["tsc_hz"]
    assert worker["worker_busy"] < 0.2
    assert not measured["ports"], "what veth says it carries is nothing to count on"
    kept = net.cli("calibrate --show")["calibration"]
    assert kept["workers"] == measured["workers"] and kept["unix_ms"] == measured["unix_ms"]


def test_an_unreachable_control_plane_is_said_so(net, tmp_path):
    done = net.box.run([binary("ravelin"), "--run-dir", tmp_path, "status"],
                       check=False)
    assert done.returncode == 3 and str(tmp_path) in done.stderr


def test_status_names_ports_and_workers(net):
    status = net.cli("status")
    assert status["ready"] and status["dataplane"]["workers"] == 1
    assert {p["name"]: p["link_up"] for p in status["ports"]} == {"lan": True, "dmz": True, "wan": True}


def test_flows_tell_who_speaks_to_whom(net):
    net.client.ping("10.0.2.2")
    flow = next(f for f in net.cli("flows --host 10.0.2.2 --protocol icmp")["flows"])
    assert (flow["source"], flow["destination"]) == ("10.0.1.2", "10.0.2.2")
    assert flow["rule"] == "lan-goes-out" and flow["packets_back"] >= 1


def test_routes_answer_for_an_address(net):
    assert net.cli("routes 203.0.113.9")["routes"][0]["via"] == "192.0.2.254"
    assert net.cli("routes 10.0.2.99")["routes"][0]["port"] == "dmz"


def test_counters_add_up(net):
    def ports(ending):
        return sum(c["value"] for c in net.cli("counters")["counters"]
                   if c["name"].startswith("port.") and c["name"].endswith(ending))
    before = ports("rx_packets")
    net.client.ping("10.0.2.2", count=10)
    wait_until(lambda: ports("rx_packets") - before >= 20, 3, "20 packets in")


def test_trace_follows_a_packet_stage_by_stage(net):
    trace = net.box.popen([binary("ravelin"), "--run-dir", net.run_dir,
                           "--json", "trace", "icmp", "--port", "lan", "--count", "1"])
    time.sleep(0.5)
    net.client.ping("10.0.2.2", count=3)
    output, errors = trace.communicate(timeout=10)
    event = json.loads(output.splitlines()[0])
    stages = [s["stage"] for s in event["steps"]]
    assert stages.index("route") < stages.index("firewall") < stages.index("rewrite"), errors
    assert event["port"] == "lan" and event["out_port"] == "dmz" and "10.0.2.2" in event["summary"]


@pytest.mark.parametrize("packet, verdict, rule", [
    ("in=lan tcp 10.0.1.2:1234 > 10.0.2.2:81 syn", "pass", "lan-goes-out"),
    ("in=lan tcp 10.0.1.2:1234 > 192.0.2.7:80 syn", "consumed", "lan-goes-out"),  # asks for the MAC
    ("in=wan tcp 192.0.2.254:1234 > 10.0.2.2:80 syn", "pass", "web"),
    ("in=wan tcp 192.0.2.254:1234 > 10.0.1.2:22 syn", "drop", "refuse-from-wan"),
    ("in=wan tcp 10.0.1.9:1234 > 10.0.2.2:80 syn", "drop", "spoofed-from-wan"),
    ("in=wan tcp 2001:db8:2::fe:1234 > fd00:1::2:22 syn", "drop", "refuse-from-wan")])
def test_explain_names_the_rule_and_changes_nothing(net, packet, verdict, rule):
    if packet.count("::") > 1:
        packet = packet.replace("2001:db8:2::fe:1234", "[2001:db8:2::fe]:1234").replace(
            "fd00:1::2:22", "[fd00:1::2]:22")
    hits, flows = rule_packets(net, rule), net.cli("flows")["total"]
    answer = net.cli(["explain", packet])
    assert (answer["verdict"], answer["rule"]) == (verdict, rule), answer
    assert answer["generation"] == net.cli("status")["generation"]
    assert rule_packets(net, rule) == hits and net.cli("flows")["total"] <= flows


def test_a_capture_is_read_by_tshark(net, tmp_path):
    file = tmp_path / "icmp.pcapng"
    capture = net.box.popen([binary("ravelin"), "--run-dir", net.run_dir,
                             "capture", "icmp and host 10.0.2.2", "-w", file, "--count", "4"])
    time.sleep(0.5)
    net.client.ping("10.0.2.2", count=4)
    _, errors = capture.communicate(timeout=10)
    shown = subprocess.run(["tshark", "-r", file, "-T", "fields", "-e", "ip.src", "-e", "ip.dst"],
                           capture_output=True, text=True, check=True).stdout
    assert len(shown.splitlines()) >= 4, errors
    assert "10.0.1.2\t10.0.2.2" in shown


def test_metrics_have_help_and_agree_with_the_counters(net):
    def scrape():
        return net.box.run("curl -sSf -m 5 http://127.0.0.1:9477/metrics").stdout
    text = scrape()
    families = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    helped = set(re.findall(r"^# HELP (\S+) \S", text, re.M))
    assert families and families <= helped
    assert all(f.startswith("ravelin_") for f in families if not f.startswith(("exposer_", "process_")))
    net.client.ping("10.0.2.2", count=5)
    assert scrape() != text


def test_denied_packets_are_logged_as_json_lines(net):
    log = net.state_dir / "rules.log"
    net.attacker.run("nc -z -w 1 10.0.1.2 2222", check=False)

    def entry():
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return next((e for e in lines if e.get("destination_port") == 2222), None)
    found = wait_until(entry, 5, "the log line")
    assert found["rule"] == "refuse-from-wan" and found["in"] == "wan"
    assert found["generation"] == net.cli("status")["generation"]


def test_drops_are_sorted_into_named_reasons_with_a_meaning(net):
    drops = net.cli("drops")["drops"]
    assert any(d["name"].endswith("firewall.rule") and d["value"] for d in drops)
    assert all(d["help"].endswith(".") for d in drops)
