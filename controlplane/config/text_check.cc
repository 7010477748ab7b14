// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/text_check.h"

#include <fmt/format.h>

#include <cstdint>

namespace ravelin::config {
namespace {

/// Bytes of the UTF-8 character at the front (Unicode table 3-7); 0 where there is none.
size_t utf8_length(std::string_view text) {
    const auto byte = [&](size_t i) {
        return i < text.size() ? static_cast<uint8_t>(text[i]) : 0u;
    };
    const auto tail = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
    const unsigned lead = byte(0), second = byte(1);
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        const bool overlong = lead == 0xe0 && second < 0xa0,
                   surrogate = lead == 0xed && second > 0x9f;
        return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        const bool overlong = lead == 0xf0 && second < 0x90, beyond = lead == 0xf4 && second > 0x8f;
        return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
    }
    return 0;
}

bool is_control(char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte == 0x7f || (byte < 0x20 && c != '\t' && c != '\n' && c != '\r');
}

Error error_at(std::string_view text, size_t at, const std::string& file, std::string_view what) {
    size_t line = 1, start = 0;
    for (size_t i = 0; i < at; ++i)
        if (text[i] == '\n') ++line, start = i + 1;
    return Error{fmt::format("{}:{}:{}: {}", file, line, at - start + 1, what)};
}

}  // namespace

Status check_text(std::string_view text, const std::string& file_name, size_t limit) {
    if (text.size() > limit)
        return Error{fmt::format("{}:1:1: is larger than {} MiB", file_name, limit >> 20)};
    for (size_t at = 0; at < text.size();) {
        const size_t length = utf8_length(text.substr(at));
        if (length == 0) return error_at(text, at, file_name, "is not UTF-8 text");
        if (length == 1 && is_control(text[at]))
            return error_at(text, at, file_name,
                            fmt::format("holds the control character 0x{:02x}",
                                        static_cast<unsigned>(text[at])));
        at += length;
    }
    return ok_status();
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace ravelin::config
