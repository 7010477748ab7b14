// SPDX-License-Identifier: Apache-2.0
// ravelin-dataplane as it is started: becomes ravelin-dataplane-VARIANT beside it, the best that
// was built and that this machine runs. Itself it runs on any.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "dataplane/process/variant.h"

int main(int, char** argv) {
    const std::string_view variant = ravelin::first_variant(RAVELIN_VARIANTS, ravelin::runs_here);
    if (variant.empty()) {
        std::fprintf(stderr,
                     "ravelin-dataplane: this machine runs none of the variants that were built: "
                     "found %s, expected a CPU with AVX2, BMI2 and FMA at least\n",
                     RAVELIN_VARIANTS);
        return 1;
    }
    std::error_code error;
    std::string self = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::string program = self.append("-").append(variant);
    execv(program.c_str(), argv);
    std::perror(("ravelin-dataplane: " + program).c_str());
    return 1;
}
