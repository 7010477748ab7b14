// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/counter_view.h"

namespace ravelin::control {

void CounterView::set_path(const std::string& path) {
    if (path != path_) reader_.reset();
    path_ = path;
}

const CounterReader* CounterView::reader() {
    if (path_.empty()) return nullptr;
    if (reader_ && reader_->current(path_)) return &*reader_;
    reader_.reset();
    auto opened = CounterReader::open(path_);
    if (!opened) {
        problem_ = opened.error().message;
        return nullptr;
    }
    reader_.emplace(std::move(*opened));
    return &*reader_;
}

SlotMap::Reading CounterView::read_slot(uint32_t slot) {
    const CounterReader* counters = reader();
    if (counters == nullptr || slot >= counters->header().rules) return {};
    return {counters->rule(slot), counters->header().started_unix_ms};
}

}  // namespace ravelin::control
