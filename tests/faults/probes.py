# SPDX-License-Identifier: Apache-2.0
"""What is looked at all the time while things break: packets that must never come out, packets that may
not once the change that denies them is acknowledged, and packets that should pass."""
import collections
import pathlib
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

from lab import wait_until  # noqa: E402
from wires import EVERYTHING, router, rule, socket_in  # noqa: E402

DENIED, TURNS, ALLOWED, LIVE = 7777, (7000, 7001), 8888, 7100
PERIOD = 0.004  # seconds between two rounds of packets
GAP = 0.25  # seconds without an allowed packet that are noted
STAMP = struct.Struct("!Qd")


def policy(serial: int) -> str:
    """Generation `serial`: DENIED never passes, of TURNS the one with the serial's parity does not. Elements
    of the live set `closed` are ports that do not either."""
    import yaml
    rules = [rule("never", "drop", protocol="udp", to_ports=DENIED),
             rule(f"serial-{serial}", "drop", protocol="udp", to_ports=TURNS[serial % 2]),
             rule("closed", "drop", protocol="udp", to_ports="@closed"),
             *EVERYTHING]
    tree = yaml.safe_load(router(rules, workers={"flows": 8192}))
    tree["sets"] = {"closed": {"type": "ports", "size": 1024}}
    return yaml.safe_dump(tree, sort_keys=False)


class Probes:
    """Sends from the client to every port, in both families, and notes what reaches the server."""

    def __init__(self, lab):
        self.leaked, self.broken, self.gaps = [], [], []  # gaps: (from, to) by the monotonic clock
        self.sent = self.passed = 0
        self.seen = collections.Counter()  # by port: what never came in proves nothing by staying away
        self.last_pass = time.monotonic()
        self._denied_since = {}  # port -> since when it must be shut
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._out = [socket_in(lab.client, family, socket.SOCK_DGRAM) for family in (socket.AF_INET, socket.AF_INET6)]
        self._targets = (lab.server.v4, lab.server.v6)
        self._in = []
        for port in (DENIED, *TURNS, ALLOWED, LIVE):
            taker = socket_in(lab.server, socket.AF_INET6, socket.SOCK_DGRAM)
            taker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            taker.bind(("::", port))
            taker.settimeout(0.2)
            self._in.append((port, taker))
        self._threads = [threading.Thread(target=self._send, daemon=True),
                         *(threading.Thread(target=self._take, args=p, daemon=True) for p in self._in)]
        for thread in self._threads:
            thread.start()

    def shut(self, port: int):
        """From now on nothing sent to the port may come out."""
        with self._lock:
            self._denied_since[port] = time.monotonic()

    def forget(self, port: int):
        """A change is under way: the port may be open or shut."""
        with self._lock:
            self._denied_since.pop(port, None)

    def stop(self):
        self._end.set()
        for thread in self._threads:
            thread.join(5)
        if (now := time.monotonic()) - self.last_pass > GAP:
            self.gaps.append((self.last_pass, now))
        for handle in [*self._out, *(taker for _, taker in self._in)]:
            handle.close()

    def pass_again(self, patience: float, where: str):
        """An allowed packet comes out that was not out when this was asked."""
        asked = time.monotonic()
        wait_until(lambda: self.last_pass > asked, patience, f"packets pass {where}")

    def _send(self):
        serial = 0
        while not self._end.is_set():
            serial += 1
            for port in (DENIED, *TURNS, ALLOWED, LIVE):
                for out, target in zip(self._out, self._targets):
                    try:
                        out.sendto(STAMP.pack(serial, time.monotonic()), (target, port))
                        self.sent += 1
                    except OSError:
                        pass  # its link is down
            self._end.wait(PERIOD)

    def _take(self, port: int, taker: socket.socket):
        while not self._end.is_set():
            try:
                data, source = taker.recvfrom(64)
            except (socket.timeout, OSError):
                continue
            now = time.monotonic()
            self.seen[port] += 1
            if port == DENIED:
                self.leaked.append({"at": now, "from": source[0]})
            if len(data) != STAMP.size:
                continue
            _serial, sent = STAMP.unpack(data)
            if port == ALLOWED:  # by one thread alone
                self.passed += 1
                if now - self.last_pass > GAP:
                    self.gaps.append((self.last_pass, now))
                self.last_pass = now
            with self._lock:
                since = self._denied_since.get(port)
            if since is not None and sent > since:
                self.broken.append({"port": port, "sent_after_acknowledgement_s": round(sent - since, 3)})
