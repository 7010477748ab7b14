// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/apply_bytes.h"

namespace ravelin::control {
namespace {

constexpr uint32_t kBytes = 2;  // protobuf's wire type of a nested message

void put_varint(std::string& out, uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
}

void put_header(std::string& out, uint32_t field, size_t size) {
    put_varint(out, field << 3 | kBytes);
    put_varint(out, size);
}

}  // namespace

std::string apply_bytes(uint64_t id, std::string_view snapshot, uint32_t confirm_ms,
                        const model::LiveChange* live, const std::vector<model::Path>& keep) {
    // Fields of one message may come in any order and concatenated messages merge, so the small
    // fields are left to protobuf.
    model::ToDataplane rest;
    rest.set_id(id);
    rest.mutable_apply()->set_confirm_ms(confirm_ms);
    if (live != nullptr) *rest.mutable_apply()->mutable_live() = *live;
    for (const model::Path& path : keep) *rest.add_keep() = path;
    std::string policy_header, out = rest.SerializeAsString();
    put_header(policy_header, model::Apply::kPolicyFieldNumber, snapshot.size());
    put_header(out, model::ToDataplane::kApplyFieldNumber, policy_header.size() + snapshot.size());
    out.append(policy_header).append(snapshot);
    return out;
}

}  // namespace ravelin::control
