// SPDX-License-Identifier: Apache-2.0
#include "tests/stages/expect.h"

#include <algorithm>

#include "dataplane/net/packet_spec.h"
#include "dataplane/net/packet_text.h"
#include "dataplane/net/packet_tokens.h"

namespace ravelin::test {
namespace {

// Nobody would notice these in what a test does not mention.
constexpr std::string_view kNeverSilent[] = {
    "vlan", "qinq", "frag", "mf", "bad-checksum", "bad-ip-checksum", "partial-checksum"};

bool is_flag(std::string_view word) {
    return std::ranges::any_of(net::kTcpFlagNames, [&](const auto& f) { return f.name == word; });
}

/// "ack,syn" -> "ack,syn" whatever the order it was written in; anything else as it is.
std::string sorted_flags(const std::string& word) {
    std::vector<std::string> flags;
    for (size_t at = 0; at <= word.size();) {
        const size_t comma = std::min(word.find(',', at), word.size());
        flags.push_back(word.substr(at, comma - at));
        if (!is_flag(flags.back())) return word;
        at = comma + 1;
    }
    std::ranges::sort(flags);
    std::string out;
    for (const std::string& f : flags) out += (out.empty() ? "" : ",") + f;
    return out;
}

/// Words that mean something alone: "a > b" and "who-has a" are one each; words of a quoted packet
/// carry a mark for each level.
std::vector<std::string> facts(std::string_view text) {
    const auto words = net::split_words(text);
    if (!words) return {words.error().message};
    std::vector<std::string> out;
    std::string level;
    for (size_t i = 0; i < words->size(); ++i) {
        const std::string& word = (*words)[i].text;
        const bool joins = word == "who-has" || word == "tell" || word == "is-at" || word == "to";
        if (word == "(") {
            level += "quoted ";
        } else if (word == ")") {
            level.resize(level.size() < 7 ? 0 : level.size() - 7);
        } else if (i + 2 < words->size() && (*words)[i + 1].text == ">") {
            out.push_back(level + word + " > " + (*words)[i + 2].text);
            i += 2;
        } else if (joins && i + 1 < words->size()) {
            out.push_back(level + word + " " + (*words)[++i].text);
        } else {
            out.push_back(level + sorted_flags(word));
        }
    }
    return out;
}

bool has(const std::vector<std::string>& facts, const std::string& fact) {
    return std::ranges::find(facts, fact) != facts.end();
}

}  // namespace

std::string mismatch(std::string_view expected, const Bytes& frame) {
    const std::string text = describe_frame(frame);
    const auto wanted = facts(expected), found = facts(text);
    for (const std::string& fact : wanted)
        if (!has(found, fact)) return "'" + fact + "' is not in: " + text;
    for (const std::string& fact : found) {
        const std::string_view key = std::string_view(fact).substr(0, fact.find('='));
        if (std::ranges::find(kNeverSilent, key) != std::end(kNeverSilent) && !has(wanted, fact))
            return "nobody expected '" + fact + "' in: " + text;
    }
    return {};
}

}  // namespace ravelin::test
