# SPDX-License-Identifier: Apache-2.0
"""Live changes: sets that change while traffic runs, and what survives when processes are killed."""
import subprocess

import pytest
import yaml

from lab import binary, wait_until
from wires import EVERYTHING, client_and_server, pings, router, rule


def with_sets(rules: list) -> str:
    tree = yaml.safe_load(router(rules))
    tree["sets"] = {"bad": {"type": "prefixes", "size": 200000}}
    return yaml.safe_dump(tree, sort_keys=False)


POLICY = with_sets([rule("blocked", "drop", **{"from": "@bad"}), *EVERYTHING])


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.start(POLICY)
    return lab


def test_an_element_denies_at_once_and_survives_both_processes(net):
    generation = net.cli("status")["generation"]
    assert pings(net)
    added = net.cli(f"set add bad {net.client.v4}")
    assert added["changed"] == 1 and added["live_us"] > 0
    assert not pings(net)
    net.kill_dataplane()
    net.wait_ready()
    assert not pings(net), "the new data plane has the element from its first packet on"
    net.kill_control()
    net.start_control()
    net.wait_ready()
    assert not pings(net)
    assert net.cli("set list bad")["elements"] == 1
    net.ravelin(f"set del bad {net.client.v4}")
    assert pings(net)
    assert net.cli("status")["generation"] == generation


def test_an_element_that_cuts_the_management_path_or_the_session_is_refused_unless_forced(net):
    tree = yaml.safe_load(POLICY)
    tree["management"] = [{"name": "ops", "from": "10.0.1.0/24", "to": "10.0.2.2", "to-ports": [22]}]
    net.apply(yaml.safe_dump(tree, sort_keys=False))
    refused = net.ravelin(f"set add bad 203.0.113.9 {net.client.v4}", check=False)
    assert refused.returncode == 1
    assert "management 'ops': would be cut: rule 'blocked' would deny in=lan tcp" in refused.stderr
    assert net.cli("set list bad")["elements"] == 0 and pings(net), "none of them"
    net.ravelin("set add bad 203.0.113.9")
    net.apply(POLICY, "--force")
    asked = [binary("ravelin"), "--run-dir", net.run_dir, "set", "add", "bad", "10.0.0.0/8"]
    session = net.box.run(["env", "SSH_CONNECTION=10.0.1.2 50123 10.0.2.2 22", *asked], check=False)
    assert session.returncode == 1
    assert "your session from 10.0.1.2:50123: would be cut: rule 'blocked'" in session.stderr
    assert pings(net)
    net.ravelin("set add bad 10.0.0.0/8 --force")
    assert not pings(net)
    net.ravelin("set flush bad --force")
    assert pings(net)


def test_an_element_expires(net):
    net.ravelin(f"set add bad {net.client.v4} --timeout 2s")
    assert not pings(net)
    wait_until(lambda: pings(net), 10, "the element to expire")
    assert net.cli("set list bad")["elements"] == 0


def test_a_hundred_thousand_elements(net, tmp_path):
    many = tmp_path / "bad.txt"
    many.write_text("".join(f"100.{64 + i // 65536}.{i // 256 % 256}.{i % 256}\n" for i in range(100_000)))
    net.ravelin(f"set add bad --file {many}")
    assert net.cli("set list")["sets"][0]["elements"] == 100_000
    assert pings(net)
    memory = {t["table"]: t for t in net.cli("status")["dataplane"]["memory"]}
    assert memory["set.bad"]["entries"] == 100_000
    net.kill_dataplane()
    net.wait_ready()
    memory = {t["table"]: t for t in net.cli("status")["dataplane"]["memory"]}
    assert memory["set.bad"]["entries"] == 100_000
    net.ravelin("set flush bad")
    assert net.cli("set list")["sets"][0]["elements"] == 0


def test_a_full_disk_refuses_and_loses_nothing(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.state_dir.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", lab.state_dir], check=True)
    try:
        lab.start(POLICY)
        lab.ravelin("set add bad 203.0.113.1")
        fill = lab.state_dir / "fill"
        subprocess.run(["dd", "if=/dev/zero", f"of={fill}", "bs=4096"], check=False, capture_output=True)
        refused = None
        for i in range(200):  # the journal's last page has room for some
            refused = lab.ravelin(f"set add bad 198.51.100.{i}", check=False)
            if refused.returncode != 0:
                break
        assert refused.returncode != 0 and "No space left" in refused.stderr
        kept = lab.cli("set list bad")["elements"]
        assert kept == 1 + i
        memory = {t["table"]: t for t in lab.cli("status")["dataplane"]["memory"]}
        assert memory["set.bad"]["entries"] == kept, "what was refused is in force nowhere"
        lab.kill_control()
        lab.start_control()
        lab.wait_ready()
        assert lab.cli("set list bad")["elements"] == kept
        fill.unlink()
        lab.ravelin(f"set add bad {lab.client.v4}")
        assert not pings(lab)
        lab.kill_dataplane()
        lab.kill_control()
        lab.start_control()
        lab.wait_ready()
        assert lab.cli("set list bad")["elements"] == kept + 1
        assert not pings(lab)
    finally:
        lab.stop()
        subprocess.run(["umount", "-l", lab.state_dir], check=True)
