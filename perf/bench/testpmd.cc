// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/testpmd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <rte_eal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
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
constexpr std::chrono::milliseconds kPause{2};
using Clock = std::chrono::steady_clock;

std::vector<std::string> command() {
    const std::string plugin =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "librte_net_replay.so";
    const int cpu = measuring_cpu();
    // The first three: it must not stand still for ever where we were killed.
    std::vector<std::string> words{"/usr/bin/setpriv",
                                   "--pdeathsig",
                                   "KILL",
                                   kProgram,
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

std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

// Its standard input is ours to write: testpmd ends at the first line.
class Testpmd::Child {
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
    ~Child() {
        [[maybe_unused]] const ssize_t n = write(input_, "\n", 1);
        go();
        const auto end = Clock::now() + kPatience;
        while (running() && Clock::now() < end) std::this_thread::sleep_for(kPause);
        if (running()) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
        close(input_);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    [[nodiscard]] bool running() {
        return pid_ != 0 && (waitpid(pid_, nullptr, WNOHANG) == 0 || (pid_ = 0));
    }
    void go() {
        if (pid_ != 0) kill(pid_, SIGCONT);
    }
    /// Returns once all its threads stand still. False: it died.
    [[nodiscard]] bool stop() {
        int status = 0;
        if (pid_ == 0 || kill(pid_, SIGSTOP) != 0) return false;
        if (waitpid(pid_, &status, WUNTRACED) == pid_ && WIFSTOPPED(status)) return true;
        pid_ = 0;
        return false;
    }

  private:
    pid_t pid_ = 0;
    int input_ = -1;
};

bool Testpmd::installed() { return access(kProgram, X_OK) == 0; }

Testpmd::Testpmd(Tape& tape)
    : tape_(tape),
      log_(tape.path() + ".log"),
      child_(std::make_unique<Child>(command(), tape.path(), log_)) {
    wait_for(1, 0);
    if (!child_->stop()) fail();
    seen_ = tape_.head().seen[0];
}

Testpmd::~Testpmd() {
    child_.reset();
    std::filesystem::remove(log_);
}

void Testpmd::play(double seconds, uint32_t windows) {
    TapeHead::Seen& seen = tape_.head().seen[0];
    // Its port goes on counting from what it knows.
    seen = seen_;
    seen.windows = 0;
    child_->go();
    wait_for(windows + 1, seconds);
    if (!child_->stop()) fail();
    seen_ = seen;
    const uint32_t n = std::min(seen.windows, TapeHead::kWindows);
    std::copy(seen.cycles.begin() + 1, seen.cycles.begin() + n, seen.cycles.begin());
    seen.windows = n - 1;
}

void Testpmd::wait_for(uint32_t windows, double seconds) {
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration<double>(seconds);
    volatile uint32_t& so_far = tape_.head().seen[0].windows;
    while (so_far < windows || Clock::now() < end) {
        if (!child_->running() || Clock::now() > begin + kPatience) fail();
        std::this_thread::sleep_for(kPause);
    }
}

void Testpmd::fail() {
    child_.reset();
    const std::string said = contents(log_);
    std::filesystem::remove(log_);
    give_up("testpmd does not forward:\n" + said);
}

}  // namespace ravelin::perf
