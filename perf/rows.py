# SPDX-License-Identifier: Apache-2.0
"""What Ravelin is to reach, beside what others do: the first table of RESULTS.md.

Peers' figures were measured on this kind of machine on 21 November 2026 (VPP 26.06, DPDK's l3fwd 25.11.2, grout 0.17.1,
kernel 6.18): their feature's own clocks where they count these, else cycles of a whole packet less those of the ports, or of
the kernel's routing alone (nft).
"""

NET, ADDED = "net_cycles_per_packet", "added_cycles_per_packet"


class Row:
    """One function. `figures`: what to say, bench, metric; `peers`: theirs."""

    def __init__(self, function: str, peers: str, *figures):
        self.function, self.peers, self.figures = function, peers, figures


ROWS = [
    Row("L3, 1 route", "VPP 56 to 83 net, grout 130 to 150, l3fwd 0 to 40", ("", "l3-1", NET)),
    Row("L3, 131,072 random routes", "VPP 170 (lookup alone), l3fwd (lpm) 40 net", ("", "l3-128k", NET)),
    Row("L3, full table, 901,899 routes", "VPP 230 (lookup alone, 1M), l3fwd (fib) 75 net", ("random", "l3-full", NET),
        ("as on links", "l3-full", f"zipf.{NET}")),
    Row("stateless rules, 10", "VPP 167, l3fwd-acl about 50", ("", "acl-10", ADDED)),
    Row("stateless rules, 1,000", "VPP 239, l3fwd-acl about 110; nft 22,500 linear, 1,600 by a set", ("mix", "acl-1k", ADDED),
        *((f"ClassBench {s}", "acl-1k", f"classbench-{s}.{ADDED}") for s in ("acl1", "fw1", "ipc1"))),
    Row("stateless rules, 10,000", "VPP 441, l3fwd-acl about 150; nft 4,400 by a set", ("mix", "acl-10k", ADDED),
        *((f"ClassBench {s}", "acl-10k", f"classbench-{s}.{ADDED}") for s in ("acl1", "fw1", "ipc1"))),
    Row("open connections, 10,000", "VPP 45; nft and conntrack 1,400", ("added", "stateful-10k", ADDED), ("net", "stateful-10k", NET)),
    Row("open connections, 100,000", "VPP 113; nft and conntrack 1,850", ("added", "stateful-100k", ADDED), ("net", "stateful-100k", NET)),
    Row("open connections, 1,000,000", "", ("added", "stateful-1m", ADDED), ("net", "stateful-1m", NET)),
    Row("policing", "VPP 17 (one policer)",
        *((f"{n} principals", "police", f"principals-{n}.{ADDED}") for n in ("1", "1k", "64k"))),
    Row("a limit per source (no goal)", "",
        *((f"{n} sources", "police", f"sources-{n}.{ADDED}") for n in ("1", "1k", "64k"))),
    Row("new TCP connections", "DPVS 200k a second", ("", "connrate", "new_connections_per_second")),
    Row("one rule live", "", ("median", "update-rule", "live"), ("p99", "update-rule", "live_p99")),
    Row("10,000 rules replaced", "nft seconds, rte_acl 4 s and 1.2 GB", ("", "update-10k", "replaced"),
        ("memory peak to before", "update-10k", "memory peak to before")),
    Row("open connections under a SYN flood, 95 % busy", "XDP flat to 19.5 Mpps",
        ("delivered", "synflood", "syn: delivered at 95 % load"), ("at ten times", "synflood", "syn: delivered at ten times"),
        ("drop path", "synflood", "drop_path_net_cycles_per_packet")),
]


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cells(row: Row, results: dict) -> tuple:
    """What to reach, and what was: one line of each a figure."""
    reach, reached = [], []
    for words, bench, metric in row.figures:
        result = results.get(bench)
        if result is None or metric not in result["metrics"]:
            reached.append(f"{words} not measured".strip())
            continue
        m = result["metrics"][metric]
        verdict = " **void**" if result.get("void") else "" if m.get("met", True) else " **missed**"
        unit = "" if "cycles/packet" in m["unit"] else f" {m['unit']}"
        reached.append(f"{words} {number(m['median'])}{unit} ({number(m['min'])} to {number(m['max'])}){verdict}".strip())
        if "target" in m and f"{m['target']}{unit}" not in reach:
            reach.append(f"{m['target']}{unit}")
    return "<br>".join(reach), "<br>".join(reached)


def any_of(results: dict) -> bool:
    return any(bench in results for row in ROWS for _, bench, _ in row.figures)


def table(results: dict) -> list:
    out = ["| function | to reach | reached: median (min to max) | others | by |", "|---|---|---|---|---|"]
    for row in ROWS:
        reach, reached = cells(row, results)
        benches = ", ".join(dict.fromkeys(f"`{bench}`" for _, bench, _ in row.figures))
        out.append(f"| {row.function} | {reach} | {reached} | {row.peers} | {benches} |")
    return out
