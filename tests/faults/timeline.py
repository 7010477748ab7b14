# SPDX-License-Identifier: Apache-2.0
"""When which fault was under way and what it had come to, and so which one a gap belongs to."""
import contextlib
import time


class Timeline:
    """Steps of faults: each lasts until the next begins. Of one thread; read when it is over."""

    def __init__(self, log=None, clock=time.monotonic):
        self._log, self._clock = log, clock
        self._steps = []   # (since, fault, what is being done), by the monotonic clock
        self._logged = []  # bytes of the appliance's log by then; its own times follow a clock that is stepped

    def step(self, fault: str, what: str):
        self._steps.append((self._clock(), fault, what))
        self._logged.append(self._log.stat().st_size if self._log else 0)

    def under_way(self) -> str:
        """The fault under way, or nothing."""
        return self._steps[-1][1] if self._steps else ""

    @contextlib.contextmanager
    def fault(self, name: str):
        self.step(name, "break")
        try:
            yield
        finally:
            self.step("", "")

    def _overlaps(self, start: float, end: float) -> list:
        """(seconds in common, since, fault, what), longest first."""
        ends = [since for since, _, _ in self._steps[1:]] + [float("inf")]
        shared = [(min(end, until) - max(start, since), since, fault, what)
                  for (since, fault, what), until in zip(self._steps, ends)]
        return sorted((s for s in shared if s[0] > 0), reverse=True)

    def told(self, gap: tuple) -> dict:
        """A gap in words: how long, the fault most of it was in, and all that was done meanwhile."""
        start, end = gap
        overlaps = self._overlaps(start, end)
        spent, begun = {}, {}
        for seconds, since, fault, _ in overlaps:
            spent[fault] = spent.get(fault, 0) + seconds
            begun[fault] = min(since, begun.get(fault, since))
        fault = max(spent, key=spent.get, default="")
        steps = [f"{what or 'between faults'} {seconds:.2f} s"
                 for seconds, _, of, what in sorted(overlaps, key=lambda o: o[1]) if of == fault]
        return {"s": round(end - start, 3), "fault": fault or "none",
                "began_s_into_it": round(start - begun[fault], 3) if fault else 0.0, "meanwhile": steps}

    def longest(self, gaps: list, count: int = 3) -> list:
        return [self.told(g) for g in sorted(gaps, key=lambda g: g[0] - g[1])[:count]]

    def log_of(self, gap: tuple, lines: int = 40) -> list:
        """What the appliance logged in the steps that the gap was in, from the first on."""
        since = [step[0] for step in self._steps]
        begin = max((i for i, t in enumerate(since) if t <= gap[0]), default=0)
        end = next((self._logged[i] for i, t in enumerate(since) if t > gap[1]), None)
        if not self._log or not since:
            return []
        return self._log.read_bytes()[self._logged[begin]:end].decode(errors="replace").splitlines()[:lines]

    def longest_by_fault(self, gaps: list) -> dict:
        out = {}
        for told in map(self.told, gaps):
            out[told["fault"]] = max(told["s"], out.get(told["fault"], 0.0))
        return dict(sorted(out.items(), key=lambda item: -item[1]))
