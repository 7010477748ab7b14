// SPDX-License-Identifier: Apache-2.0
// libFuzzer: what the data plane does with bytes from its socket before it believes them: frames,
// protobuf, tree, schema. Built with Clang: scripts/test builds fuzzers with -fsanitize=fuzzer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "control.pb.h"
#include "dataplane/config/node.h"
#include "dataplane/process/live_sets.h"
#include "dataplane/stage.h"
#include "pipelines/model/frame.h"
#include "pipelines/model/schema.h"
#include "pipelines/model/tree_codec.h"

namespace {

using namespace ravelin;

void take_policy(const model::PolicySnapshot& policy) {
    auto tree = model::decode(policy.config());
    if (!tree) return;
    (void)config::conforms(*tree, model::kConfigSchema, StageRegistry::schema_of);
    // What was decoded must encode to itself.
    model::Node again;
    model::encode(*tree, again);
    auto back = model::decode(again);
    if (!back || *back != *tree) std::abort();
}

LiveSets small_sets() {
    LiveSets sets;
    for (size_t type = 0; type < kSetTypes.size(); ++type)
        sets.push_back(std::move(
            *LiveSet::create({std::string(kSetTypes[type]), static_cast<SetType>(type), 4})));
    return sets;
}

/// What passes the check is carried out to its end, and then stands in the sets.
void take_live(const model::LiveChange& live) {
    const LiveSets sets = small_sets();
    const Now now = Now::from_ns(1'000'000'000'000);
    model::LiveChange change = live;
    if (live.sync()) {
        auto wanted = difference(sets, live);
        if (!wanted) return;
        change = std::move(*wanted);
    } else if (!check_sets(sets, live)) {
        return;
    }
    SetProgress progress;
    for (unsigned rounds = 0; !alter_sets(sets, change, now, progress); ++rounds) {
        if (rounds > 1000) std::abort();
        for (const auto& set : sets) set->reclaim();
    }
    for (const auto& set : sets)
        if (set->size() > 4) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    // The first byte says how the stream is cut into reads; no cut may change what is understood.
    const size_t piece = data[0] == 0 ? size : data[0];
    model::FrameReader reader(1 << 20);
    for (size_t at = 1; at < size; at += piece)
        if (!reader.feed({data + at, std::min(piece, size - at)})) break;
    while (auto frame = reader.next()) {
        model::ToDataplane request;
        if (!request.ParseFromString(*frame)) continue;
        if (request.has_apply()) take_policy(request.apply().policy());
        if (request.has_apply() && request.apply().has_live()) take_live(request.apply().live());
        if (request.has_live()) take_live(request.live());
    }
    return 0;
}
