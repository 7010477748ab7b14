// SPDX-License-Identifier: Apache-2.0
// Precompiled (see base.h): and JSON.
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "pch/base.h"
