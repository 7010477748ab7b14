# SPDX-License-Identifier: Apache-2.0
"""Policy changes all the time, and what was acknowledged of them."""
import contextlib
import random
import re
import threading

import probes as p


class Changes:
    """Applies generation after generation, and live sets between them, in a thread. After an acknowledgement
    the policy in force is that one or one attempted after it."""

    def __init__(self, lab, probes):
        self.lab, self.probes = lab, probes
        self.acknowledged = self.attempted = 0
        self.applied = self.failed = self.live_changes = 0
        self.closed = None  # whether LIVE is an element: True, False, or None while nobody knows
        self._busy = threading.RLock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._end.set()
        self._thread.join(60)

    @contextlib.contextmanager
    def paused(self):
        with self._busy:
            yield

    def unknown(self):
        """Somebody else applied something that may or may not have come through."""
        for port in p.TURNS:
            self.probes.forget(port)

    def attempt(self, options: str = "", final: bool = True):
        """One generation. What it shuts is watched from the acknowledgement on."""
        with self._busy:
            self.attempted += 1
            serial = self.attempted
            for port in p.TURNS:
                self.probes.forget(port)
            done = self.lab.apply(p.policy(serial), options, check=False)
            if done.returncode:
                self.failed += 1
            elif final:
                self.acknowledged = serial
                self.applied += 1
                self.probes.shut(p.TURNS[serial % 2])
            return done

    def live(self):
        """Shuts or opens LIVE by an element of the set."""
        with self._busy:
            self.probes.forget(p.LIVE)
            shut = random.random() < 0.5
            self.closed = None
            done = self.lab.ravelin(f"set {'add' if shut else 'del'} closed {p.LIVE}", check=False)
            if done.returncode == 0:
                self.closed = shut
                self.live_changes += 1
                if shut:
                    self.probes.shut(p.LIVE)

    def check(self):
        """The rules in force are those of the last acknowledged change, or of a later attempt."""
        with self._busy:
            names = [r["name"] for r in self.lab.cli("rules")["rules"]]
            serials = [int(m[1]) for n in names if (m := re.fullmatch(r"serial-(\d+)", n))]
            assert len(serials) == 1 and self.acknowledged <= serials[0] <= self.attempted, \
                f"serial {serials} is in force, {self.acknowledged} was acknowledged"
            assert "never" in names
            if self.closed is not None:
                elements = self.lab.cli("set list closed")["elements"]
                assert elements == int(self.closed), f"{elements} live elements, acknowledged {self.closed}"

    def _run(self):
        while not self._end.is_set():
            self.live() if random.random() < 0.4 else self.attempt()
            self._end.wait(random.uniform(0, 0.2))
