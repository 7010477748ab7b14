// SPDX-License-Identifier: Apache-2.0
// Precompiled (see base.h): and CLI11, which costs more than all the rest.
#include <CLI/CLI.hpp>

#include "pch/control.h"
