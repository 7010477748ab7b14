// SPDX-License-Identifier: Apache-2.0
// Linked in: the program's tests run on a data plane of four real workers.
#include "tests/support/worker_box.h"

namespace ravelin::test {

const Backend& backend() {
    static const Backend four{"workers4", false, [](const std::string& yaml, bool steer) {
                                  return std::unique_ptr<TestBox>(new WorkerBox(yaml, steer));
                              }};
    return four;
}

}  // namespace ravelin::test
