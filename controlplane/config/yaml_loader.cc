// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/yaml_loader.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "controlplane/config/context.h"
#include "controlplane/config/prefix_sets.h"
#include "controlplane/config/raw.h"
#include "controlplane/config/reader.h"

namespace ravelin::config {
namespace {

/// Named sets first: any rule may refer to them.
Status load_sets(const Raw& root, const Schema& schema, PrefixSets& sets, Reader& reader) {
    for (const Field& field : schema.fields) {
        if (field.type != Type::kSets) continue;
        const auto live = [&](const Raw& raw) -> Result<Node> {
            if (field.nested != nullptr) return reader.map(raw, *field.nested);
            return Error{"live sets are not known here"};
        };
        for (size_t i = 0; i < root.member_count(); ++i)
            if (root.key(i).text == field.name) return sets.load(root.member(i), field.name, live);
    }
    return ok_status();
}

}  // namespace

Result<Loaded> load_text(std::string_view yaml, const std::string& file_name, const Schema& schema,
                         StageSchemas stages, std::span<const std::string_view> stage_names) {
    const auto raw = parse_raw(yaml, file_name);
    if (!raw) return raw.error();
    Context context{
        .file = file_name, .path = {}, .positions = Positions(file_name), .warnings = {}};
    context.record(*raw->root);
    PrefixSets sets(context);
    Reader reader(context, sets, stages, stage_names);
    if (auto s = load_sets(*raw->root, schema, sets, reader); !s) return s.error();
    auto tree = reader.map(*raw->root, schema);
    if (!tree) return tree.error();
    sets.warn_unused();
    return Loaded{std::move(*tree), std::move(context.warnings), std::move(context.positions)};
}

Result<Node> load_map(std::string_view yaml, const std::string& file_name, const Schema& schema,
                      const Node& sets) {
    const auto raw = parse_raw(yaml, file_name);
    if (!raw) return raw.error();
    Context context{
        .file = file_name, .path = {}, .positions = Positions(file_name), .warnings = {}};
    PrefixSets known(context);
    known.load(sets);
    return Reader(context, known, nullptr, {}).map(*raw->root, schema);
}

Result<Loaded> load_file(const std::string& path, const Schema& schema, StageSchemas stages,
                         std::span<const std::string_view> stage_names) {
    const auto failed = [&](std::string_view why) {
        return Error{fmt::format("{}:1:1: cannot be read: {}", path, why)};
    };
    std::error_code status;
    const auto size = std::filesystem::file_size(path, status);  // fails unless a regular file
    if (status) return failed(status.message());
    if (size > kMaxDocumentBytes)
        return failed(fmt::format("is larger than {} MiB", kMaxDocumentBytes >> 20));
    std::ifstream in(path, std::ios::binary);
    std::string text(size, '\0');
    if (!in.read(text.data(), static_cast<std::streamsize>(size)))
        return failed(std::strerror(errno));
    return load_text(text, path, schema, stages, stage_names);
}

}  // namespace ravelin::config
