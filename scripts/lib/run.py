# SPDX-License-Identifier: Apache-2.0
"""scripts/run: three hosts around one Ravelin with configs/edge.yaml, real traffic, a report."""
import argparse
import json
import pathlib
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests" / "system"))

import lab as lab_module  # noqa: E402
import scenes  # noqa: E402
from live import LiveView, say  # noqa: E402
from report import build_report, print_report  # noqa: E402


def make_hosts(lab):
    """The addresses are those of configs/edge.yaml."""
    def host(name, port, v4, v6, gateway4, gateway6):
        return lab.host(name, port, [v4, v6], [f"default via {gateway4}", f"default via {gateway6}"])
    host("client", "lan", "10.0.1.2/24", "fd00:1::2/64", "10.0.1.1", "fd00:1::1")
    host("server", "dmz", "10.0.2.2/24", "fd00:2::2/64", "10.0.2.1", "fd00:2::1")
    host("attacker", "wan", "192.0.2.254/24", "2001:db8:2::fe/64", "192.0.2.1", "2001:db8:2::1")


def explore(lab):
    """Prints what there is to try and stays until Ctrl-C."""
    say("\nEverything stays up until Ctrl-C. In another terminal:")
    say(f"  {lab_module.binary('ravelin')} --run-dir {lab.run_dir} top")
    for name, host in lab.hosts.items():
        say(f"  ip netns exec {host.name} bash        # the {name}, {host.v4} {host.v6}")
    say(f"  $EDITOR {lab.config}; {lab_module.binary('ravelin')} --run-dir {lab.run_dir} "
        f"apply {lab.config}")
    while lab.control.poll() is None:
        time.sleep(0.5)


def play(options) -> int:
    say("making a client, a server and an attacker")
    with lab_module.Lab() as lab:
        make_hosts(lab)
        say("starting both processes with configs/edge.yaml")
        started = time.monotonic()
        lab.start((ROOT / "configs" / "edge.yaml").read_text())
        say(f"policy in force after {time.monotonic() - started:.1f} s")
        with LiveView(lab) as live:
            results = scenes.play_all(lab, options.seconds, live)
        report = build_report(lab, results)
        print_report(report, sys.stderr if options.json else sys.stdout)
        if options.json:
            print(json.dumps(report))
            sys.stdout.flush()
        if options.keep:
            try:
                explore(lab)
            except KeyboardInterrupt:
                say("")
        say("cleaning up")
    return 0 if report["ok"] else 1


def stop(_signal, _frame):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # let the clean-up finish
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/run")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    why = lab_module.missing()
    if why:
        say(f"run: {why}")
        return 1
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        return play(options)
    except KeyboardInterrupt:
        say("stopped; everything is cleaned up")
        return 1
    except lab_module.LabError as error:
        say(f"run: {error}")
        return 1


sys.exit(main())
