// SPDX-License-Identifier: Apache-2.0
// What functions took, over all workers.
#include "dataplane/functions.h"
#include "dataplane/process/answers.h"

namespace ravelin::answers {

void functions(const PolicyStore& store,
               google::protobuf::RepeatedPtrField<model::FunctionRecord>& out) {
    const Functions* const declared = store.current()->functions.get();
    if (declared == nullptr) return;
    for (const FunctionSpec& spec : declared->list) {
        constexpr uint64_t kHalf = 2, kThousand = 1'000;
        sched::FunctionUse::Counts sum;
        for (const auto& worker : declared->workers) sum.add(worker->use_of(spec.ref));
        model::FunctionRecord& record = *out.Add();
        record.set_name(spec.name);
        record.set_type(std::string(spec.type->name));
        if (spec.worker != kAnyWorker) record.set_worker(spec.worker);
        record.set_runs(sum.runs);
        record.set_packets(sum.packets);
        record.set_cycles(sum.cycles);
        record.set_longest(sum.longest);
        record.set_not_run(sum.not_run);
        record.set_half(sum.beyond_one_in(kHalf));
        record.set_most(sum.beyond_one_in(kThousand));
    }
}

}  // namespace ravelin::answers
