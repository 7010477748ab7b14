// SPDX-License-Identifier: Apache-2.0
// Linked in: the program's tests run on one worker without a thread.
#include "tests/support/stage_fixture.h"

namespace ravelin::test {

const Backend& backend() {
    static const Backend one{"fixture", true, [](const std::string& yaml, bool) {
                                 return std::unique_ptr<TestBox>(new StageFixture(yaml));
                             }};
    return one;
}

}  // namespace ravelin::test
