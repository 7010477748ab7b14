// SPDX-License-Identifier: Apache-2.0
// What a reader of the outcome has to know, each said once.
#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ravelin::import {

struct Remark {
    std::string file;
    int line = 0;
    std::string text;  ///< the source's
    std::string why;
    bool lost = false;  ///< the outcome does not say all the source says
};

struct Line;

/// Remarks on one file.
class Remarks {
  public:
    explicit Remarks(std::string file) : file_(std::move(file)) {}
    void on(const Line& line, const std::string& why, bool lost = true);
    /// On what no single line says, such as a policy.
    void on(const std::string& what, const std::string& why, bool lost = true);
    [[nodiscard]] const std::vector<Remark>& all() const { return all_; }

  private:
    void add(int line, const std::string& text, const std::string& why, bool lost);

    std::string file_;
    std::vector<Remark> all_;
    std::set<std::pair<std::string, std::string>> said_;  // place, why
};

}  // namespace ravelin::import
