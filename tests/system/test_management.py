# SPDX-License-Identifier: Apache-2.0
"""A change that would cut the management path or the asking session, and the self-test."""
import json

import pytest

from lab import binary
from wires import EVERYTHING, client_and_server, router, rule

MANAGEMENT = [{"name": "ops", "from": "10.0.1.0/24", "to": "10.0.2.2", "to-ports": [22, 443]}]
OPEN = router(management=MANAGEMENT)
SESSION = "10.0.1.2 50123 10.0.2.2 22"


def closed(**more) -> str:
    return router([rule("no-ssh", "drop", protocol="tcp", **{"to-ports": 22}), *EVERYTHING], **more)


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.start(OPEN)
    return lab


@pytest.fixture(autouse=True)
def open_again(net):
    net.ravelin("confirm", check=False)
    net.apply(OPEN, "--force")


def generation(net) -> int:
    return net.cli("status")["dataplane"]["generation"]


def test_a_change_that_cuts_the_management_path_is_refused_unless_forced(net):
    before = generation(net)
    refused = net.apply(closed(management=MANAGEMENT), check=False)
    assert refused.returncode == 1
    assert "management 'ops': would be cut: rule 'no-ssh' would deny in=lan tcp" in refused.stderr
    assert generation(net) == before
    net.apply(closed(management=MANAGEMENT), "--force")
    assert generation(net) > before


def test_leaving_the_section_out_does_not_help_and_changing_it_does(net):
    assert net.apply(closed(), check=False).returncode == 1
    net.apply(closed(management=[{**MANAGEMENT[0], "to-ports": 443}]))


def test_the_asking_session_is_kept(net):
    net.apply(router(), "--force")
    done = net.box.run(["env", f"SSH_CONNECTION={SESSION}", binary("ravelin"), "--run-dir", net.run_dir,
                        "apply", net.write(closed())], check=False)
    assert done.returncode == 1
    assert "your session from 10.0.1.2:50123: would be cut: rule 'no-ssh'" in done.stderr
    net.apply(closed())


def test_rolling_back_is_held_to_it_too(net):
    net.apply(closed(management=MANAGEMENT), "--force")
    net.apply(OPEN)
    refused = net.ravelin("rollback", check=False)
    assert refused.returncode == 1 and "rule 'no-ssh'" in refused.stderr
    net.ravelin("rollback --force")


def test_the_memory_of_every_table_is_told_with_its_limit(net):
    memory = {t["table"]: t for t in net.cli("status")["dataplane"]["memory"]}
    assert memory.keys() >= {"firewall", "route", "neighbours", "flows.0", "flows.by_source", "buffers.0",
                             "shortcut.0", "steer.fragments", "events", "handoff", "counters"}
    assert 0 <= memory["flows.0"]["huge_bytes"] <= memory["flows.0"]["bytes"]
    assert all(t["bytes"] > 0 for t in memory.values())
    for table in ("flows.0", "shortcut.0", "neighbours", "buffers.0", "firewall", "steer.fragments"):
        assert 0 <= memory[table]["entries"] <= memory[table]["capacity"] > 0, table
    assert "total" in net.ravelin("status").stdout


def test_the_self_test_names_a_rule_that_does_not_deny_and_counts_nothing(net):
    holds = net.ravelin("selftest")
    assert " holds" in holds.stdout
    net.apply(router([rule("all", "accept"), rule("telnet", "drop", protocol="tcp", **{"to-ports": 23})]))
    before = {r["name"]: r["packets"] for r in net.cli("rules")["rules"]}
    failed = net.ravelin("selftest --json", check=False)
    assert failed.returncode == 1
    proofs = {p["rule"]: p for p in json.loads(failed.stdout)["rules"]}
    assert (proofs["telnet"]["proof"], proofs["telnet"]["by"]) == ("shadowed", "all")
    assert {r["name"]: r["packets"] for r in net.cli("rules")["rules"]} == before
