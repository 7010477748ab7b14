# SPDX-License-Identifier: Apache-2.0
"""The traffic of scripts/run. A scene returns what it measured and its checks (name, ok, detail)."""
import re

from lab import LabError, iperf3, iperf3_result

WEB_BYTES = 1_000_000
SCANNED = "1-1000"
UDP_MBIT = 100


class Scene(dict):
    """Measured values; `checks` apart."""

    def __init__(self):
        super().__init__()
        self.checks = []

    def check(self, name: str, ok, detail: str = ""):
        self.checks.append({"name": name, "ok": bool(ok), "detail": detail})


def ping_times(output: str) -> dict:
    """rtt in ms and loss of ping's closing lines."""
    rtt = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/", output)
    loss = re.search(r"([\d.]+)% packet loss", output)
    return {"min": float(rtt[1]) if rtt else None, "avg": float(rtt[2]) if rtt else None,
            "max": float(rtt[3]) if rtt else None, "loss_percent": float(loss[1]) if loss else 100.0}


def pings(lab, _seconds, scene):
    client, server = lab.hosts["client"], lab.hosts["server"]
    for name, target in (("v4", server.v4), ("v6", server.v6), ("box_v4", "10.0.1.1"),
                         ("box_v6", "fd00:1::1")):
        times = ping_times(client.ping(target, 50, check=False).stdout)
        scene[name] = times
        scene.check(f"ping {name}", times["loss_percent"] == 0,
                    f"{target}: {times['loss_percent']:g} % lost")


def iperf(lab, seconds, scene, name, options, target):
    try:
        end = iperf3_result(iperf3(lab.hosts["client"], lab.hosts["server"], target,
                                   f"-t {seconds:g} {options}"), seconds + 30)
    except LabError as error:
        scene.check(f"iperf3 {name}", False, str(error)[-200:])
        return
    received = end.get("sum_received") or end["sum"]
    scene[name] = {"mbit_per_second": received["bits_per_second"] / 1e6}
    if "lost_percent" in end.get("sum", {}):
        scene[name]["lost_percent"] = end["sum"]["lost_percent"]
    else:
        scene[name]["retransmits"] = end.get("sum_sent", {}).get("retransmits", 0)
    scene.check(f"iperf3 {name}", received["bytes"] > 0,
                f"{received['bits_per_second'] / 1e6:.0f} Mbit/s")


def tcp(lab, seconds, scene):
    iperf(lab, max(1, seconds / 3), scene, "tcp_v4", "", lab.hosts["server"].v4)
    iperf(lab, max(1, seconds / 3), scene, "tcp_v6", "", lab.hosts["server"].v6)


def udp(lab, seconds, scene):
    for name, target in (("udp_v4", lab.hosts["server"].v4), ("udp_v6", lab.hosts["server"].v6)):
        iperf(lab, max(1, seconds / 6), scene, name, f"-u -b {UDP_MBIT}M -l 1200", target)


def http(lab, _seconds, scene):
    server = lab.hosts["server"]
    folder = lab.directory / "www"
    folder.mkdir(exist_ok=True)
    (folder / "page").write_bytes(b"r" * WEB_BYTES)
    server.web(80, folder)
    for who in ("client", "attacker"):
        for target in (server.v4, f"[{server.v6}]"):
            got = lab.hosts[who].run(f"curl -sS -o /dev/null -w %{{size_download}} -m 10 -g "
                                     f"http://{target}/page", check=False)
            size = got.stdout.strip()
            scene[f"{who} {target}"] = int(size) if size.isdigit() else 0
            scene.check(f"http {who} to {target}", size == str(WEB_BYTES), got.stderr.strip())


def scan(lab, _seconds, scene):
    """The attacker finds what the policy offers and nothing else."""
    server, attacker = lab.hosts["server"], lab.hosts["attacker"]
    server.serve("iperf3 -s", port=5201)  # a service that is none of his business
    for name, options, target in (("v4", "", server.v4), ("v6", "-6", server.v6)):
        done = attacker.run(f"nmap {options} -n -Pn -sS -p {SCANNED},5201 --max-retries 1 -T4 "
                            f"--min-rate 800 --disable-arp-ping -oG - {target}", check=False, timeout=90)
        ports = [int(p) for p in re.findall(r"(\d+)/open/", done.stdout)]
        scene[name] = {"scanned": int(SCANNED.split("-")[1]) + 1, "open": ports}
        scene.check(f"scan {name} refused", ports == [80], f"open to the attacker: {ports}")
    target = lab.hosts["client"].v4
    scene.check(f"attacker cannot ping {target}",
                attacker.ping(target, 2, check=False).returncode != 0)


SCENES = (("ping", pings), ("http", http), ("tcp", tcp), ("udp", udp), ("port scan", scan))


def play_all(lab, seconds: float, live) -> dict:
    results = {}
    for name, play in SCENES:
        live.scene, scene = name, Scene()
        play(lab, seconds, scene)
        results[name] = scene
    return results
