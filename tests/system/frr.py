# SPDX-License-Identifier: Apache-2.0
"""FRR speakers in namespaces: zebra and bgpd of Debian's package, each with sockets of its own."""
import os
import pathlib
import subprocess
import time

from lab import wait_until

DAEMONS = pathlib.Path("/usr/lib/frr")


def missing() -> str:
    """Why FRR cannot run here, or an empty string."""
    wanted = [DAEMONS / "zebra", DAEMONS / "bgpd", pathlib.Path("/usr/bin/vtysh")]
    return "" if all(p.exists() for p in wanted) else "needs the package frr"


class Speaker:
    """One router's routing daemons in a namespace of the lab."""

    def __init__(self, namespace, directory: pathlib.Path, config: str):
        self.namespace, self.directory = namespace, directory
        directory.mkdir()
        file = directory / "frr.conf"
        file.write_text(f"log file {directory}/log informational\n{config}")
        subprocess.run(["chown", "-R", "frr:frr", directory], check=True)
        directory.chmod(0o755)
        for parent in directory.parents:  # mkdtemp's is for its owner alone
            if parent != pathlib.Path("/tmp") and parent.is_relative_to("/tmp"):
                parent.chmod(0o755)
        self.start("zebra")
        wait_until(lambda: (directory / "zserv").exists(), 10, "zebra listens")
        self.start("bgpd")

    def start(self, daemon: str, *options: str):
        own = self.directory
        self.namespace.popen([DAEMONS / daemon, "-f", own / "frr.conf", "-z", own / "zserv",
                              "-i", own / f"{daemon}.pid", "--vty_socket", own, "-A", "127.0.0.1",
                              *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def vty(self, *commands: str) -> str:
        words = [w for c in commands for w in ("-c", c)]
        done = self.namespace.run(["vtysh", "--vty_socket", self.directory, *words], check=False,
                                  timeout=120, env={**os.environ, "VTYSH_PAGER": "cat"})
        return done.stdout + done.stderr

    def established(self, neighbour: str) -> bool:
        return "BGP state = Established" in self.vty(f"show bgp neighbors {neighbour}")

    def log(self) -> str:
        file = self.directory / "log"
        return file.read_text(errors="replace")[-3000:] if file.exists() else ""


def seconds_until(condition, what: str, most: float = 120) -> float:
    """How long until condition() held."""
    begun = time.monotonic()
    wait_until(condition, most, what)
    return time.monotonic() - begun
