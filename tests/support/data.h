// SPDX-License-Identifier: Apache-2.0
// Where tests find the shared data sets, and how they read them (plain or gzip).
#pragma once
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ravelin::test {

/// Path of a data file, or nothing if this machine does not have it (then skip the test). The
/// folder is $RAVELIN_DATA, else ../shared/data beside the source tree.
inline std::optional<std::string> data_path(std::string_view relative) {
    namespace fs = std::filesystem;
    const char* folder = std::getenv("RAVELIN_DATA");
    const fs::path root =
        folder != nullptr ? fs::path(folder) : fs::path(RAVELIN_SOURCE_ROOT) / "../shared/data";
    const fs::path path = root / relative;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return std::nullopt;
    return path.lexically_normal().string();
}

/// Lines of a text file, gzip or plain, without their ends and the blanks before those.
inline std::vector<std::string> read_lines(const std::string& path) {
    std::vector<std::string> lines;
    FILE* pipe = popen(("zcat -f '" + path + "'").c_str(), "r");
    if (pipe == nullptr) return lines;
    char* line = nullptr;
    size_t room = 0;
    for (ssize_t n; (n = getline(&line, &room, pipe)) > 0;) {
        while (n > 0 && std::strchr(" \r\n", line[n - 1]) != nullptr) --n;
        lines.emplace_back(line, static_cast<size_t>(n));
    }
    std::free(line);
    pclose(pipe);
    return lines;
}

}  // namespace ravelin::test
