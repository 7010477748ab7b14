// SPDX-License-Identifier: Apache-2.0
#include "tests/support/frames.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "dataplane/eal.h"
#include "dataplane/packet.h"
#include "tests/support/seen_pool.h"

namespace ravelin::test {
namespace {

constexpr unsigned kFrames = 8191;
constexpr uint64_t kMemory = 320u << 20;  // of a RingBox too

void release(void* buffer, void* shared) {
    std::free(buffer);
    delete static_cast<rte_mbuf_ext_shared_info*>(shared);
}

}  // namespace

rte_mempool* test_eal() {
    static rte_mempool* pool = [] {
        EalOptions options;
        options.hugepages = EalOptions::Hugepages::kOff;
        options.memory_bytes = kMemory;
        if (const auto started = start_eal(options); !started) {
            std::fprintf(stderr, "%s\n", started.error().message.c_str());
            std::abort();
        }
        use_seen_pools();
        return rte_pktmbuf_pool_create("frames", kFrames, 0, sizeof(PacketMeta),
                                       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    }();
    return pool;
}

rte_mbuf* exact_frame(const Bytes& bytes) {
    rte_mbuf* frame = rte_pktmbuf_alloc(test_eal());
    if (frame == nullptr) std::abort();
    auto* shared = new rte_mbuf_ext_shared_info{};
    shared->free_cb = release;
    shared->fcb_opaque = shared;
    rte_mbuf_ext_refcnt_set(shared, 1);
    void* buffer = std::malloc(bytes.empty() ? 1 : bytes.size());
    if (!bytes.empty()) std::memcpy(buffer, bytes.data(), bytes.size());
    rte_pktmbuf_attach_extbuf(frame, buffer, RTE_BAD_IOVA, static_cast<uint16_t>(bytes.size()),
                              shared);
    frame->data_off = 0;
    frame->data_len = static_cast<uint16_t>(bytes.size());
    frame->pkt_len = static_cast<uint32_t>(bytes.size());
    return frame;
}

rte_mbuf* segmented_frame(const Bytes& bytes, const std::vector<size_t>& cuts) {
    rte_mbuf* head = nullptr;
    size_t from = 0;
    for (size_t i = 0; i <= cuts.size(); ++i) {
        const size_t to = i < cuts.size() ? cuts[i] : bytes.size();
        rte_mbuf* part = exact_frame(
            Bytes(bytes.begin() + static_cast<long>(from), bytes.begin() + static_cast<long>(to)));
        if (head == nullptr)
            head = part;
        else if (rte_pktmbuf_chain(head, part) != 0)
            std::abort();
        from = to;
    }
    return head;
}

Bytes bytes_of(const rte_mbuf* frame) {
    Bytes out;
    for (const rte_mbuf* part = frame; part != nullptr; part = part->next) {
        const auto* at = rte_pktmbuf_mtod(part, const uint8_t*);
        out.insert(out.end(), at, at + part->data_len);
    }
    return out;
}

}  // namespace ravelin::test
