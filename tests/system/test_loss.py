# SPDX-License-Identifier: Apache-2.0
"""Frames that the kernel drops before DPDK sees them are counted under a name."""
import os
import signal

import pytest

from lab import wait_until
from wires import client_and_server, counter, drops, router

RING = 4096  # frames of an af_packet port
FLOOD = 3 * RING


@pytest.fixture(scope="module")
def net(make_lab):
    lab = make_lab()
    lab.client, lab.server = client_and_server(lab)
    lab.start(router(control={"metrics": "127.0.0.1:9477"}))
    lab.client.ping("10.0.2.2")
    return lab


def arrived(lab) -> int:
    """What the kernel handed to the packet socket of lan."""
    return int(lab.box.run("cat /sys/class/net/rv-lan/statistics/rx_packets").stdout)


def flood(lab, frames: int):
    lab.client.run(["python3", "-c", f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range({frames}):
    s.sendto(b'x', ('10.0.2.2', 9))
"""])


def test_what_a_stalled_data_plane_misses_is_counted(net):
    start = arrived(net), counter(net, "port.lan.rx_packets"), counter(net, "port.lan.rx_missed")
    pid = net.dataplane_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        flood(net, FLOOD)
        came = arrived(net) - start[0]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert came >= FLOOD

    def accounted():
        """All that came is either received or missed."""
        received = counter(net, "port.lan.rx_packets") - start[1]
        missed = counter(net, "port.lan.rx_missed") - start[2]
        return missed if received + missed == arrived(net) - start[0] else None
    missed = wait_until(accounted, 10, "received + missed = arrived")
    assert FLOOD - RING - 64 <= missed <= came - RING + 64
    assert counter(net, "port.dmz.rx_missed") == 0


def test_every_view_tells_the_same_number(net):
    missed = counter(net, "port.lan.rx_missed")
    assert missed > 0
    assert drops(net)["port.rx_missed"] == missed
    assert {p["name"]: p["rx_missed"] for p in net.cli("status")["ports"]} == {"lan": missed, "dmz": 0}
    assert f"{missed:,}" in net.ravelin("drops port").stdout
    assert net.cli("top --count 1 --interval 100ms")["ports"][0]["rx_missed_pps"] == 0
    page = net.box.run("curl -sf http://127.0.0.1:9477/metrics").stdout
    assert f'ravelin_port_rx_missed_total{{port="lan"}} {missed}' in page
    assert f'ravelin_drop_packets_total{{stage="port",reason="rx_missed"}} {missed}' in page
