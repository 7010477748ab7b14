// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/machine.h"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_version.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "perf/bench/report.h"

namespace ravelin::perf {
namespace {

constexpr double kProbeSeconds = 0.2, kFarNs = 90;
// The vectors that -march has.
#if defined(__AVX512BW__) && defined(__AVX512VL__)
constexpr const char* kBuiltFor = "avx512";
#elif defined(__AVX2__)
constexpr const char* kBuiltFor = "avx2";
#else
constexpr const char* kBuiltFor = "sse";
#endif
constexpr unsigned kRounds = 64;  // between two readings of the clock

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string cpuinfo(const std::string& field) {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(field)) return line.substr(line.find(':') + 2);
    return "";
}

nlohmann::json instruction_sets() {
    constexpr std::array kWanted{"sse4_2",   "avx2",      "avx512f",      "avx512vl",
                                 "avx512bw", "pclmulqdq", "constant_tsc", "nonstop_tsc"};
    nlohmann::json out = nlohmann::json::array();
    std::istringstream words(cpuinfo("flags"));
    for (std::string word; words >> word;)
        if (std::ranges::find(kWanted, word) != kWanted.end()) out.push_back(word);
    return out;
}

void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

std::vector<int> allowed_cpus(cpu_set_t& set) {
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    std::vector<int> out;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set)) out.push_back(cpu);
    return out;
}

struct alignas(128) Ball {
    std::atomic<uint64_t> value{0};
};

// Median over batches, so that a CPU taken away for a while does not count.
double one_way_ns(Ball& ball) {
    const double ghz = static_cast<double>(rte_get_tsc_hz()) / 1e9;
    const auto patience = static_cast<uint64_t>(kProbeSeconds * 1e9 * ghz);
    const uint64_t begin = rte_rdtsc();
    std::vector<double> batches;
    uint64_t turn = 0;
    while (rte_rdtsc() - begin < patience) {
        const uint64_t start = rte_rdtsc();
        for (unsigned i = 0; i < kRounds; ++i) {
            ball.value.store(++turn, std::memory_order_release);
            ++turn;
            while (ball.value.load(std::memory_order_acquire) != turn) {
            }
        }
        batches.push_back(static_cast<double>(rte_rdtsc() - start) / ghz / (2.0 * kRounds));
    }
    ball.value.store(UINT64_MAX, std::memory_order_release);
    return median_of(batches);
}

}  // namespace

nlohmann::json describe_machine() {
    utsname kernel{};
    uname(&kernel);
    const std::string pages = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
    const auto transparent = [](const char* file) {
        return first_line(std::string("/sys/kernel/mm/transparent_hugepage/") + file);
    };
    return {{"cpu", cpuinfo("model name")},
            {"cpus", std::thread::hardware_concurrency()},
            {"flags", instruction_sets()},
            {"tsc_mhz", static_cast<double>(rte_get_tsc_hz()) / 1e6},
            {"kernel", kernel.release},
            {"hugepages_2m", first_line(pages + "nr_hugepages")},
            {"hugepages_2m_free", first_line(pages + "free_hugepages")},
            {"transparent_hugepages", transparent("enabled")},
            {"transparent_hugepages_shmem", transparent("shmem_enabled")},
            {"loadavg", first_line("/proc/loadavg")}};
}

nlohmann::json describe_versions() {
    const char* commit = std::getenv("RAVELIN_COMMIT");
    return {{"commit", commit != nullptr ? commit : ""},
            {"dpdk", rte_version()},
            {"compiler", __VERSION__},
            {"built_for", kBuiltFor}};
}

nlohmann::json probe_distance() {
    cpu_set_t ours;
    const std::vector<int> cpus = allowed_cpus(ours);
    if (cpus.size() < 2) return {{"cpus", cpus.size()}};
    Ball ball;
    std::thread other([&] {
        pin(cpus[1]);
        for (;;) {
            const uint64_t value = ball.value.load(std::memory_order_acquire);
            if (value == UINT64_MAX) return;
            if (value % 2 == 1) ball.value.store(value + 1, std::memory_order_release);
        }
    });
    pin(cpus[0]);
    const double ns = one_way_ns(ball);
    other.join();
    sched_setaffinity(0, sizeof ours, &ours);
    return {{"one_way_ns", ns}, {"state", ns > kFarNs ? "far" : "near"}};
}

void forget_peak() { std::ofstream("/proc/self/clear_refs") << 5; }  // proc(5)

double peak_mib() {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
    return 0;
}

double resident_mib() {
    uint64_t pages = 0;
    if (FILE* f = std::fopen("/proc/self/statm", "re")) {
        if (std::fscanf(f, "%*u %lu", &pages) != 1) pages = 0;
        std::fclose(f);
    }
    return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

}  // namespace ravelin::perf
