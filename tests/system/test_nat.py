# SPDX-License-Identifier: Apache-2.0
"""configs/nat.yaml between real hosts: a client and a server inside, a host outside that has no way to them."""
import time

import pytest

from lab import ROOT, iperf3, iperf3_result, wait_until
from wires import counter

OUTER = "192.0.2.1"


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    # A switch for the two inner hosts would say nothing about Ravelin: one host plays both.
    lab.inner = lab.host("inner", "lan", ["10.0.1.2/24", "10.0.1.3/24", "fd00:1::2/64"],
                         ["default via 10.0.1.1", "default via fd00:1::1"])
    lab.far = lab.host("far", "wan", ["192.0.2.254/24", "203.0.113.7/32", "2001:db8:2::fe/64"],
                       ["fd00:1::/64 via 2001:db8:2::1"])
    page = lab.directory / "index.html"
    page.write_text("the inner page\n")
    lab.inner.serve(f"python3 -m http.server 80 --directory {lab.directory}", port=80)
    lab.far.serve(f"python3 -m http.server 81 --directory {lab.directory}", port=81)
    lab.start((ROOT / "configs" / "nat.yaml").read_text())
    return lab


@pytest.fixture(autouse=True)
def recovered(net):
    net.recover()


def flows(net, port: int) -> list:
    return [f for f in net.cli(f"flows --port {port}")["flows"] if f["outer_source"] or f["outer_destination"]]


def test_ping_and_http_go_out_by_the_outer_address(net):
    net.inner.ping("203.0.113.7", count=3)
    assert "inner page" in net.inner.run("curl -s -m 5 http://203.0.113.7:81/index.html").stdout
    seen = flows(net, 81)
    assert seen and all(f["outer_source"].startswith(f"{OUTER}:") for f in seen), seen
    assert seen[0]["source"].startswith("10.0.1.")
    assert counter(net, "nat.answers") > 0


def test_ipv6_is_not_translated(net):
    net.inner.ping("2001:db8:2::fe")
    assert not any(f["outer_source"] for f in net.cli("flows --host fd00:1::2")["flows"])


def test_traceroute_gets_its_errors_back(net):
    """A hop limit that ends at the box, and a port nobody listens on behind it."""
    out = net.inner.run("ping -n -c 1 -t 1 -W 2 203.0.113.7", check=False).stdout
    assert "10.0.1.1" in out and "exceeded" in out.lower(), out
    errors = counter(net, "nat.errors")
    script = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3)\n"
              "s.connect(('203.0.113.7', 33434)); s.send(b'x')\n"
              "try: s.recv(9)\n"
              "except ConnectionRefusedError: print('refused')")
    assert "refused" in net.inner.run(["python3", "-c", script]).stdout
    assert counter(net, "nat.errors") > errors


def test_a_forwarded_port_from_outside(net):
    assert "inner page" in net.far.run(f"curl -s -m 5 http://{OUTER}:8080/index.html").stdout
    seen = flows(net, 80)
    assert any(f["outer_destination"] == f"{OUTER}:8080" for f in seen), seen


def test_hairpin(net):
    out = net.inner.run(f"curl -s -m 5 --interface 10.0.1.3 http://{OUTER}:8080/index.html").stdout
    assert "inner page" in out
    assert any(f["outer_source"].startswith(f"{OUTER}:") and f["outer_destination"] == f"{OUTER}:8080"
               for f in flows(net, 80))


def nat_counts(net) -> dict:
    return {r["name"]: r for r in net.cli("rules")["nat"]}


def test_rules_are_counted_and_keep_their_counts(net):
    def fetch():
        net.inner.run("curl -s -m 5 http://203.0.113.7:81/index.html")
        net.far.run(f"curl -s -m 5 http://{OUTER}:8080/index.html")

    before = nat_counts(net)
    fetch()
    now = nat_counts(net)
    for name in ("web", "out"):
        assert now[name]["translations"] == before[name]["translations"] + 1, now
        assert now[name]["packets"] >= before[name]["packets"] + 8, now  # SYN, FIN and what is between, both ways
        assert now[name]["bytes"] - before[name]["bytes"] > 8 * 40 + len("the inner page"), now
    shown = net.ravelin("rules").stdout
    assert "NEW FLOWS" in shown and "masquerade" in shown, shown
    text = (ROOT / "configs" / "nat.yaml").read_text()
    out = next(line for line in text.splitlines() if "kind: masquerade" in line)
    moved = text.replace(out + "\n", "").replace("      rules:\n", f"      rules:\n{out}\n", 1)
    assert moved.index("kind: masquerade") < moved.index("kind: destination")
    net.apply(moved)
    try:
        assert [r["name"] for r in net.cli("rules")["nat"]] == ["out", "web"]
        kept = nat_counts(net)
        assert all(kept[n]["packets"] >= now[n]["packets"] and kept[n]["translations"] == now[n]["translations"]
                   and kept[n]["since_generation"] == now[n]["since_generation"] for n in now), (now, kept)
        fetch()
        after = nat_counts(net)
        assert all(after[n]["translations"] == now[n]["translations"] + 1 for n in now), (now, after)
    finally:
        net.apply(text)


def test_nothing_else_comes_in(net):
    assert net.far.run(f"curl -s -m 1 http://{OUTER}:80/", check=False).returncode != 0


def test_explain_shows_both_sides(net):
    steps = {s["stage"]: s["detail"] for s in
             net.cli("explain 'in=wan tcp 203.0.113.7:5 > 192.0.2.1:8080 syn'")["steps"]}
    assert steps["nat"] == "destination 192.0.2.1:8080 to 10.0.1.2:80"
    steps = {s["stage"]: s["detail"] for s in
             net.cli("explain 'in=lan tcp 10.0.1.3:5000 > 203.0.113.7:81 syn'")["steps"]}
    assert "source 10.0.1.3:5000 to 192.0.2.1:" in steps["rewrite"], steps


def test_a_transfer_survives_the_data_planes_death(net):
    process = iperf3(net.inner, net.far, "203.0.113.7", "-t 5")
    wait_until(lambda: len(flows(net, process.port)) >= 2, 5, "control and data flow")
    before = {f["source_port"]: f["outer_source"] for f in flows(net, process.port)}
    time.sleep(1)
    net.kill_dataplane()
    assert iperf3_result(process)["sum_received"]["bytes"] > 0
    assert net.cli("status")["dataplane"]["adopted_flows"] >= 2
    after = {f["source_port"]: f["outer_source"] for f in flows(net, process.port)}
    assert after == before


def test_so_does_one_in_the_other_direction(net):
    process = iperf3(net.inner, net.far, "203.0.113.7", "-t 5 -R")
    wait_until(lambda: len(flows(net, process.port)) >= 2, 5, "control and data flow")
    net.kill_dataplane()
    assert iperf3_result(process)["sum_received"]["bytes"] > 0
