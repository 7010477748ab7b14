# SPDX-License-Identifier: Apache-2.0
"""Reservations over several resources, made while configs/functions.yaml is in force with two ports that have a rate:
two links at once, cycles and bytes of another's, what of it outlives both processes, and how it is given back."""
import json

import pytest
import yaml

from lab import ROOT, wait_until
from wires import drops

EXAMPLE = yaml.safe_load((ROOT / "configs" / "functions.yaml").read_text())


def config() -> str:
    tree = json.loads(json.dumps(EXAMPLE))
    tree["principals"] += [{"name": "guests/more", "function": "thin-video"}, {"name": "guests/call", "function": "scale"}]
    tree["functions"] += [{"name": "scale", "burn": {"cycles": 3000}, "work": 8000, "next": "pack"},
                          {"name": "pack", "burn": {"cycles": 1000}, "work": 6000}]
    firewall = next(stage["firewall"] for stage in tree["pipeline"] if isinstance(stage, dict) and "firewall" in stage)
    for principal, to in ("more", "5006"), ("call", "5008"):
        firewall["rules"].insert(0, {"name": principal, "action": "accept", "in": "dmz", "out": "wan", "protocol": "udp",
                                     "to-ports": to, "principal": "guests/" + principal})
    for principal in "media", "media-lan", "media-see":
        tree["principals"].append({"name": "guests/" + principal, "function": "thin-video"})
    for principal, out in ("media", "wan"), ("media-lan", "lan"), ("media-see", "analyser"):
        firewall["rules"].insert(0, {"name": principal, "action": "accept", "in": "dmz", "out": out, "protocol": "udp",
                                     "to-ports": "5010", "principal": "guests/" + principal})
    for port in tree["ports"]:
        if port["name"] in ("wan", "lan"):
            port["rate"] = "100Mbit"
        if port["name"] == "analyser":
            port.update(rate="10Mbit", addresses="203.0.113.1/24")
    return yaml.safe_dump(tree, sort_keys=False)


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.server = lab.host("server", "lan", ["10.0.1.80/24"], ["default via 10.0.1.1"])
    lab.guest = lab.host("guest", "dmz", ["10.0.2.2/24"], ["default via 10.0.2.1"])
    lab.outside = lab.host("outside", "wan", ["192.0.2.254/24"], ["default via 192.0.2.1"])
    lab.analyser = lab.host("analyser", "see", ["203.0.113.2/24"], ["default via 203.0.113.1"])
    lab.start(config())
    lab.guest.ping("192.0.2.254")
    return lab


def reserved(net) -> dict:
    return {r["name"]: r for r in net.cli("reservations")["reservations"]}


def send(net, packets: int, port: int, to: str = "192.0.2.254") -> None:
    net.guest.run(["/usr/bin/python3", "-c", f"""
import socket, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range({packets}):
    out.sendto(bytes(200), ("{to}", {port}))
    time.sleep(0.002)
"""])


OF_BOTH = "--bytes 300 --rate 500pps --deadline 50ms --out wan --out lan"


def test_a_reservation_of_cycles_and_two_ports(net):
    net.ravelin(f"reserve video --principal guests/video --cpu 8000cyc/pkt {OF_BOTH}")
    one = reserved(net)["video"]
    assert one["out"] == ["wan", "lan"] and one["cycles"] == 8000 and one["kept"], one
    assert [link["port"] for link in one["links"]] == ["wan", "lan"]
    assert 0 < one["cpu_deadline_ns"] < one["deadline_ns"] == 50_000_000
    rates = {p["port"]: p["reserved"] for p in net.cli("reservations")["ports"]}
    assert rates["wan"] == rates["lan"] > 300 * 8 * 500, "each keeps the whole rate"
    send(net, 300, 5004)
    # 200 where the machine never stood still for the function's 20 ms.
    wait_until(lambda: reserved(net)["video"]["links"][0]["sent"] > 150, 10, "they have left")
    wan, lan = reserved(net)["video"]["links"]
    assert wan["used"] > 100 and lan["sent"] == 0, (wan, lan)
    text = net.ravelin("reservations").stdout
    assert "wan,lan" in text and "8,000" in text, text
    refused = net.ravelin("reserve x --principal org --bytes 300 --rate 1pps --out wan --out dmz", check=False)
    assert refused.returncode != 0 and "port dmz has no rate" in refused.stderr, refused.stderr


def test_cycles_of_another_are_counted_once_and_outlive_both_processes(net):
    before = net.cli("reservations")["cycles"]["reserved"]
    refused = net.ravelin(f"reserve more --principal guests/more --cpu 'shared-with org/server' {OF_BOTH}", check=False)
    assert refused.returncode != 0 and "shared with 'org/server', expected a principal that has reserved" in refused.stderr
    net.ravelin(f"reserve more --principal guests/more --cpu 'shared-with guests/video' {OF_BOTH}")
    assert net.cli("reservations")["cycles"]["reserved"] == before > 0
    both = {name: (r["cpu_deadline_ns"], r["kept"]) for name, r in reserved(net).items()}
    assert both["more"] == both["video"], both
    for kill in (lambda: (net.kill_control(), net.start_control()), net.kill_dataplane):
        kill()
        net.wait_ready()
        assert {name: (r["cpu_deadline_ns"], r["kept"]) for name, r in reserved(net).items()} == both
    net.guest.ping("192.0.2.254")
    cycles = {p["name"]: p["cycles"] for p in net.cli("principals")["principals"]}
    gone = drops(net).get("invoke.thinned", 0)
    send(net, 300, 5006)
    wait_until(lambda: drops(net).get("invoke.thinned", 0) > gone + 75, 10, "its own function has its packets")
    now = {p["name"]: p["cycles"] for p in net.cli("principals")["principals"]}
    assert now["guests/video"] > cycles["guests/video"], "who reserved is charged for the runs"
    wait_until(lambda: reserved(net)["more"]["links"][0]["sent"] > 150, 10, "what leaves is its own")
    assert "of guests/video" in net.ravelin("reservations").stdout


def test_who_is_shared_with_goes_last(net):
    refused = net.ravelin("release video", check=False)
    assert refused.returncode != 0 and "it is shared by more" in refused.stderr, refused.stderr
    assert set(reserved(net)) == {"video", "more"}
    assert "released too: more" in net.ravelin("release video --force").stdout
    assert reserved(net) == {}
    after = net.cli("reservations")
    assert after["cycles"]["reserved"] == 0 and all(p["reserved"] == 0 for p in after["ports"])


def test_a_file_may_say_the_same_and_is_told_where_it_is_wrong(net):
    tree = yaml.safe_load(config())
    rest = {"rate": "500pps", "deadline": "50ms", "bytes": "300B", "out": ["wan", "lan"]}
    tree["reservations"] = [{"name": "more", "principal": "guests/more", "cpu": "shared-with guests/video", **rest},
                            {"name": "video", "principal": "guests/video", "cpu": "8000cyc/pkt", **rest}]
    net.apply(yaml.safe_dump(tree, sort_keys=False))
    assert reserved(net)["more"]["shared_with"] == "guests/video"
    tree["reservations"][1]["cpu"] = "shared-with guests/more"
    refused = net.apply(yaml.safe_dump(tree, sort_keys=False), check=False)
    assert refused.returncode != 0 and ".yaml:" in refused.stderr, refused.stderr
    assert "guests/more -> guests/video -> guests/more" in refused.stderr, refused.stderr
    assert reserved(net)["video"]["cycles"] == 8000, "what was in force stays"
    net.apply(config())


def test_the_criterion_that_splits_a_deadline_is_chosen(net):
    what = "--cpu 8000cyc/pkt --bytes 300 --rate 50pps --deadline 15ms --out wan --out lan"
    for criterion in ("fixed", "proportional", "equal-utilisation"):
        net.ravelin(f"reserve video --principal guests/video {what} --relaxation {criterion}")
        one = reserved(net)["video"]
        assert one["relaxation"] == criterion
        assert (one["cpu_deadline_ns"] == 7_500_000) == (criterion == "fixed"), one
        net.ravelin("release video")
    refused = net.ravelin(f"reserve video --principal guests/video --cpu 8000cyc/pkt {OF_BOTH} --relaxation half", check=False)
    assert refused.returncode != 0 and "'half'" in refused.stderr, refused.stderr


def test_functions_behind_each_other_have_one_budget(net):
    refused = net.ravelin(f"reserve call --principal guests/call --cpu 9cyc/pkt --cpu 9cyc/pkt --cpu 9cyc/pkt {OF_BOTH}", check=False)
    assert refused.returncode != 0 and "cycles of 3 functions, expected those of 2: scale, pack" in refused.stderr, refused.stderr
    net.ravelin(f"reserve call --principal guests/call --cpu 8000cyc/pkt --cpu 6000cyc/pkt {OF_BOTH}")
    one = reserved(net)["call"]
    part = {"deadline_ns": one["cpu_deadline_ns"]}  # of both: they are on one worker
    assert one["runs"] == [{"function": "scale", "cycles": 8000, **part}, {"function": "pack", "cycles": 6000, **part}], one
    assert one["cycles"] == 14_000 and net.cli("reservations")["cycles"]["reserved"] == 20_000 * 500
    send(net, 300, 5008)
    wait_until(lambda: reserved(net)["call"]["links"][0]["sent"] > 250, 10, "they went through both and have left")
    counts = {f["name"]: f["packets"] for f in net.cli("functions")["functions"]}
    assert counts["scale"] >= counts["pack"] > 250, counts
    lines = [line.split()[0] for line in net.ravelin("reservations").stdout.splitlines()]
    assert lines[1:6] == ["call", "scale", "pack", "port", "port"], lines
    net.kill_control()
    net.start_control()
    net.wait_ready()
    assert reserved(net)["call"]["kept"] and reserved(net)["call"]["runs"] == one["runs"]
    net.ravelin("release call")


# S52: one input, three outputs with rates of their own, transcoded on the cycles of one.
def test_transcoding_on_the_cycles_of_one_for_three_links(net):
    shared = "--cpu 'shared-with guests/media' --bytes 300 --deadline 60ms"
    for name, what in {"media": "--cpu 8000cyc/pkt --bytes 300 --rate 500pps --deadline 50ms --out wan",
                       "media-lan": f"{shared} --rate 250pps --out lan",
                       "media-see": f"{shared} --rate 100pps --out analyser"}.items():
        net.ravelin(f"reserve {name} --principal guests/{name} {what}")
    answer = net.cli("reservations")
    assert answer["cycles"]["reserved"] == 11_000 * 500, "once"
    assert {p["port"]: p["reserved"] for p in answer["ports"]} == {
        "wan": 338 * 8 * 500, "lan": 338 * 8 * 250, "analyser": 338 * 8 * 100}
    all_three = reserved(net)
    assert len({r["cpu_deadline_ns"] for r in all_three.values()}) == 1, all_three
    for name, to in ("media", "192.0.2.254"), ("media-lan", "10.0.1.80"), ("media-see", "203.0.113.2"):
        net.guest.ping(to, check=False)
        send(net, 300, 5010, to)
        wait_until(lambda: reserved(net)[name]["links"][0]["sent"] > 150, 10, f"{name} has left by its own link")
        assert reserved(net)[name]["links"][0]["used"] > 0
    refused = net.ravelin("release media", check=False)
    assert refused.returncode != 0 and "it is shared by media-see, media-lan" in refused.stderr, refused.stderr
    assert net.ravelin("release media --force").stdout.count("released too") == 2
    assert reserved(net) == {}


def test_bytes_of_another_are_counted_once_and_served_in_its_queue(net):
    net.ravelin("reserve media --principal guests/media --cpu 8000cyc/pkt --bytes 300 --rate 500pps --deadline 50ms --out wan")
    wish = "reserve more --principal guests/more --bytes 300 --rate 100pps --deadline 60ms --cpu 'shared-with guests/media' --out"
    refused = net.ravelin(f"{wish} 'lan shared-with guests/media'", check=False)
    assert refused.returncode != 0 and "expected a principal that has reserved of port lan" in refused.stderr
    refused = net.ravelin(f"{wish} 'wan shared-with guests/media'".replace("--cpu 'shared-with guests/media'", "--cpu 8000cyc/pkt"), check=False)
    assert refused.returncode != 0 and "found cycles of 'guests/more' before the port, expected cycles of 'guests/media'" in refused.stderr
    before = net.cli("reservations")["ports"]
    net.ravelin(f"{wish} 'wan shared-with guests/media'")
    assert net.cli("reservations")["ports"] == before, "no bytes of its own"
    one = reserved(net)["more"]
    assert one["links"][0]["shared_with"] == "guests/media" and one["cpu_deadline_ns"] == reserved(net)["media"]["cpu_deadline_ns"], one
    assert "deadline_ns" not in one["links"][0] and reserved(net)["media"]["links"][0]["deadline_ns"] > 0
    sent = reserved(net)["media"]["links"][0]["sent"]
    send(net, 300, 5006)
    wait_until(lambda: reserved(net)["media"]["links"][0]["sent"] > sent + 150, 10, "they are in its queue")
    for kill in (lambda: (net.kill_control(), net.start_control()), net.kill_dataplane):
        kill()
        net.wait_ready()
        assert all(r["kept"] for r in reserved(net).values()) and reserved(net)["more"]["links"][0]["port"] == "wan"
    assert "of guests/media" in net.ravelin("reservations").stdout
    assert "released too: more" in net.ravelin("release media --force").stdout
    assert reserved(net) == {}


def test_functions_are_counted_and_cycles_are_reserved_as_measured(net):
    refused = net.ravelin("reserve auto --principal guests/more --cpu auto --rate 100pps", check=False)
    assert refused.returncode != 0 and "expected at least 10000 to measure it by" in refused.stderr, refused.stderr

    def thin() -> dict:
        return next(f for f in net.cli("functions")["functions"] if f["name"] == "thin-video")
    for _ in range(20):
        if thin()["packets"] >= 10_000:
            break
        net.guest.run(["/usr/bin/python3", "-c", """
import socket, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(2000):
    out.sendto(bytes(200), ("192.0.2.254", 5004))
    if n % 20 == 0:
        time.sleep(0.005)
"""])
    seen = thin()
    assert seen["type"] == "thin" and seen["packets"] >= 10_000 and 0 < seen["runs"] <= seen["packets"], seen
    assert 0 < seen["half_cycles"] <= seen["most_cycles"] and seen["longest"] > 0, seen
    refused = net.ravelin("reserve auto --principal guests --cpu auto --rate 100pps", check=False)
    assert refused.returncode != 0 and "which has no function" in refused.stderr, refused.stderr
    text = net.ravelin("reserve auto --principal guests/more --cpu auto --rate 100pps --deadline 500ms").stdout
    assert "99.9 % took at most" in text and "granted" in text, text
    one = reserved(net)["auto"]
    assert one["cycles"] >= max(8000, 1.25 * seen["half_cycles"]) and one["live"], one
    net.kill_control()
    net.start_control()
    net.wait_ready()
    assert reserved(net)["auto"] == one, "a number from then on"
    assert "thin-video" in net.ravelin("functions").stdout
    net.ravelin("release auto")
