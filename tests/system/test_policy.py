# SPDX-License-Identifier: Apache-2.0
"""A policy change from the operator's side, and what a crash between any two steps leaves."""
import pathlib
import time

import pytest

from lab import ROOT, wait_until
from wires import EVERYTHING, client_and_server, counter, pings, router, rule

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
CLOSED = router([rule("no-ping", "drop", protocol=["icmp", "icmp6"]), *EVERYTHING])
OPEN = router()


def test_there_are_examples():
    assert {c.stem for c in CONFIGS} >= {"edge", "minimal", "wire"}


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.start(OPEN)
    return lab


@pytest.fixture(autouse=True)
def settled(request):
    """Each test begins with the open policy in force and a control plane that lives."""
    if "net" in request.fixturenames:
        lab = request.getfixturevalue("net")
        lab.recover()
        lab.ravelin("confirm", check=False)
        lab.apply(OPEN)


def generation(net) -> int:
    """Of the data plane, which is what counts."""
    return net.cli("status")["dataplane"]["generation"]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.stem)
def test_every_example_is_correct(net, config):
    assert "correct" in net.ravelin(f"check {config}").stdout


def test_apply_puts_a_policy_in_force(net):
    before = generation(net)
    net.apply(CLOSED)
    assert generation(net) == before + 1
    assert not pings(net)


def test_diff_names_what_would_change(net):
    assert "no-ping" in net.ravelin(f"diff {net.write(CLOSED)}").stdout
    assert "no difference" in net.ravelin(f"diff {net.write(OPEN)}").stdout


def test_history_and_rollback(net):
    before = generation(net)
    net.apply(CLOSED, "--comment 'closed for the night'")
    newest = net.cli("history")["generations"][0]
    assert newest["comment"] == "closed for the night" and newest["current"]
    net.ravelin("rollback")
    assert pings(net)
    net.ravelin(f"rollback {before + 1}")
    assert not pings(net)


def test_an_unconfirmed_change_rolls_back_by_itself(net):
    before = generation(net)
    net.apply(CLOSED, "--confirm 2s")
    assert not pings(net)
    assert net.cli("status")["dataplane"]["confirm_remaining_ms"] > 0
    wait_until(lambda: pings(net), 5, "the old policy")
    wait_until(lambda: generation(net) == before, 2, "the old generation")
    assert net.cli("history")["generations"][0]["state"] == "rolled back"


def test_a_confirmed_change_stays(net):
    net.apply(CLOSED, "--confirm 2s")
    net.ravelin("confirm")
    time.sleep(2.5)
    assert not pings(net)


def test_an_unconfirmed_change_rolls_back_though_the_control_plane_is_dead(net):
    before = generation(net)
    net.apply(CLOSED, "--confirm 3s")
    net.kill_control()
    assert not pings(net)
    wait_until(lambda: pings(net), 6, "the old policy, without a control plane")
    net.start_control()
    net.wait_ready()
    wait_until(lambda: generation(net) == before, 5, "the generation before")
    wait_until(lambda: net.cli("history")["generations"][0]["state"] == "rolled back", 5, "history")


@pytest.mark.parametrize("broken, where, what", [
    ("mode: router\nports: []\nrouts: []\n", ":3:1:", "routs"),
    ("mode: [\n", ":", ""),
    (OPEN.replace("everything", "every thing"), ":", "every thing"),
    (OPEN.replace("action: accept", "action: allow"), ":", "allow"),
    (OPEN.replace("af_packet:rv-lan", "af_packet:rv-other"), "ports[0].device", "cannot change")],
    ids=["unknown key", "not YAML", "bad name", "bad word", "another device"])
def test_a_wrong_configuration_is_refused_whole(net, broken, where, what):
    before = generation(net)
    done = net.apply(broken, check=False)
    assert done.returncode == 1
    assert where in done.stderr and what in done.stderr, done.stderr
    assert generation(net) == before and pings(net)


def test_two_changes_at_once_do_not_mix(net):
    net.apply(CLOSED, "--confirm 30s")
    done = net.apply(OPEN, check=False)
    assert done.returncode == 1 and "confirm" in done.stderr
    net.ravelin("rollback")
    assert pings(net)


# Step -> whether the new policy is in force once everything has settled. Before `applied` it may be
# either, so only agreement is asked for.
APPLY_STEPS = {"history": False, "intent": False, "sent": None, "applied": True, "committed": True,
               "acknowledged": True}
CONFIRM_STEPS = {"confirming": None, "confirmed": True, "committed": True, "acknowledged": True}
ROLLBACK_STEPS = {"rolling-back": None, "rolled-back": False, "recorded": False, "acknowledged": False}


def restart_with_crash_at(net, step: str):
    net.kill_control()
    net.start_control(RAVELIN_CRASH_AT=step)
    net.wait_ready()


def crash_at(net, step: str, command: str):
    """Runs the command under a control plane that dies at `step`, then starts a sound one."""
    net.ravelin(command, check=False)
    wait_until(lambda: net.control.poll() is not None, 5, f"the crash at {step}")
    assert net.control.returncode == -9
    pathlib.Path(net.log).open("a").write(f"-- crashed at {step}\n")
    net.start_control()
    net.wait_ready()
    wait_until(lambda: all(g["state"] not in ("intent", "provisional")
                           for g in net.cli("history")["generations"]), 8,
               f"a decision about every generation: {net.cli('history')}")


def in_force_everywhere(net, expected_closed):
    """Journal, data plane and packets agree; on `expected_closed` if it is not None."""
    current = next(g for g in net.cli("history")["generations"] if g["current"])
    assert current["generation"] == generation(net)
    closed = not pings(net)
    assert closed == ("no-ping" in net.ravelin(f"show {current['generation']}").stdout)
    assert expected_closed is None or closed == expected_closed


@pytest.mark.parametrize("step, closed", APPLY_STEPS.items())
def test_a_crash_while_applying(net, step, closed):
    restart_with_crash_at(net, step)
    crash_at(net, step, f"apply {net.write(CLOSED)}")
    in_force_everywhere(net, closed)


@pytest.mark.parametrize("step, closed", CONFIRM_STEPS.items())
def test_a_crash_while_confirming(net, step, closed):
    net.apply(CLOSED, "--confirm 5s")
    restart_with_crash_at(net, step)
    crash_at(net, step, "confirm")
    in_force_everywhere(net, closed)


@pytest.mark.parametrize("step, closed", ROLLBACK_STEPS.items())
def test_a_crash_while_rolling_back(net, step, closed):
    net.apply(CLOSED, "--confirm 5s")
    restart_with_crash_at(net, step)
    crash_at(net, step, "rollback")
    in_force_everywhere(net, closed)


def crash_on_start(net, step: str):
    """Starts a control plane that dies at `step`, then a sound one."""
    net.start_control(RAVELIN_CRASH_AT=step)
    wait_until(lambda: net.control.poll() is not None, 5, f"the crash at {step}")
    assert net.control.returncode == -9
    net.start_control()
    net.wait_ready()
    in_force_everywhere(net, True)


@pytest.mark.parametrize("step", ["reconciling", "reconciled"])
def test_a_crash_while_reconciling_after_a_crash(net, step):
    restart_with_crash_at(net, "applied")
    net.ravelin(f"apply {net.write(CLOSED)}", check=False)
    wait_until(lambda: net.control.poll() is not None, 5, "the first crash")
    crash_on_start(net, step)


@pytest.mark.parametrize("step", ["resending", "resent"])
def test_a_crash_while_giving_a_new_data_plane_its_policy(net, step):
    net.apply(CLOSED)
    net.kill_control()
    net.kill_dataplane()
    crash_on_start(net, step)


def test_fifty_changes_under_traffic_lose_nothing(net):
    ping = net.client.popen("ping -n -q -i 0.005 -c 600 -W 2 10.0.2.2")
    other = router([rule("telnet", "drop", protocol="tcp", to_ports=23), *EVERYTHING])
    for i in range(50):
        net.apply(other if i % 2 == 0 else OPEN)
    output, _ = ping.communicate(timeout=30)
    assert " 0% packet loss" in output
    assert counter(net, "firewall.judged_again") > 0
