// SPDX-License-Identifier: Apache-2.0
// Aligned columns of text. Widths count characters, not bytes; what the terminal would act on is
// shown, not obeyed.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace ravelin::cli {

enum class Align { kLeft, kRight };

struct Column {
    std::string title;
    Align align = Align::kLeft;
};

class Table {
  public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    /// Missing cells stay empty; more than there are columns are an error of the caller.
    void add(std::vector<std::string> cells);
    [[nodiscard]] bool empty() const { return rows_.empty(); }
    /// The titles and the rows, each line ended; titles bold where `colour`. Only the titles where
    /// there are no rows.
    [[nodiscard]] std::string text(bool colour = false) const;

  private:
    [[nodiscard]] std::string line(const std::vector<std::string>& cells,
                                   const std::vector<size_t>& widths) const;
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// Characters of UTF-8 text.
size_t characters(std::string_view text);
/// The first `most` characters; "…" takes the last one's place where some were cut.
std::string clipped(std::string_view text, size_t most);
/// Control characters as \xNN: text from elsewhere must not steer a terminal.
std::string printable(std::string_view text);

}  // namespace ravelin::cli
