// SPDX-License-Identifier: Apache-2.0
// calibrate: what the CPUs of the workers and the links of the ports can do.
#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "controlplane/cli/bare_loop.h"
#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

// Beside a worker that takes more of its CPU than this, the loop tells nothing.
constexpr double kMostBusy = 0.2;
constexpr int kProcessorField = 36;  // of /proc/PID/stat, counted behind the name
constexpr int kUserTimeField = 11;   // so too; the next is the system's

struct Options {
    double seconds = 2;
    std::vector<int> cpus;
    bool dry_run = false, show = false;
};

struct Worker {
    int cpu = 0;
    std::string stat;  ///< path; empty: no worker runs there
};

std::string line_of(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// A field of /proc/PID/stat behind the name, which may hold anything.
double stat_field(const std::string& path, int number) {
    const std::string line = line_of(path);
    std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 1)));
    std::string field;
    for (int i = 0; i <= number && fields >> field; ++i) {
    }
    return field.empty() ? 0 : std::atof(field.c_str());
}

/// Seconds of processor time that the worker used so far.
double used_by(const Worker& worker) {
    if (worker.stat.empty()) return 0;
    const double ticks =
        stat_field(worker.stat, kUserTimeField) + stat_field(worker.stat, kUserTimeField + 1);
    return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Threads of the data plane called "worker", in the order they were made.
std::vector<Worker> workers_of(uint64_t pid) {
    std::map<uint64_t, Worker> found;
    std::error_code gone;
    for (const auto& task :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), gone)) {
        if (line_of(task.path() / "comm") != "worker") continue;
        const std::string stat = task.path() / "stat";
        found[std::strtoull(task.path().filename().c_str(), nullptr, 10)] = {
            .cpu = static_cast<int>(stat_field(stat, kProcessorField)), .stat = stat};
    }
    std::vector<Worker> out;
    for (auto& [id, worker] : found) out.push_back(std::move(worker));
    return out;
}

std::vector<Worker> allowed_cpus() {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    std::vector<Worker> out;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(static_cast<size_t>(cpu), &set)) out.push_back({.cpu = cpu, .stat = {}});
    return out;
}

std::vector<Worker> asked_for(const Options& options, const Json& status) {
    std::vector<Worker> out;
    for (const int cpu : options.cpus) out.push_back({.cpu = cpu, .stat = {}});
    if (!out.empty()) return out;
    if (status["dataplane"].is_object()) out = workers_of(number(status["dataplane"], "pid"));
    return out.empty() ? allowed_cpus() : out;
}

Json measure(const Worker& worker, size_t index, double seconds) {
    const double before = used_by(worker);
    const auto loop = run_bare_loop(worker.cpu, seconds);
    if (!loop) throw Failure(kFailed, loop.error().message);
    return {{"worker", index},
            {"cpu", worker.cpu},
            {"seconds", loop->seconds},
            {"tsc_hz", loop->tsc_hz},
            {"core_hz", loop->core_hz},
            {"share", loop->share},
            {"cycles_per_second", loop->cycles_per_second()},
            {"gaps_10us", loop->gaps_10us},
            {"gaps_100us", loop->gaps_100us},
            {"gaps_1ms", loop->gaps_1ms},
            {"longest_gap_us", loop->longest_us},
            {"worker_busy", (used_by(worker) - before) / loop->seconds}};
}

/// Interface of a device that the kernel has; empty: the data plane's driver has it.
std::string interface_of(const std::string& device) {
    for (const std::string_view kind : {"af_packet:", "af_xdp:"})
        if (device.starts_with(kind)) {
            const std::string name = device.substr(kind.size());
            return name.substr(0, name.find(','));
        }
    return {};
}

/// Mbit/s; 0: nobody knows. What is no hardware says any number.
uint64_t speed_of(const Json& port) {
    const std::string device = text(port, "device"), interface = interface_of(device);
    if (interface.empty())
        return std::count(device.begin(), device.end(), ':') == 2
                   ? number(port, "link_mbps")  // a PCI address
                   : 0;
    const std::string about = "/sys/class/net/" + interface;
    if (!std::filesystem::exists(about + "/device")) return 0;
    const std::string speed = line_of(about + "/speed");
    return speed.starts_with('-') ? 0 : std::strtoull(speed.c_str(), nullptr, 10);
}

Json links_of(const Json& status) {
    Json out = Json::array();
    for (const Json& port : list(status, "ports"))
        if (const uint64_t mbit = speed_of(port); mbit != 0)
            out.push_back(
                {{"port", text(port, "name")},
                 {"bits_per_second", mbit * 1'000'000},
                 {"from", interface_of(text(port, "device")).empty() ? "driver" : "kernel"}});
    return out;
}

Json take(const Options& options, const Json& status) {
    utsname system{};
    uname(&system);
    Json out{{"unix_ms", unix_ms()},
             {"machine", fmt::format("{} {} {}", system.nodename, system.release, system.machine)},
             {"workers", Json::array()},
             {"ports", links_of(status)}};
    const auto workers = asked_for(options, status);
    for (size_t i = 0; i < workers.size(); ++i)
        out["workers"].push_back(measure(workers[i], i, options.seconds));
    return out;
}

void print(const Context& context, const Json& measured) {
    Table workers({{"WORKER"},
                   {"CPU", Align::kRight},
                   {"CORE", Align::kRight},
                   {"TSC", Align::kRight},
                   {"SHARE", Align::kRight},
                   {"CYCLES/s", Align::kRight},
                   {"GAPS >10us", Align::kRight},
                   {">100us", Align::kRight},
                   {">1ms", Align::kRight},
                   {"LONGEST", Align::kRight}});
    for (const Json& w : list(measured, "workers"))
        workers.add({std::to_string(number(w, "worker")), std::to_string(number(w, "cpu")),
                     scaled(w.value("core_hz", 0.0), "Hz"), scaled(w.value("tsc_hz", 0.0), "Hz"),
                     fmt::format("{:.2f} %", 100 * w.value("share", 0.0)),
                     scaled(static_cast<double>(number(w, "cycles_per_second"))),
                     grouped(number(w, "gaps_10us")), grouped(number(w, "gaps_100us")),
                     grouped(number(w, "gaps_1ms")),
                     fmt::format("{:.0f} us", w.value("longest_gap_us", 0.0))});
    context.print(workers);
    Table ports({{"PORT"}, {"LINK", Align::kRight}, {"SAYS"}});
    for (const Json& p : list(measured, "ports"))
        ports.add({text(p, "port"),
                   scaled(static_cast<double>(number(p, "bits_per_second")), "bit/s"),
                   "the " + text(p, "from")});
    if (!ports.empty()) context.print("\n" + ports.text(context.colour));
}

/// Empty: all of it can be counted on.
std::string disturbed(const Json& measured) {
    for (const Json& w : list(measured, "workers"))
        if (w.value("worker_busy", 0.0) > kMostBusy)
            return fmt::format(
                "worker {} used {:.0f} % of CPU {} meanwhile, so the loop got what was left; "
                "nothing is kept. Calibrate while it sleeps (poll: adaptive, little traffic) or "
                "does not run yet",
                number(w, "worker"), 100 * w.value("worker_busy", 0.0), number(w, "cpu"));
    return {};
}

ExitCode calibrate(const Context& context, const Options& options) {
    Client client = context.connect();
    if (options.show) {
        const Json kept = client.call("calibration");
        if (context.printed_json(kept)) return kOk;
        if (!kept["calibration"].is_object())
            throw Failure(kFailed, "the machine was not calibrated yet");
        print(context, kept["calibration"]);
        context.print(fmt::format("\nmeasured {} on {}\n",
                                  local_time(number(kept["calibration"], "unix_ms")),
                                  text(kept["calibration"], "machine")));
        return kOk;
    }
    Json measured = take(options, client.call("status"));
    const std::string why = disturbed(measured);
    const bool keep = why.empty() && !options.dry_run;
    if (keep) client.call("calibrated", {{"calibration", measured}});
    measured["kept"] = keep;
    measured["warnings"] = Json::array();
    if (!why.empty()) measured["warnings"].push_back(why);
    if (context.json)
        context.print_json(measured);
    else
        print(context, measured);
    for (const Json& warning : measured["warnings"])
        fmt::print(stderr, "ravelin: {}\n", warning.get<std::string>());
    return why.empty() ? kOk : kFailed;
}

}  // namespace

void add_calibrate_command(CLI::App& root, Context& context) {
    auto options = std::make_shared<Options>();
    CLI::App& command =
        add_command(root, "calibrate",
                    "Measure what the workers' CPUs can do and ask what the ports' links carry",
                    "ravelin calibrate\nravelin calibrate --cpus 2,3 --seconds 10 --dry-run",
                    context, [&context, options] { return calibrate(context, *options); });
    command.add_option("--seconds", options->seconds, "How long on each CPU")
        ->check(CLI::Range(0.1, 600.0))
        ->capture_default_str();
    command.add_option("--cpus", options->cpus, "Others than those of the workers")
        ->delimiter(',')
        ->type_name("CPU");
    command.add_flag("--dry-run", options->dry_run, "Keep nothing");
    command.add_flag("--show", options->show, "What was kept last, and when");
}

}  // namespace ravelin::cli
