# SPDX-License-Identifier: Apache-2.0
"""Lab: hosts in network namespaces around one Ravelin, for system tests and scripts/run.

    with Lab() as lab:
        client = lab.host("client", "lan", ["10.0.1.2/24", "fd00:1::2/64"],
                          ["default via 10.0.1.1", "default via fd00:1::1"])
        lab.start(yaml)                       # both processes; returns when the policy is in force
        client.run("ping -c1 10.0.2.2")
        lab.cli("status")                     # -> what `ravelin status --json` prints

Every host has one link, eth0, to port `rv-<port>` of the appliance, which has a namespace of its own.
Nothing exists outside namespaces that the lab made; their names hold the pid. Leaving the `with`
block, also by an exception, ends every process started in them and removes them.
"""
import contextlib
import itertools
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("RAVELIN_BUILD", ROOT / "build"))
BINARIES = {"ravelin-perf": "perf", "ravelin-controlplane": "controlplane", "ravelin-dataplane": "dataplane/process",
            "ravelin-dataplane-avx2": "dataplane/process",
            "ravelin": "controlplane/cli"}
# A veth peer that computes no checksums would let TCP hang: the sender must do it all itself.
OFFLOADS = "rx off tx off sg off tso off gso off gro off"
_serial = itertools.count()
_iperf_ports = itertools.count(5201)


class LabError(RuntimeError):
    """Something the lab needs went wrong; says what, with the output."""


def missing() -> str:
    """Why no lab can be made here, or an empty string."""
    if os.geteuid() != 0:
        return "needs root"
    name = f"rvprobe{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode:
        return "cannot make network namespaces"
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return ""


def binary(name: str) -> pathlib.Path:
    for folder in (BINARIES[name], ".", "dataplane", "controlplane"):
        if (BUILD / folder / name).is_file():
            return BUILD / folder / name
    raise LabError(f"{name} is not built in {BUILD}; run scripts/build")


def wait_until(condition, seconds: float, what: str, pause: float = 0.05):
    """The first true value of condition(); an error naming `what` if there is none in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


class Namespace:
    """A network namespace and the processes started in it."""

    def __init__(self, name: str):
        self.name = name
        self.processes = []
        self._sh(f"ip netns add {name}")
        self.run("ip link set lo up")

    @staticmethod
    def _sh(command: str):
        done = subprocess.run(shlex.split(command), capture_output=True, text=True)
        if done.returncode:
            raise LabError(f"{command}: {done.stderr.strip()}")

    def argv(self, command) -> list:
        words = shlex.split(command) if isinstance(command, str) else list(map(str, command))
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, command, check: bool = True, timeout: float = 60, **options):
        """Runs to the end; result has stdout, stderr and returncode."""
        done = subprocess.run(self.argv(command), capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, **options)
        if check and done.returncode:
            raise LabError(f"{self.name}: {command}: exit {done.returncode}\n"
                           f"{done.stdout}{done.stderr}")
        return done

    def popen(self, command, **options) -> subprocess.Popen:
        """Starts in the background; ends with the lab at the latest."""
        defaults = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                    "stdin": subprocess.DEVNULL}
        process = subprocess.Popen(self.argv(command), **{**defaults, **options})
        self.processes.append(process)
        return process

    def sysctl(self, **values):
        for key, value in values.items():
            self.run(["sysctl", "-qw", f"{key.replace('__', '.')}={value}"])

    def close(self):
        """Ends what runs inside, then the namespace."""
        pids = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True)
        for pid in map(int, pids.stdout.split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


class Host(Namespace):
    """One machine on one port of the appliance."""

    def __init__(self, name: str, addresses: list, routes: list):
        super().__init__(name)
        self.addresses = [a.split("/")[0] for a in addresses]
        self._wanted = addresses, routes

    def come_up(self, mtu: int):
        addresses, routes = self._wanted
        self.run(f"ethtool -K eth0 {OFFLOADS}", check=False)
        self.sysctl(net__ipv6__conf__eth0__accept_ra=0, net__ipv6__conf__eth0__accept_dad=0,
                    net__ipv6__conf__eth0__router_solicitations=0)
        self.run(f"ip link set eth0 mtu {mtu} up")
        for address in addresses:
            self.run(f"ip addr add {address} dev eth0" + (" nodad" if ":" in address else ""))
        for route in routes:
            self.run(f"ip {'-6' if ':' in route else '-4'} route add {route}")

    @property
    def v4(self) -> str:
        return next(a for a in self.addresses if ":" not in a)

    @property
    def v6(self) -> str:
        return next(a for a in self.addresses if ":" in a)

    @property
    def mac(self) -> str:
        return self.run("cat /sys/class/net/eth0/address").stdout.strip()

    def ping(self, target: str, count: int = 1, options: str = "", check: bool = True):
        return self.run(f"ping -n -c {count} -i 0.05 -W 2 {options} {target}", check=check)

    def serve(self, *commands: str, port: int = 0, udp: bool = False):
        """Starts servers; with `port`, waits until something listens there."""
        started = [self.popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for c in commands]
        if port:
            wait_until(lambda: self.run(f"ss -Hln{'u' if udp else 't'} sport = :{port}").stdout, 10,
                       f"{self.name}: {commands} listens on {port}")
        return started

    def web(self, port: int, folder="."):
        """Serves the files of a folder over HTTP."""
        script = pathlib.Path(__file__).with_name("web.py")
        return self.serve(f"/usr/bin/python3 {script} {port} {folder}", port=port)


def iperf3(client: Host, server: Host, target: str, options: str = "") -> subprocess.Popen:
    """Starts one transfer against a server of its own; JSON on stdout."""
    port = next(_iperf_ports)
    server.serve(f"iperf3 -s -1 -p {port}", port=port)
    process = client.popen(f"iperf3 -J -p {port} -c {target} --connect-timeout 5000 {options}")
    process.port = port
    return process


def iperf3_result(process: subprocess.Popen, timeout: float = 60) -> dict:
    """Its `end`; an error if it did not get there."""
    output, errors = process.communicate(timeout=timeout)
    result = json.loads(output) if output.startswith("{") else {}
    if "error" in result or not result.get("end"):
        raise LabError(f"iperf3: {result.get('error', output + errors)}")
    return result["end"]


class Lab:
    """Hosts, links and one appliance."""

    def __init__(self, build: pathlib.Path = None):
        if build:
            globals()["BUILD"] = pathlib.Path(build)
        self.tag = f"rv{os.getpid()}n{next(_serial)}"
        self.hosts = {}
        self.control = None
        self.options = ["--readable", ROOT.parent / "shared"]  # of the control plane
        self.dataplane = "ravelin-dataplane"
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"ravelin-{self.tag}-"))
        self.run_dir, self.state_dir = self.directory / "run", self.directory / "state"
        self.run_dir.mkdir()
        self.config, self.log = self.directory / "config.yaml", self.directory / "ravelin.log"
        self.box = None
        try:
            self.box = Namespace(f"{self.tag}-box")
            # The kernel must not speak for the appliance.
            self.box.sysctl(net__ipv6__conf__all__disable_ipv6=1,
                            net__ipv6__conf__default__disable_ipv6=1)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def host(self, name: str, port: str, addresses=(), routes=(), mtu: int = 1500) -> Host:
        """A machine behind a veth pair, whose other end is the appliance's device rv-<port>."""
        host = Host(f"{self.tag}-{name}", list(addresses), list(routes))
        self.hosts[name] = host
        Namespace._sh(f"ip link add rv-{port} netns {self.box.name} type veth "
                      f"peer name eth0 netns {host.name}")
        self.box.run(f"ethtool -K rv-{port} {OFFLOADS}", check=False)
        self.box.run(f"ip link set rv-{port} mtu {mtu} up")
        host.come_up(mtu)
        return host

    def behind(self, router: Host, name: str, addresses: list, router_addresses: list, mtu: int) -> Host:
        """A machine whose only way is by `router`, which forwards to it; `mtu` of the link between them."""
        host = Host(f"{self.tag}-{name}", addresses, [f"default via {a.split('/')[0]}" for a in router_addresses])
        self.hosts[name] = host
        Namespace._sh(f"ip link add {name} netns {router.name} type veth peer name eth0 netns {host.name}")
        router.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        router.run(f"ip link set {name} mtu {mtu} up")
        for address in router_addresses:
            router.run(f"ip addr add {address} dev {name}" + (" nodad" if ":" in address else ""))
        host.come_up(mtu)
        return host

    def write(self, yaml: str) -> pathlib.Path:
        self.config.write_text(yaml)
        return self.config

    def start(self, yaml: str = "", seconds: float = 20, **environment):
        """Both processes; with `yaml` it becomes the configuration file first."""
        if yaml:
            self.write(yaml)
        self.start_control(**environment)
        self.wait_ready(seconds)

    def start_control(self, **environment):
        """The control plane alone, which finds a living data plane or starts one."""
        with self.log.open("a") as log:
            self.control = self.box.popen(
                [binary("ravelin-controlplane"), *self.options,
                 "--config", self.config, "--run-dir", self.run_dir, "--state-dir", self.state_dir, "--supervise",
                 "--dataplane", binary(self.dataplane)],
                stdout=log, stderr=log, env={**os.environ, **environment})

    def kill_control(self):
        self.control.kill()
        self.control.wait(5)

    def wait_ready(self, seconds: float = 20):
        """Until the data plane enforces a policy and every link is up."""
        def ready():
            if self.control.poll() is not None:
                raise LabError(f"the control plane ended with {self.control.returncode}:\n"
                               f"{self.log_tail()}")
            status = self.try_cli("status")
            in_force = status and (status["dataplane"] or {}).get("generation")
            return status if in_force and status["ready"] else None
        return wait_until(ready, seconds, f"a policy in force; log:\n{self.log_tail()}")

    def log_tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) \
            if self.log.exists() else ""

    def ravelin(self, arguments, check: bool = True, timeout: float = 60):
        """The operator's command, as typed."""
        words = shlex.split(arguments) if isinstance(arguments, str) else list(map(str, arguments))
        return self.box.run([binary("ravelin"), "--run-dir", self.run_dir, *words],
                            check=check, timeout=timeout)

    def cli(self, arguments, timeout: float = 60):
        """What the command prints with --json."""
        words = shlex.split(arguments) if isinstance(arguments, str) else list(map(str, arguments))
        return json.loads(self.ravelin([*words, "--json"], timeout=timeout).stdout)

    def try_cli(self, arguments):
        """As cli(), or None where the command fails."""
        done = self.ravelin(f"{arguments} --json", check=False)
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(done.stdout) if done.returncode == 0 else None
        return None

    def apply(self, yaml: str, options: str = "", check: bool = True):
        return self.ravelin(f"apply {self.write(yaml)} {options}", check=check)

    def recover(self):
        """Both processes run again, whatever the test before left."""
        if self.control.poll() is None and self.try_cli("status"):
            with contextlib.suppress(LabError):
                self.wait_ready(3)
                return
        for pid in (self.dataplane_pid(), self.control.pid if self.control.poll() is None else 0):
            if pid:
                os.kill(pid, signal.SIGKILL)
        self.control.wait(5)
        wait_until(lambda: not self.dataplane_pid(), 5, "the data plane is gone")
        self.start_control()
        self.wait_ready()

    def dataplane_pid(self) -> int:
        """Found by name among the processes of the appliance's own namespace; 0: none."""
        pids = subprocess.run(["ip", "netns", "pids", self.box.name], capture_output=True, text=True)
        for pid in pids.stdout.split():
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("ravelin-datapla"):
                    return int(pid)
        return 0

    def kill_dataplane(self) -> int:
        """SIGKILL; returns the pid it had."""
        pid = self.dataplane_pid()
        if not pid:
            raise LabError(f"no data plane to kill; log:\n{self.log_tail()}")
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self, seconds: float = 10):
        """Asks the control plane to end, and with it the data plane it supervises."""
        if self.control is None or self.control.poll() is not None:
            return
        self.control.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.control.wait(seconds)

    def close(self):
        """Idempotent; never fails half way."""
        with contextlib.suppress(Exception):
            self.stop()
        for host in [*self.hosts.values(), self.box]:
            if host is not None:
                with contextlib.suppress(Exception):
                    host.close()
        shutil.rmtree(self.directory, ignore_errors=True)
