// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/positions.h"

#include <fmt/format.h>

namespace ravelin::config {

std::string Positions::at(std::string_view path) const {
    for (;;) {
        const auto found = by_path_.find(path);
        if (found != by_path_.end())
            return fmt::format("{}:{}:{}", file_, found->second.line, found->second.column);
        if (path.empty()) return fmt::format("{}:1:1", file_);
        const size_t cut = path.find_last_of(".[");
        path = path.substr(0, cut == std::string_view::npos ? 0 : cut);
    }
}

}  // namespace ravelin::config
