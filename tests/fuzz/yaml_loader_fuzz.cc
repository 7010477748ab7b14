// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes into the YAML loader. An accepted document must conform to the schema and come
// back the same from its canonical text; a refused one must be told in one line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "controlplane/config/to_yaml.h"
#include "tests/unit/yaml_test_schema.h"

namespace {

using namespace ravelin::config;

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view yaml(reinterpret_cast<const char*>(data), size);
    const auto loaded = testing::load(yaml, "fuzz.yaml");
    if (!loaded) {
        require(loaded.error().message.find('\n') == std::string::npos);
        return 0;
    }
    require(conforms(loaded->tree, testing::kTop, testing::stage_schema).ok());
    const auto text = to_yaml(loaded->tree, testing::kTop, testing::stage_schema);
    const auto again = testing::load(text, "fuzz.yaml");
    require(again.ok() && again->tree == loaded->tree);
    return 0;
}
