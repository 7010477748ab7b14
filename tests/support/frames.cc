// SPDX-License-Identifier: Apache-2.0
#include "tests/support/frames.h"

#include <rte_eal.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "dataplane/packet.h"

namespace ravelin::test {
namespace {

constexpr unsigned kFrames = 8191;

void release(void* buffer, void* shared) {
    std::free(buffer);
    delete static_cast<rte_mbuf_ext_shared_info*>(shared);
}

}  // namespace

rte_mempool* test_eal() {
    static rte_mempool* pool = [] {
        const char* args[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
                              "-m",   "192",       "-l",          "0",        "--log-level",
                              "error"};
        if (rte_eal_init(sizeof args / sizeof *args, const_cast<char**>(args)) < 0) {
            std::fprintf(stderr, "EAL did not start\n");
            std::abort();
        }
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
