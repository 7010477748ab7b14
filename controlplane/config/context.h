// SPDX-License-Identifier: Apache-2.0
// What every reader of one document shares: where it stands, how it words an error.
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "controlplane/config/positions.h"
#include "controlplane/config/raw.h"
#include "dataplane/result.h"

namespace ravelin::config {

struct Context {
    std::string file;         ///< as named to the user; paths in {file: ...} are relative to it
    std::string path;         ///< of the element being read, "ports[1].mtu"
    bool in_default = false;  ///< reading a Field.fallback: no positions
    Positions positions;
    std::vector<std::string> warnings;

    /// "edge.yaml:12:7: ports[1].mtu: what"
    [[nodiscard]] Error error(const Raw& at, std::string_view what) const {
        return Error{fmt::format("{}:{}:{}: {}{}{}", file, at.line, at.column, path,
                                 path.empty() ? "" : ": ", what)};
    }
    /// "...: found X, expected Y"
    [[nodiscard]] Error unexpected(const Raw& at, std::string_view expected) const {
        return error(at, fmt::format("found {}, expected {}", at.describe(), expected));
    }
    void record(const Raw& at) {
        if (!in_default) positions.record(path, {at.line, at.column});
    }
};

/// Extends the context's path while it lives.
class Step {
  public:
    Step(Context& context, std::string_view name) : path_(context.path), size_(path_.size()) {
        if (!path_.empty()) path_ += '.';
        path_ += name;
    }
    Step(Context& context, size_t index) : path_(context.path), size_(path_.size()) {
        fmt::format_to(std::back_inserter(path_), "[{}]", index);
    }
    ~Step() { path_.resize(size_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

  private:
    std::string& path_;
    size_t size_;
};

}  // namespace ravelin::config
