// SPDX-License-Identifier: Apache-2.0
// Where each element of a loaded configuration stands in its file, for checks made after loading.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ravelin::config {

/// Element path -> line and column. Paths read "ports[1].mtu"; an entry of a stage list is named
/// by its stage: "pipeline.firewall.rules[12]". The empty path is the document.
class Positions {
  public:
    struct Position {
        uint32_t line = 1, column = 1;
    };

    Positions() = default;
    explicit Positions(std::string file) : file_(std::move(file)) {}
    void record(const std::string& path, Position position) { by_path_[path] = position; }

    /// "edge.yaml:12:7". An element that is not in the file (a default) gets the position of the
    /// nearest element around it that is.
    [[nodiscard]] std::string at(std::string_view path) const;

  private:
    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    std::string file_;
    std::unordered_map<std::string, Position, Hash, std::equal_to<>> by_path_;
};

}  // namespace ravelin::config
