// SPDX-License-Identifier: Apache-2.0
// Whether a sanitizer is built in, under which everything takes five to thirty times as long:
// random tests then take fewer turns.
#pragma once

namespace ravelin::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kInstrumented = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kInstrumented = true;
#else
inline constexpr bool kInstrumented = false;
#endif
#else
inline constexpr bool kInstrumented = false;
#endif

}  // namespace ravelin::test
