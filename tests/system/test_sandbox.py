# SPDX-License-Identifier: Apache-2.0
"""Both processes after they gave up their privileges: what they lack, and that all still works."""
import json
import os
import pathlib
import signal
import time

import pytest

from lab import binary, wait_until
from wires import EVERYTHING, client_and_server, router, rule, rule_packets

ROTATE_BYTES = 64 << 20
NOTHING = "0" * 16


def policy(**more) -> str:
    return router([rule("no-telnet", "drop", protocol="tcp", to_ports=[23], log=True), *EVERYTHING],
                  control={"metrics": "127.0.0.1:9477", **more.pop("control", {})}, **more)


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.state_dir.mkdir()
    with (lab.state_dir / "rules.log").open("w") as log:
        log.truncate(ROTATE_BYTES - 1)  # the first line makes it rotate
    lab.start(policy())
    if "instrumented" in lab.cli("status")["sandbox"]:
        pytest.skip("an instrumented build keeps its privileges")
    return lab


@pytest.fixture(autouse=True)
def recovered(request):
    if "net" in request.fixturenames:
        request.getfixturevalue("net").recover()


def threads(pid: int) -> list:
    """/proc/PID/task/*/status as mappings."""
    return [dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]


def assert_confined(pid: int, at_least: int):
    found = threads(pid)
    assert len(found) >= at_least, [t["Name"] for t in found]
    for t in found:
        given_up = {k: t[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        assert set(given_up.values()) == {NOTHING}, (t["Name"], given_up)
        assert (t["NoNewPrivs"], t["Seccomp"]) == ("1", "2"), t["Name"]


def child(lab, name: str) -> int:
    """A child of the control plane by its name."""
    children = pathlib.Path(f"/proc/{lab.control.pid}/task/{lab.control.pid}/children").read_text()
    return next(int(p) for p in children.split()
                if pathlib.Path(f"/proc/{p}/comm").read_text().strip() == name)


def launcher(lab) -> int:
    """That starts data planes."""
    return child(lab, "ravelin-launch")


def test_every_thread_of_both_has_nothing_left(net):
    status = net.cli("status")
    assert (status["sandbox"], status["dataplane"]["sandbox"]) == ("on", "on")
    assert "sandbox        on\n" in net.ravelin("status").stdout
    assert_confined(net.control.pid, at_least=2)  # metrics have threads
    assert_confined(net.dataplane_pid(), at_least=2)  # EAL and the worker


def test_the_launcher_keeps_what_a_data_plane_needs_and_no_file_of_ours(net):
    pid = launcher(net)
    assert threads(pid)[0]["CapEff"] != NOTHING
    held = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    assert not [f for f in held if str(net.state_dir) in f], held
    assert len([f for f in held if f.startswith("socket:")]) == 1, held


def test_the_process_for_taps_keeps_one_capability_and_no_file_of_ours(net):
    assert net.cli("status")["kernel"]["sandbox"] == "on"
    pid = child(net, "ravelin-taps")
    (only,) = threads(pid)
    assert {only[k] for k in ("CapPrm", "CapEff", "CapBnd")} == {f"{1 << 12:016x}"}, "CAP_NET_ADMIN"
    assert (only["CapInh"], only["CapAmb"]) == (NOTHING, NOTHING)
    assert (only["NoNewPrivs"], only["Seccomp"]) == ("1", "2")
    held = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    assert len([f for f in held if f.startswith("socket:")]) == 1, held
    assert not [f for f in held if str(net.state_dir) in f], held


def test_a_killed_data_plane_comes_back_and_is_confined_again(net):
    old = net.kill_dataplane()
    wait_until(lambda: net.dataplane_pid() not in (0, old), 5, "another data plane")
    net.wait_ready()
    net.client.ping("10.0.2.2")
    assert_confined(net.dataplane_pid(), at_least=2)
    assert "was killed by signal 9" in net.log_tail()


def test_policies_come_and_go(net):
    before = net.cli("status")["generation"]
    closed = router([rule("closed", "drop")], control={"metrics": "127.0.0.1:9477"})
    net.apply(closed)
    assert net.client.ping("10.0.2.2", check=False).returncode != 0
    net.ravelin("rollback")
    net.client.ping("10.0.2.2")
    net.apply(closed, "--confirm 1s")
    wait_until(lambda: net.client.ping("10.0.2.2", check=False).returncode == 0, 10, "back by itself")
    assert net.cli("status")["generation"] == before + 2


def test_trace_capture_and_metrics(net, tmp_path):
    trace = net.box.popen([binary("ravelin"), "--run-dir", net.run_dir, "--json", "trace", "icmp", "--count", "1"])
    time.sleep(0.5)
    net.client.ping("10.0.2.2", count=2)
    assert json.loads(trace.communicate(timeout=10)[0].splitlines()[0])["verdict"] == "pass"
    capture = net.box.popen([binary("ravelin"), "--run-dir", net.run_dir, "capture", "icmp",
                             "-w", tmp_path / "icmp.pcapng", "--count", "2"])
    time.sleep(0.5)
    net.client.ping("10.0.2.2", count=2)
    capture.communicate(timeout=10)
    assert (tmp_path / "icmp.pcapng").stat().st_size > 100
    assert "ravelin_dataplane_up 1" in net.box.run("curl -sSf -m 5 http://127.0.0.1:9477/metrics").stdout
    # Another address: new sockets and threads, all after the privileges went.
    net.apply(policy(control={"metrics": "127.0.0.1:9478"}))
    assert "ravelin_generation" in net.box.run("curl -sSf -m 5 http://127.0.0.1:9478/metrics").stdout
    assert_confined(net.control.pid, at_least=2)
    net.apply(policy())


def test_the_rule_log_rotates(net):
    log, old = net.state_dir / "rules.log", net.state_dir / "rules.log.1"
    packets = rule_packets(net, "no-telnet")
    net.client.run("nc -z -w 1 10.0.2.2 23", check=False)
    assert rule_packets(net, "no-telnet") > packets
    wait_until(lambda: old.exists() and old.stat().st_size >= ROTATE_BYTES, 5, "the old log")
    net.client.run("nc -z -w 1 10.0.2.2 23", check=False)
    wait_until(lambda: log.exists() and b'"no-telnet"' in log.read_bytes(), 5, "a line in the new one")
    assert log.stat().st_size < ROTATE_BYTES


def test_prefix_files_are_read_where_configurations_are(net, tmp_path):
    sets = {"bad": {"file": "bad.txt"}}
    rules = [rule("no-bad", "drop", from_="@bad"), *EVERYTHING]
    (net.directory / "bad.txt").write_text("198.51.100.0/24\n")
    net.apply(router(rules, sets=sets))
    (tmp_path / "bad.txt").write_text("198.51.100.0/24\n")
    refused = net.apply(router(rules, sets={"bad": {"file": str(tmp_path / "bad.txt")}}), check=False)
    assert refused.returncode == 1
    assert "permission denied" in refused.stderr and "--readable" in refused.stderr
    net.apply(policy())


def test_a_policy_that_needs_what_was_given_up_is_refused(net):
    generation = net.cli("status")["generation"]
    for control, why in (({"rule-log": "/var/log/ravelin-test.log"}, "--writable /var/log"),
                         ({"metrics": "127.0.0.1:80"}, "CAP_NET_BIND_SERVICE")):
        refused = net.apply(policy(control=control), check=False)
        member = next(iter(control))
        assert refused.returncode == 1
        assert why in refused.stderr and member in refused.stderr, refused.stderr
        assert f"{net.config}:" in refused.stderr, "with its line and column"
    assert net.cli("status")["generation"] == generation
    assert not pathlib.Path("/var/log/ravelin-test.log").exists()


def test_an_orderly_end_is_one(net):
    data, launch, taps = net.dataplane_pid(), launcher(net), child(net, "ravelin-taps")
    net.control.send_signal(signal.SIGTERM)
    assert net.control.wait(10) == 0
    assert "killed by signal" not in net.log_tail(4), net.log_tail(4)
    for pid in (data, launch, taps):
        wait_until(lambda p=pid: not pathlib.Path(f"/proc/{p}").exists(), 5, f"{pid} is gone")


def test_a_dead_control_plane_takes_its_helpers_but_not_the_data_plane(net):
    data, launch, taps = net.dataplane_pid(), launcher(net), child(net, "ravelin-taps")
    net.kill_control()
    for pid in (launch, taps):
        wait_until(lambda p=pid: not pathlib.Path(f"/proc/{p}").exists(), 5, f"{pid} is gone")
    assert net.dataplane_pid() == data
    net.client.ping("10.0.2.2")
    net.start_control()
    net.wait_ready()
    assert net.dataplane_pid() == data
    net.kill_dataplane()
    wait_until(lambda: net.dataplane_pid() not in (0, data), 5, "started by the new launcher")


def test_without_sandbox_status_says_so(make_lab):
    lab = make_lab()
    client_and_server(lab)
    lab.options = ["--no-sandbox"]
    lab.start(router())
    status = lab.cli("status")
    assert {p["sandbox"] for p in (status, status["dataplane"], status["kernel"])} == {"off (--no-sandbox)"}
    assert all(t["CapEff"] != NOTHING for t in threads(lab.dataplane_pid()))
    assert all(t["Seccomp"] == "0" for t in threads(lab.control.pid))
