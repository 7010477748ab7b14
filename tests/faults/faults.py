# SPDX-License-Identifier: Apache-2.0
"""The faults: each function breaks something once, repairs it, and raises AssertionError where the box did
not behave. What must hold at all times is watched beside them (probes.py, changes.py)."""
import contextlib
import os
import random
import socket
import struct
import subprocess
import time

from lab import wait_until

RECOVERY = 20  # seconds, on a machine that others use too


def _recovered(world):
    """Both processes live, a policy is in force, packets flow, and nothing acknowledged is lost."""
    if world.lab.control.poll() is not None:
        world.step("start the control plane")
        world.lab.start_control(**world.environment)
    world.step("wait until it is ready")
    world.lab.wait_ready(RECOVERY)
    world.step("wait for packets")
    world.probes.pass_again(RECOVERY, "again")
    world.step("compare what is in force")
    world.changes.check()


def kill_dataplane(world):
    """SIGKILL, perhaps in the middle of a change."""
    pid = world.lab.dataplane_pid()
    if pid:
        os.kill(pid, 9)
    world.step("wait for another data plane")
    wait_until(lambda: world.lab.dataplane_pid() not in (0, pid), RECOVERY, "another data plane")


def kill_control(world):
    """SIGKILL; packets flow on without it."""
    world.lab.kill_control()
    time.sleep(random.uniform(0, 0.5))
    world.probes.pass_again(RECOVERY, "without a control plane")


def kill_both(world):
    """SIGKILL to both, in either order, nothing between them."""
    pids = [world.lab.dataplane_pid(), world.lab.control.pid]
    random.shuffle(pids)
    for pid in filter(None, pids):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    world.lab.control.wait(5)


def disk_full(world):
    """The state directory has no room: a change is refused with a reason, the old policy stays."""
    with world.changes.paused():
        before = world.lab.cli("status")["generation"]
        filler = world.lab.state_dir / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
            while True:
                out.write(bytes(65536))
                out.flush()
        try:
            refused = 0
            for _ in range(3):
                done = world.changes.attempt()
                if done.returncode:
                    refused += 1
                    assert "No space left" in done.stderr + done.stdout, done.stderr
            assert refused, "a full disk refused nothing"
            status = world.lab.cli("status")
            assert status["dataplane"]["generation"] == status["generation"] >= before
            world.probes.pass_again(RECOVERY, "with the disk full")
        finally:
            filler.unlink()
        done = world.changes.attempt()
        assert done.returncode == 0, f"with room again: {done.stderr}"


def cut_socket(world):
    """Clients that vanish in the middle of a message, on either socket; and one that sends rubbish."""
    for name in ("control.sock", "dataplane.sock"):
        for sent in (b"\x00\x00", struct.pack("!I", 1 << 20) + bytes(1000), struct.pack("!I", 8) + os.urandom(8),
                     struct.pack("!I", 0xffffffff), os.urandom(300)):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(1)
                client.connect(str(world.lab.run_dir / name))
                client.sendall(sent)
    with world.changes.paused():  # or what it asks for could come through after a later change
        killed = world.lab.box.popen(world.lab_command("apply", world.lab.config))
        time.sleep(random.uniform(0, 0.05))
        killed.kill()  # the operator's command, in the middle of its question
        killed.wait(5)
        world.changes.unknown()
        world.lab.cli("status")


def corrupt_commit(world):
    """A damaged file of the generation in force: the control plane says which, the data plane keeps its policy."""
    with world.changes.paused():
        current = world.lab.cli("status")["generation"]
        victim = world.lab.state_dir / "history" / f"{current}.{random.choice(['snapshot', 'yaml'])}"
        intact = victim.read_bytes()
        world.lab.kill_control()
        broken = bytearray(intact)
        broken[random.randrange(len(broken))] ^= 0x40
        victim.write_bytes(broken)
        log = world.lab.log.stat().st_size
        try:
            world.lab.start_control(**world.environment)
            time.sleep(1)
            world.probes.pass_again(RECOVERY, "with a damaged commit file")
            told = world.lab.log.read_text(errors="replace")[log:]
            done = world.lab.ravelin(f"show {current}", check=False)
            assert victim.name in told or victim.name in done.stderr + done.stdout, \
                f"nobody names {victim.name}: {told}{done.stderr}"
        finally:
            victim.write_bytes(intact)
            if world.lab.control.poll() is None:
                world.lab.kill_control()
            world.lab.start_control(**world.environment)
            world.lab.wait_ready(RECOVERY)


def corrupt_journal(world):
    """A flipped bit in the journal: the control plane refuses to guess, the data plane goes on."""
    with world.changes.paused():
        journal = world.lab.state_dir / "journal"
        world.lab.kill_control()
        intact = journal.read_bytes()
        broken = bytearray(intact)
        broken[random.randrange(len(broken) // 2)] ^= 0x10
        journal.write_bytes(broken)
        log = world.lab.log.stat().st_size
        try:
            world.lab.start_control(**world.environment)
            wait_until(lambda: "journal" in world.lab.log.read_text(errors="replace")[log:], 5, "the log names the journal")
            world.probes.pass_again(RECOVERY, "with a damaged journal")
        finally:
            if world.lab.control.poll() is None:
                world.lab.kill_control()
            journal.write_bytes(intact)
            world.lab.start_control(**world.environment)
            world.lab.wait_ready(RECOVERY)


def clock_step(world):
    """The wall clock jumps while a change awaits confirmation: its deadline does not move."""
    with world.changes.paused():
        for seconds in (random.choice([3600, 86400 * 400]), -random.choice([3600, 86400 * 400])):
            before = world.lab.cli("status")["generation"]
            done = world.changes.attempt("--confirm 3s", final=False)
            assert done.returncode == 0, done.stderr
            start = time.monotonic()
            world.step_clock(seconds)
            try:
                time.sleep(1)
                assert world.lab.cli("status")["dataplane"]["generation"] != before, \
                    f"rolled back by a step of {seconds} s"
                wait_until(lambda: world.lab.cli("status")["dataplane"]["generation"] == before, 6, "the roll back")
                assert 2 < time.monotonic() - start < 7
            finally:
                world.step_clock(0)
            world.changes.check()


def link_flap(world):
    """A link goes away and comes back, a few times, at either end."""
    for _ in range(random.randint(1, 4)):
        space, device = random.choice([(world.lab.box, "rv-lan"), (world.lab.box, "rv-dmz"),
                                       (world.lab.server, "eth0")])
        space.run(f"ip link set {device} down")
        time.sleep(random.uniform(0, 0.3))
        space.run(f"ip link set {device} up")
    world.step("give the hosts their addresses back")
    for host in (world.lab.client, world.lab.server):  # the kernel forgets IPv6 addresses and routes
        host.come_back()


def remount(directory, megabytes: int):
    """A small file system in memory for the state directory."""
    directory.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", directory], check=True)


ALL = {f.__name__.replace("_", "-"): f for f in (kill_dataplane, kill_control, kill_both, disk_full, cut_socket,
                                                 corrupt_commit, corrupt_journal, clock_step, link_flap)}


def inject(world, name: str):
    with world.timeline.fault(name):
        ALL[name](world)
        _recovered(world)
