# SPDX-License-Identifier: Apache-2.0
"""The report of scripts/run: what was forwarded, what was denied and by which rule, latency, rate."""
from live import counters, sums


def build_report(lab, results: dict) -> dict:
    checks = [c for scene in results.values() for c in scene.checks]
    values = counters(lab)
    rules = (lab.try_cli("rules") or {}).get("rules", [])
    hit = [{k: r[k] for k in ("name", "action", "packets", "bytes")} for r in rules if r["packets"]]
    drops = {n.removeprefix("drop."): v for n, v in values.items() if n.startswith("drop.") and v}
    denied = [r for r in hit if r["action"] != "accept"]
    checks.append({"name": "denials are counted by rule", "ok": bool(denied),
                   "detail": ", ".join(f"{r['name']} {r['packets']}" for r in denied)})
    status = lab.try_cli("status") or {}
    total = sums(values)
    return {
        "ok": all(c["ok"] for c in checks),
        "generation": status.get("generation"),
        "forwarded": {"packets": total["tx_packets"], "bytes": total["tx_bytes"],
                      "by_rule": [r for r in hit if r["action"] == "accept"]},
        "denied": {"packets": total["dropped"], "by_rule": denied, "by_reason": drops},
        "latency_ms": dict(results["ping"]),
        "rate": {**results["tcp"], **results["udp"]},
        "http_bytes": dict(results["http"]),
        "scan": dict(results["port scan"]),
        "checks": checks,
    }


def print_report(report: dict, out):
    def line(text=""):
        print(text, file=out)
    line(f"\nRavelin, generation {report['generation']}")
    forwarded, denied = report["forwarded"], report["denied"]
    line(f"\nforwarded  {forwarded['packets']:,} packets, {forwarded['bytes'] / 1e6:,.1f} MB")
    for rule in forwarded["by_rule"]:
        line(f"  {rule['packets']:>12,} packets  accepted by {rule['name']}")
    line(f"\ndenied     {denied['packets']:,} packets")
    for rule in denied["by_rule"]:
        line(f"  {rule['packets']:>12,} packets  {rule['action']} by {rule['name']}")
    line("  by reason:")
    for reason, count in sorted(denied["by_reason"].items(), key=lambda item: -item[1]):
        line(f"  {count:>12,} packets  {reason}")
    line("\nlatency    round trip, ms              min     avg     max")
    for name, times in report["latency_ms"].items():
        if times["avg"] is not None:
            line(f"  {name:<36}{times['min']:7.3f} {times['avg']:7.3f} {times['max']:7.3f}")
    line("\nrate")
    for name, rate in report["rate"].items():
        extra = (f"{rate['lost_percent']:.2f} % lost" if "lost_percent" in rate
                 else f"{rate['retransmits']} retransmits")
        line(f"  {name:<12}{rate['mbit_per_second']:10,.0f} Mbit/s   {extra}")
    line("\nscan")
    for family, found in report["scan"].items():
        line(f"  {family}: {found['scanned']} ports tried, open to the attacker: {found['open']}")
    line("\nchecks")
    for check in report["checks"]:
        line(f"  {'ok    ' if check['ok'] else 'FAILED'} {check['name']}  {check['detail']}")
    line(f"\n{'All is well.' if report['ok'] else 'Something is wrong; see FAILED above.'}")
