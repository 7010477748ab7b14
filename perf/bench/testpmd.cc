// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/testpmd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <rte_eal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "perf/bench/box.h"
#include "perf/bench/rig.h"

namespace ravelin::perf {
namespace {

constexpr const char* kProgram = "/usr/bin/dpdk-testpmd";
constexpr std::chrono::seconds kPatience{30};

std::vector<std::string> command() {
    const std::string plugin =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "librte_net_replay.so";
    const int cpu = measuring_cpu();
    std::vector<std::string> words{kProgram,
                                   "-d",
                                   plugin,
                                   "--vdev=net_replay",
                                   "--no-pci",
                                   "--no-telemetry",
                                   "--force-max-simd-bitwidth=512",
                                   fmt::format("--lcores=0@{},1@{}", cpu, cpu),
                                   "--log-level=error"};
    // The memory that we have ourselves.
    if (rte_eal_has_hugepages() != 0)
        words.emplace_back("--in-memory");
    else
        words.insert(words.end(), {"--no-huge", "--no-shconf", "-m", "192"});
    words.insert(words.end(), {"--", "--forward-mode=io", "--auto-start", "--burst=64",
                               "--nb-cores=1", "--total-num-mbufs=4096", "--no-flush-rx"});
    return words;
}

// A child whose standard input is ours to write: testpmd ends at the first line.
class Child {
  public:
    Child(std::vector<std::string> words, const std::string& tape, const std::string& log) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) give_up("no pipe");
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
        posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                         0600);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        std::vector<char*> arguments;
        for (std::string& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        std::string variable = "RAVELIN_TAPE=" + tape, path = "PATH=/usr/bin:/bin";
        char* environment[] = {variable.data(), path.data(), nullptr};
        if (posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environment) != 0)
            give_up(fmt::format("{} does not start", arguments[0]));
        posix_spawn_file_actions_destroy(&actions);
        close(ends[0]);
        input_ = ends[1];
    }
    [[nodiscard]] bool running() {
        return pid_ != 0 && (waitpid(pid_, &status_, WNOHANG) == 0 || (pid_ = 0));
    }
    void finish() {
        [[maybe_unused]] const ssize_t n = write(input_, "\n", 1);
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (running() && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        if (running()) kill(pid_, SIGKILL), waitpid(pid_, &status_, 0);
        close(input_);
    }

  private:
    pid_t pid_ = 0;
    int input_ = -1, status_ = 0;
};

std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

bool run_testpmd(Tape& tape, double seconds) {
    if (access(kProgram, X_OK) != 0) return false;
    const std::string log = tape.path() + ".log";
    volatile uint32_t& windows = tape.head().seen[0].windows;
    using Clock = std::chrono::steady_clock;
    const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(10)); };
    Child child(command(), tape.path(), log);
    const auto patience = Clock::now() + kPatience;
    while (child.running() && windows == 0 && Clock::now() < patience) pause();
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (child.running() && Clock::now() < end) pause();
    const bool alive = child.running();
    child.finish();
    const std::string said = contents(log);
    std::filesystem::remove(log);
    if (!alive || windows == 0) give_up("testpmd does not forward:\n" + said);
    return true;
}

}  // namespace ravelin::perf
