# SPDX-License-Identifier: Apache-2.0
"""perf/run update-rule: times live changes in a running appliance: rules that come and go beside N compiled ones.

Two processes in network namespaces, busy-polling workers, changes one after the other through the
control socket. Microseconds of
  live     data plane's receipt to the last worker's confirmation
  fsync    journal
  request  socket to socket, all of it but the start of the command `ravelin`
  command  `ravelin rule add`, its start included
  bare     a loop of about as much work as a change, between batches of changes (A B A B): what the
           machine does to whoever wants a CPU for so long, Ravelin or not
Needs root.
"""
import json
import os
import pathlib
import socket
import struct
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))

import lab as lab_module  # noqa: E402
import results  # noqa: E402
from wires import client_and_server, counter, router, rule  # noqa: E402

BATCH, BARE_US = 50, 60  # changes between two looks at the machine; about what one takes


class Api:
    """control.sock: frames of JSON with a length before each."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.last = 0

    def _take(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            part = self.socket.recv(size - len(taken))
            if not part:
                raise SystemExit("update-rule: the control plane hung up")
            taken += part
        return taken

    def call(self, method: str, **params) -> dict:
        self.last += 1
        request = json.dumps({"id": self.last, "method": method, "params": params}).encode()
        self.socket.sendall(struct.pack(">I", len(request)) + request)
        answer = json.loads(self._take(struct.unpack(">I", self._take(4))[0]))
        if "result" not in answer:
            raise SystemExit(f"update-rule: {method}: {answer['error']['message']}")
        return answer["result"]


class Bare:
    """The same work each time, about `us` of it; what it takes longer it stood."""

    def __init__(self, us: float):
        self.rounds = 1000
        best = min(self.once() for _ in range(200))
        self.rounds = max(1, int(self.rounds * us / best))

    def once(self) -> float:
        start = time.perf_counter_ns()
        for _ in range(self.rounds):
            pass
        return (time.perf_counter_ns() - start) / 1e3

    def batch(self, times: int) -> list:
        taken = []
        for _ in range(times):
            time.sleep(0.001)
            taken.append(self.once())
        return taken


def summary(taken: dict) -> dict:
    """Metrics NAME, of all that was taken, and NAME_p99, the value that 99 % of it do not exceed."""
    metrics = {}
    for name, values in taken.items():
        ordered = sorted(round(value, 1) for value in values)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        metrics[name] = results.metric(ordered, "us")
        metrics[f"{name}_p99"] = results.metric([p99], "us", "at most 1000" if name == "live" else "")
    return metrics


def policy(rules: int, workers: int) -> str:
    fill = [rule(f"fill-{i}", "drop", from_=f"100.{64 + i // 65536}.{i // 256 % 256}.{i % 256}",
                 protocol="tcp", to_ports=1 + i % 60000) for i in range(rules)]
    return router([*fill, rule("everything")], workers={"count": workers, "poll": "busy"})


def changes(api, lab, count: int) -> dict:
    live, fsync, request, command, bare = [], [], [], [], []
    alone = Bare(BARE_US)
    for i in range(count):
        if i % BATCH == 0:
            bare += alone.batch(BATCH)
        name = f"live-{i // 2 % 40}"
        start = time.monotonic()
        if i % 2 == 0:
            text = f"{{name: {name}, action: drop, from: 203.0.113.{i // 2 % 250}, protocol: udp}}"
            answer = api.call("rule-add", rule=text, place="first")
        else:
            answer = api.call("rule-del", name=name)
        request.append((time.monotonic() - start) * 1e6)
        live.append(answer["live_us"])
        fsync.append(answer["fsync_us"])
    for i in range(max(1, count // 100)):
        start = time.monotonic()
        lab.ravelin(f"rule add --first '{{name: typed, action: drop, from: 203.0.113.{i}}}'")
        command.append((time.monotonic() - start) * 1e6)
        lab.ravelin("rule del typed")
    return summary({"live": live, "fsync": fsync, "request": request, "command": command, "bare": bare})


def measure(lab, rules: int, workers: int, count: int) -> dict:
    before = lab.cli("status")
    metrics = changes(Api(lab.run_dir / "control.sock"), lab, count)
    after = lab.cli("status")
    if after["generation"] != before["generation"] or counter(lab, "drop.firewall.rule"):
        raise SystemExit("update-rule: the generation changed, or packets were dropped")
    return {"bench": "update-rule", "metrics": metrics,
            "config": {"rules": rules, "workers": workers, "changes": count, "poll": "busy"},
            "data": {"merges": after["dataplane"]["live"]["merges"],
                     "histogram": after["dataplane"]["live"]["latency"]}}


def run(program: pathlib.Path, args) -> int:
    if why := lab_module.missing():
        raise SystemExit(f"update-rule: {why}")
    rules, workers, count = (100, 1, 40) if args.quick else (10_000, int(args.workers or 1), 400 * args.runs)
    about = results.about(program)
    with lab_module.Lab(program.parent.parent) as lab:
        lab.client, lab.server = client_and_server(lab)
        lab.start(policy(rules, workers), seconds=60)
        out = {**measure(lab, rules, workers, count), **about}
    return results.show(out, args.json)
