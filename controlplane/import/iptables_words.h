// SPDX-License-Identifier: Apache-2.0
// Words and numbers of iptables-save.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ravelin::import {

std::vector<std::string> split(const std::string& text, char at);
std::string lower(std::string text);
/// Decimal or 0x hexadecimal, at most `most`.
std::optional<uint64_t> number_of(const std::string& text, uint64_t most);
std::optional<uint8_t> protocol_number(const std::string& name);
/// A number, or one of the few services that rules name.
std::optional<uint64_t> port_number(const std::string& text);

struct IcmpType {
    uint8_t type = 0;
    bool has_code = false;
};
/// "8", "3/4", "echo-request", "fragmentation-needed".
std::optional<IcmpType> icmp_type(const std::string& text, bool v6);

}  // namespace ravelin::import
