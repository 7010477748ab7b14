# SPDX-License-Identifier: Apache-2.0
"""Live rules while traffic runs: at once on all workers, through merges, kills and rollbacks."""
import json
import shlex

import pytest

from lab import binary, wait_until
from wires import EVERYTHING, client_and_server, pings, router, rule

STOP = "'{{name: {0}, action: drop, from: {1}}}'"
GUARDED = router(management=[{"name": "ops", "from": "10.0.1.0/24", "to": "10.0.2.2", "to-ports": [22, 443]}])
POLICY = router([rule("web", protocol="tcp", to_ports=80), *EVERYTHING])


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.start(POLICY)
    return lab


def live(net) -> list:
    return [r["name"] for r in net.cli("rule list")["rules"]]


def merged(net) -> bool:
    return net.cli("status")["dataplane"]["live"]["rules_waiting"] == 0


def test_a_rule_denies_at_once_and_survives_both_processes(net):
    generation = net.cli("status")["generation"]
    assert pings(net)
    added = net.cli("rule add --before everything " + STOP.format("stop", net.client.v4))
    assert added["rule"] == "stop" and added["live_us"] > 0 and added["generation"] == generation
    assert not pings(net)
    wait_until(lambda: merged(net), 10, "the merge")
    assert not pings(net)
    hits = net.cli("rule list")["rules"][0]["packets"]
    assert hits >= 4, "counts go on through the merge"
    net.kill_dataplane()
    net.wait_ready()
    assert not pings(net), "the new data plane has the rule from its first packet on"
    net.kill_control()
    net.start_control()
    net.wait_ready()
    assert not pings(net)
    assert live(net) == ["stop"]
    names = [r["name"] for r in net.cli("rules")["rules"] if not r["builtin"]]
    assert names == ["web", "stop", "everything", "default"] or names == ["web", "stop", "everything"]
    net.ravelin("rule del stop")
    assert pings(net)
    assert live(net) == []
    assert net.cli("status")["generation"] == generation


def test_places_and_refusals(net):
    net.ravelin("rule add --first " + STOP.format("a", "203.0.113.1"))
    net.ravelin("rule add --after a " + STOP.format("b", "203.0.113.2"))
    net.ravelin("rule add " + STOP.format("z", "203.0.113.3"))
    assert live(net) == ["a", "b", "z"]
    wrong = net.ravelin("rule add --before nobody " + STOP.format("c", "203.0.113.4"), check=False)
    assert wrong.returncode == 1 and "nobody" in wrong.stderr
    wrong = net.ravelin("rule add " + STOP.format("web", "203.0.113.4"), check=False)
    assert wrong.returncode == 1 and "already" in wrong.stderr
    wrong = net.ravelin("rule add '{name: c, action: drop, from: 203.0.113.300}'", check=False)
    assert wrong.returncode == 1 and "rule:1:" in wrong.stderr
    assert net.ravelin("rule add --first --last " + STOP.format("c", "203.0.113.4"), check=False).returncode == 2
    assert net.ravelin("rule del nobody", check=False).returncode == 1
    assert live(net) == ["a", "b", "z"]
    net.ravelin("rule del web")
    listed = net.cli("rule list")
    assert listed["deleted"] == ["web"]


def test_diff_and_apply_say_what_they_drop_and_rollback_brings_it_back(net):
    before = live(net)
    different = json.loads(net.ravelin(f"diff {net.write(POLICY)} --json").stdout)
    assert any("live rule 'a'" in w for w in different["warnings"])
    assert "rules.a" in different["text"] and "rules.web" in different["text"]
    net.apply(POLICY, "--confirm 60s")
    assert live(net) == []
    refused = net.ravelin("rule add " + STOP.format("c", "203.0.113.4"), check=False)
    assert refused.returncode == 1 and "confirm" in refused.stderr
    net.ravelin("rollback")
    assert live(net) == before
    net.apply(POLICY)
    assert live(net) == []
    assert net.cli("rules")["rules"] and "web" in [r["name"] for r in net.cli("rules")["rules"]]


def test_a_rule_that_cuts_the_management_path_or_the_session_is_refused_unless_forced(net):
    net.apply(GUARDED)
    no_ssh = "--first '{name: no-ssh, action: drop, protocol: tcp, to-ports: 22}'"
    refused = net.ravelin(f"rule add {no_ssh}", check=False)
    assert refused.returncode == 1
    assert "management 'ops': would be cut: rule 'no-ssh' would deny in=lan tcp" in refused.stderr
    refused = net.ravelin("rule del everything", check=False)
    assert refused.returncode == 1 and "management 'ops'" in refused.stderr
    net.ravelin("rule add --first '{name: no-web, action: drop, protocol: tcp, to-ports: 80}'")
    assert live(net) == ["no-web"]
    net.apply(POLICY, "--force")
    asked = [binary("ravelin"), "--run-dir", net.run_dir, "rule", "add", *shlex.split(no_ssh)]
    session = net.box.run(["env", "SSH_CONNECTION=10.0.1.2 50123 10.0.2.2 22", *asked], check=False)
    assert session.returncode == 1
    assert "your session from 10.0.1.2:50123: would be cut: rule 'no-ssh'" in session.stderr
    assert live(net) == []
    net.ravelin(f"rule add --force {no_ssh}")
    assert live(net) == ["no-ssh"]


def test_the_self_test_covers_live_rules(net):
    net.apply(POLICY, "--force")
    net.ravelin("rule add --first '{name: telnet, action: drop, protocol: tcp, to-ports: 23}'")
    net.ravelin("rule add '{name: late, action: drop, protocol: tcp, to-ports: 80}'")
    tested = net.ravelin("selftest --json", check=False)
    proofs = {p["rule"]: p for p in json.loads(tested.stdout)["rules"]}
    assert tested.returncode == 1
    assert proofs["telnet"]["proof"] == "holds"
    assert proofs["late"]["proof"] == "shadowed"
    net.ravelin("rule del late")
    net.ravelin("selftest")
    net.apply(POLICY, "--force")


def test_many_rules_one_after_the_other(net):
    for i in range(60):
        net.ravelin(f"rule add --first '{{name: n{i}, action: drop, from: 203.0.113.{i}}}'")
    assert len(live(net)) == 60
    wait_until(lambda: merged(net), 10, "the merge")
    assert pings(net)
    net.apply(POLICY)
    assert live(net) == [] and pings(net)
