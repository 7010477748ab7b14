// SPDX-License-Identifier: Apache-2.0
#include "controlplane/change/crash_point.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

namespace ravelin::control {

void crash_point(std::string_view step) {
    static const char* const wanted = std::getenv("RAVELIN_CRASH_AT");
    if (wanted == nullptr) return;
    const std::string_view text(wanted);
    const size_t colon = text.find(':');
    if (text.substr(0, colon) != step) return;
    static long left = colon == text.npos ? 1 : std::atol(wanted + colon + 1);
    if (--left > 0) return;
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();  // the signal is on its way
}

}  // namespace ravelin::control
