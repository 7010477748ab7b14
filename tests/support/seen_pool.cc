// SPDX-License-Identifier: Apache-2.0
#include "tests/support/seen_pool.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RAVELIN_THREAD_SANITIZER
#endif
#endif

#ifdef RAVELIN_THREAD_SANITIZER
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>

#include <cerrno>
#include <mutex>
#include <vector>

namespace ravelin::test {
namespace {

struct Shelf {
    std::mutex mutex;
    std::vector<void*> objects;
};

Shelf& shelf_of(const rte_mempool* pool) { return *static_cast<Shelf*>(pool->pool_data); }

int make(rte_mempool* pool) {
    pool->pool_data = new Shelf;
    return 0;
}

void unmake(rte_mempool* pool) { delete &shelf_of(pool); }

int put(rte_mempool* pool, void* const* objects, unsigned n) {
    Shelf& shelf = shelf_of(pool);
    const std::lock_guard lock(shelf.mutex);
    shelf.objects.insert(shelf.objects.end(), objects, objects + n);
    return 0;
}

int take(rte_mempool* pool, void** objects, unsigned n) {
    Shelf& shelf = shelf_of(pool);
    const std::lock_guard lock(shelf.mutex);
    if (shelf.objects.size() < n) return -ENOBUFS;
    for (unsigned i = 0; i < n; ++i) {
        objects[i] = shelf.objects.back();
        shelf.objects.pop_back();
    }
    return 0;
}

unsigned count(const rte_mempool* pool) {
    Shelf& shelf = shelf_of(pool);
    const std::lock_guard lock(shelf.mutex);
    return static_cast<unsigned>(shelf.objects.size());
}

}  // namespace

void use_seen_pools() {
    static const bool registered = [] {
        rte_mempool_ops ops{};
        __builtin_strcpy(ops.name, "seen");
        ops.alloc = make;
        ops.free = unmake;
        ops.enqueue = put;
        ops.dequeue = take;
        ops.get_count = count;
        return rte_mempool_register_ops(&ops) >= 0 && rte_mbuf_set_user_mempool_ops("seen") == 0;
    }();
    if (!registered) __builtin_trap();
}

}  // namespace ravelin::test
#else
namespace ravelin::test {
void use_seen_pools() {}
}  // namespace ravelin::test
#endif
