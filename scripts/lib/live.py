# SPDX-License-Identifier: Apache-2.0
"""The live view of scripts/run, on stderr: one line a second from the data plane's counters, and once
what `ravelin top` shows."""
import sys
import threading
import time


def say(text: str):
    print(text, file=sys.stderr, flush=True)


def counters(lab) -> dict:
    """Every counter by name; empty if nobody answers."""
    answer = lab.try_cli("counters") or {}
    return {c["name"]: c["value"] for c in answer.get("counters", [])}


def sums(values: dict) -> dict:
    def total(ending):
        return sum(v for n, v in values.items() if n.startswith("port.") and n.endswith(ending))
    return {"rx_packets": total(".rx_packets"), "tx_packets": total(".tx_packets"),
            "tx_bytes": total(".tx_bytes"),
            "dropped": sum(v for n, v in values.items() if n.startswith("drop."))}


class LiveView:
    """Runs beside the traffic; `scene` is what its lines begin with."""

    def __init__(self, lab, every: float = 1.0):
        self.lab, self.every, self.scene = lab, every, ""
        self._stop, self._top_shown = threading.Event(), False
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self._stop.set()
        self._thread.join(5)

    def _show(self):
        before, then = sums(counters(self.lab)), time.monotonic()
        while not self._stop.wait(self.every):
            now, time_now = sums(counters(self.lab)), time.monotonic()
            span = time_now - then
            rate = {k: (now[k] - before[k]) / span for k in now}
            before, then = now, time_now
            if self.scene == "tcp" and not self._top_shown:
                self._top_shown = True
                self._show_top()
            if rate["rx_packets"] > 0:
                say(f"  {self.scene:<28} {rate['rx_packets'] / 1e3:8.1f} kpps in "
                    f"{rate['tx_packets'] / 1e3:8.1f} kpps out {rate['tx_bytes'] * 8 / 1e6:8.1f} Mbit/s"
                    f" {rate['dropped']:8.0f} denied/s")

    def _show_top(self):
        top = self.lab.ravelin("top --count 1 --interval 500ms", check=False).stdout
        say("  `ravelin top` says:\n" + "\n".join(f"    {line}" for line in top.splitlines()))
