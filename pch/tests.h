// SPDX-License-Identifier: Apache-2.0
// Precompiled (see base.h): and what tests use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "pch/engine.h"
