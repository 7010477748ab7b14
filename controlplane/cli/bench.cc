// SPDX-License-Identifier: Apache-2.0
// bench: what a policy will carry on this machine. ravelin-perf measures, beside the command or in
// the PATH; this only finds it.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "controlplane/cli/command.h"

namespace ravelin::cli {
namespace {

struct Wanted {
    std::string config;
    unsigned runs = 3;
};

// In a build directory it stands in perf/.
std::string program() {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const fs::path here = fs::read_symlink("/proc/self/exe", ignored).parent_path();
    for (const fs::path& path : {here / "ravelin-perf", here / "../../perf/ravelin-perf"})
        if (access(path.c_str(), X_OK) == 0) return path;
    return "ravelin-perf";
}

ExitCode bench(const Context& context, const Wanted& wanted) {
    const std::string path = program(), runs = std::to_string(wanted.runs);
    const char* arguments[] = {path.c_str(),
                               "own",
                               "--config",
                               wanted.config.c_str(),
                               "--runs",
                               runs.c_str(),
                               context.json ? "--json" : nullptr,
                               nullptr};
    execvp(path.c_str(), const_cast<char**>(arguments));
    throw Failure(kFailed, fmt::format("{}: {}; the bench is built with the project", path,
                                       std::strerror(errno)));
}

}  // namespace

void add_bench_command(CLI::App& root, Context& context) {
    const auto wanted = std::make_shared<Wanted>();
    CLI::App& command = add_command(
        root, "bench", "Measure what a policy carries on this machine, on one core, without a NIC",
        "ravelin bench --config edge.yaml", context,
        [&context, wanted] { return bench(context, *wanted); });
    command.add_option("--config", wanted->config, "The policy")->required()->type_name("FILE");
    command.add_option("--runs", wanted->runs, "How often")->check(CLI::Range(1, 1000));
}

}  // namespace ravelin::cli
