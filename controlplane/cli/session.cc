// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace ravelin::cli {
namespace {

constexpr std::string_view kName = "SSH_CONNECTION=";
constexpr int kMostAncestors = 32;

std::string from_environment_of(pid_t pid) {
    std::ifstream in(fmt::format("/proc/{}/environ", pid), std::ios::binary);
    for (std::string entry; std::getline(in, entry, '\0');)
        if (entry.starts_with(kName)) return entry.substr(kName.size());
    return {};
}

/// 0: there is none, or nobody says.
pid_t parent_of(pid_t pid) {
    std::ifstream in(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("PPid:")) return std::atoi(line.c_str() + 5);
    return 0;
}

}  // namespace

std::string ssh_session() {
    if (const char* own = std::getenv("SSH_CONNECTION")) return own;
    pid_t pid = getppid();
    for (int i = 0; i < kMostAncestors && pid > 1; ++i, pid = parent_of(pid))
        if (std::string found = from_environment_of(pid); !found.empty()) return found;
    return {};
}

}  // namespace ravelin::cli
