// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/datagram.h"

#include <algorithm>

namespace ravelin::oracle {

using test::Bytes;
using test::Sent;

void Datagram::Pieces::add(const FrameFacts& f, const Bytes& frame) {
    const auto length = static_cast<uint32_t>(f.end - f.l4);
    Bytes bytes(frame.begin() + static_cast<long>(f.l4), frame.begin() + static_cast<long>(f.end));
    if (const auto same = at.find(f.fragment_offset); same != at.end() && same->second == bytes)
        return;  // a copy changes nothing for who puts them together
    ranges.emplace_back(f.fragment_offset, f.fragment_offset + length);
    at[f.fragment_offset] = std::move(bytes);
    if (!f.more) end = f.fragment_offset + length;
}

bool Datagram::Pieces::overlap() const {
    for (size_t i = 0; i < ranges.size(); ++i)
        for (size_t k = i + 1; k < ranges.size(); ++k)
            if (ranges[i].first < ranges[k].second && ranges[k].first < ranges[i].second)
                return true;
    return false;
}

bool Datagram::Pieces::join(Bytes& out) const {
    out.clear();
    for (const auto& [offset, bytes] : at) {
        if (offset != out.size()) return false;
        out.insert(out.end(), bytes.begin(), bytes.end());
    }
    return end != 0 && out.size() == end && !overlap();
}

void Datagram::Side::add(const Bytes& frame, const std::vector<Sent>& sent) {
    std::vector<Sent> ignored;
    const Outcome o = outcome_of(frame, sent, ignored);
    if (o.kind != Outcome::Kind::kForwarded) {
        if (o.kind != Outcome::Kind::kNothing) answer = o;
        return;
    }
    const auto in = read_frame(frame);
    for (const Sent& s : sent)
        if (const auto f = read_frame(s.frame); f && f->source == in->source)
            pieces.add(*f, s.frame);
}

Outcome Datagram::Side::outcome() const {
    Outcome o = answer;
    if (pieces.ranges.empty()) return o;
    o.kind = pieces.join(o.frame) ? Outcome::Kind::kForwarded : Outcome::Kind::kPartial;
    if (o.kind == Outcome::Kind::kPartial) o.frame.clear();
    return o;
}

void Datagram::add(const Observation& o, const Bytes& frame, const std::vector<Sent>& kernel,
                   const std::vector<Sent>& ravelin) {
    last_ = o;
    input_.add(o.facts, frame);
    kernel_.add(frame, kernel);
    ravelin_.add(frame, ravelin);
    if (!o.drop.empty()) drops_.insert(o.drop);
}

Observation Datagram::observe() {
    last_.kernel = kernel_.outcome();
    last_.ravelin = ravelin_.outcome();
    last_.drop.clear();
    for (const std::string& name : drops_) last_.drop += (last_.drop.empty() ? "" : "+") + name;
    last_.mangled =
        last_.kernel.kind == last_.ravelin.kind && last_.kernel.frame != last_.ravelin.frame;
    Bytes ignored;
    last_.whole = input_.join(ignored);
    return last_;
}

}  // namespace ravelin::oracle
