// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace ravelin::cli {
namespace {

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

}  // namespace

size_t characters(std::string_view text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string clipped(std::string_view text, size_t most) {
    if (characters(text) <= most) return std::string(text);
    if (most == 0) return {};
    size_t at = 0;
    for (size_t seen = 0; at < text.size(); ++at)
        if (!continues(text[at]) && ++seen == most) break;
    return std::string(text.substr(0, at)) + "…";
}

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
            out += fmt::format("\\x{:02x}", byte);
        else
            out += c;
    }
    return out;
}

void Table::add(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    for (std::string& cell : cells) cell = printable(cell);
    rows_.push_back(std::move(cells));
}

std::string Table::line(const std::vector<std::string>& cells,
                        const std::vector<size_t>& widths) const {
    std::string out;
    for (size_t i = 0; i < cells.size(); ++i) {
        const std::string gap(widths[i] - characters(cells[i]), ' ');
        if (i > 0) out += "  ";
        out += columns_[i].align == Align::kRight ? gap + cells[i] : cells[i] + gap;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
}

std::string Table::text(bool colour) const {
    std::vector<std::string> titles;
    std::vector<size_t> widths;
    for (const Column& column : columns_) {
        titles.push_back(column.title);
        widths.push_back(characters(column.title));
    }
    for (const auto& row : rows_)
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
    const std::string head = line(titles, widths);
    std::string out = colour ? "\x1b[1m" + head + "\x1b[0m\n" : head + "\n";
    for (const auto& row : rows_) out += line(row, widths) + "\n";
    return out;
}

}  // namespace ravelin::cli
