// SPDX-License-Identifier: Apache-2.0
// Matching; the tables are made in classifier_build.cc.
#include "pipelines/tables/classifier.h"

namespace ravelin {

Classifier::View Classifier::view_of(uint32_t set, const RuleDefaults& defaults) const noexcept {
    return {sets_.bitmaps.data() + set * sets_.blocks, sets_.listed.data() + sets_.first[set],
            &defaults};
}

size_t Classifier::views_of(const ClassifierKey& key, Views& views) const noexcept {
    size_t n = 0;
    const auto add_address = [&](const AddressTable& table, const IpAddress& address) {
        const uint32_t found = table.lpm.lookup(address);
        views[n++] =
            view_of(found == Lpm::kNoRoute ? 0 : found, address.is_v4() ? table.v4 : table.v6);
    };
    const auto add_value = [&](const ValueTable& table, size_t value) {
        if (!table.set.empty()) views[n++] = view_of(table.set[value], table.defaults);
    };
    add_address(source_, key.source);
    add_address(destination_, key.destination);
    add_value(destination_port_, key.destination_port);
    add_value(source_port_, key.source_port);
    add_value(protocol_, key.protocol);
    add_value(in_port_, key.in_port);
    add_value(out_port_, key.out_port);
    add_value(icmp_type_, key.icmp_type);
    add_value(state_, key.state);
    return n;
}

/// The chunk's rules that every view has. `views` point at the block of `chunk`.
bool Classifier::match_chunk(std::span<const View> views, size_t chunk,
                             RuleChunk& left) const noexcept {
    const uint64_t bit = uint64_t{1} << (chunk % 64);
    left.words.fill(~uint64_t{0});
    for (const View& view : views) {
        const uint64_t bitmap = view.bitmap[chunk / 64];
        const uint32_t id = bitmap & bit ? view.listed[std::popcount(bitmap & (bit - 1))]
                                         : view.defaults->chunks[chunk];
        const RuleChunk& rules = sets_.chunks[id];
        uint64_t any = 0;
        for (size_t w = 0; w < left.words.size(); ++w) any |= left.words[w] &= rules.words[w];
        if (any == 0) return false;
    }
    return true;
}

size_t Classifier::memory_bytes() const {
    size_t bytes = sets_.memory_bytes();
    const auto add_defaults = [&](const RuleDefaults& d) {
        bytes += d.chunks.capacity() * sizeof(uint32_t) + d.nonzero.capacity() * sizeof(uint64_t);
    };
    for (const AddressTable* table : {&source_, &destination_}) {
        bytes += table->lpm.memory_bytes();
        add_defaults(table->v4);
        add_defaults(table->v6);
    }
    for (const ValueTable* table : {&destination_port_, &source_port_, &protocol_, &in_port_,
                                    &out_port_, &icmp_type_, &state_}) {
        bytes += table->set.capacity() * sizeof(uint32_t);
        add_defaults(table->defaults);
    }
    return bytes;
}

}  // namespace ravelin
