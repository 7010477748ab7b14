// SPDX-License-Identifier: Apache-2.0
// Precompiled: the standard library and fmt. Only to build faster; every file includes what it
// uses, which clang-tidy's build, made without these (b_pch=false), checks.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>
