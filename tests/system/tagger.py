# SPDX-License-Identifier: Apache-2.0
"""A VLAN device in user space, for kernels without one: python3 tagger.py DEVICE UNDER TAGS

Makes TAP device DEVICE, with the MAC address of UNDER. Its frames leave by UNDER with TAGS in front (hex, "8100000a" for
VLAN 10); frames that come in by UNDER with just these tags arrive at DEVICE. Ends with its standard input.
"""
import fcntl
import os
import select
import socket
import struct
import sys

from wires import ETH_P_ALL, PACKET_AUXDATA, PACKET_OUTGOING, SOL_PACKET, with_tag

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
SIOCSIFHWADDR, ARPHRD_ETHER = 0x8924, 1
PACKET_IGNORE_OUTGOING = 23
LONGEST = 65536


def set_mac(name: str, mac: bytes):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, SIOCSIFHWADDR, struct.pack("16sH14s", name.encode(), ARPHRD_ETHER, mac))


def main():
    name, under, tags = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])
    with open(f"/sys/class/net/{under}/address", encoding="ascii") as file:
        mac = bytes.fromhex(file.read().strip().replace(":", ""))
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    set_mac(name, mac)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    wire.bind((under, ETH_P_ALL))
    print("ready", flush=True)
    end = 12 + len(tags)
    while True:
        ready, _, _ = select.select([tap, wire, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        if tap in ready:
            frame = os.read(tap, LONGEST)
            wire.send(frame[:12] + tags + frame[12:])
        if wire in ready:
            data, extra, _flags, address = wire.recvmsg(LONGEST, 256)
            frame = with_tag(data, extra)
            if address[2] != PACKET_OUTGOING and frame[12:end] == tags:
                os.write(tap, frame[:12] + frame[end:])


if __name__ == "__main__":
    main()
