// SPDX-License-Identifier: Apache-2.0
#include "tests/stages/sent.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <stdexcept>
#include <string>

#include "dataplane/net/packet_text.h"
#include "tests/stages/expect.h"

namespace ravelin::test {
namespace {

constexpr size_t kNone = SIZE_MAX;

/// Which frame each line gets, or kNone. Lines say only a part of a frame, so that the first frame
/// that fits may be the only one for another line: then that line's frame is looked for anew
/// (augmenting paths, as in any bipartite matching).
std::vector<size_t> match(const std::vector<std::string>& lines, const std::vector<Bytes>& frames) {
    std::vector<size_t> line_of(frames.size(), kNone), frame_of(lines.size(), kNone);
    std::vector<bool> seen;
    const std::function<bool(size_t)> place = [&](size_t line) {
        for (size_t f = 0; f < frames.size(); ++f) {
            if (seen[f] || !mismatch(lines[line], frames[f]).empty()) continue;
            seen[f] = true;
            if (line_of[f] != kNone && !place(line_of[f])) continue;
            line_of[f] = line;
            return true;
        }
        return false;
    };
    for (size_t line = 0; line < lines.size(); ++line) {
        seen.assign(frames.size(), false);
        place(line);
    }
    for (size_t f = 0; f < frames.size(); ++f)
        if (line_of[f] != kNone) frame_of[line_of[f]] = f;
    return frame_of;
}

void check_in_any_order(const std::string& port, const std::vector<std::string>& lines,
                        const std::vector<Bytes>& frames) {
    const auto frame_of = match(lines, frames);
    std::vector<bool> expected(frames.size(), false);
    for (size_t i = 0; i < lines.size(); ++i) {
        if (frame_of[i] == kNone)
            ADD_FAILURE() << "nothing that left is " << port << ": " << lines[i];
        else
            expected[frame_of[i]] = true;
    }
    for (size_t f = 0; f < frames.size(); ++f)
        if (!expected[f])
            ADD_FAILURE() << "nobody expected " << port << ": " << describe_frame(frames[f]);
}

void check_in_order(const std::string& port, const std::vector<std::string>& lines,
                    const std::vector<Bytes>& frames) {
    for (size_t i = 0; i < lines.size(); ++i) {
        if (i >= frames.size())
            ADD_FAILURE() << "nothing left by " << port << ": " << lines[i];
        else if (const auto why = mismatch(lines[i], frames[i]); !why.empty())
            ADD_FAILURE() << port << ": " << lines[i] << "\n" << why;
    }
    for (size_t i = lines.size(); i < frames.size(); ++i)
        ADD_FAILURE() << "nobody expected " << port << ": " << describe_frame(frames[i]);
}

}  // namespace

void check_sent(const YAML::Node& expected, const std::vector<Sent>& sent, bool ordered) {
    struct Both {
        std::vector<std::string> lines;
        std::vector<Bytes> frames;
    };
    std::map<std::string, Both> ports;
    for (const YAML::Node& node : expected) {
        const auto line = node.as<std::string>();
        const size_t colon = line.find(": ");
        if (colon == std::string::npos)
            throw std::runtime_error("found '" + line + "', expected 'PORT: packet'");
        ports[line.substr(0, colon)].lines.push_back(line.substr(colon + 2));
    }
    for (const Sent& s : sent) ports[s.port].frames.push_back(s.frame);
    for (const auto& [port, both] : ports)
        (ordered ? check_in_order : check_in_any_order)(port, both.lines, both.frames);
}

}  // namespace ravelin::test
