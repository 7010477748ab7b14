// SPDX-License-Identifier: Apache-2.0
// libFuzzer: what the data plane does with bytes from its socket before it believes them: frames,
// protobuf, tree, schema. Built with Clang: scripts/test builds fuzzers with -fsanitize=fuzzer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "control.pb.h"
#include "dataplane/config/node.h"
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
        if (request.ParseFromString(*frame) && request.has_apply())
            take_policy(request.apply().policy());
    }
    return 0;
}
