// SPDX-License-Identifier: Apache-2.0
#include "controlplane/commit/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "controlplane/commit/record.h"

namespace ravelin::commit {
namespace {

// A snapshot file: this header, then the opaque bytes. The header also vouches for the YAML,
// which stays plain text for people.
struct Header {
    uint64_t generation = 0;
    uint64_t yaml_bytes = 0;
    uint32_t yaml_crc = 0;
    uint64_t snapshot_bytes = 0;
    uint32_t snapshot_crc = 0;
};
constexpr std::string_view kMagic = "RVLNSNP1";
constexpr size_t kHeaderBytes = 8 + 8 + 8 + 4 + 8 + 4 + 4;

std::string encode_header(const Header& header) {
    std::string out(kMagic);
    put_u64(out, header.generation);
    put_u64(out, header.yaml_bytes);
    put_u32(out, header.yaml_crc);
    put_u64(out, header.snapshot_bytes);
    put_u32(out, header.snapshot_crc);
    put_u32(out, crc32c(out));
    return out;
}

std::optional<Header> decode_header(std::string_view file) {
    if (file.size() < kHeaderBytes || !file.starts_with(kMagic)) return std::nullopt;
    FieldReader in(file.substr(kMagic.size(), kHeaderBytes - kMagic.size()));
    Header header;
    header.generation = in.u64();
    header.yaml_bytes = in.u64();
    header.yaml_crc = in.u32();
    header.snapshot_bytes = in.u64();
    header.snapshot_crc = in.u32();
    if (in.u32() != crc32c(file.substr(0, kHeaderBytes - 4))) return std::nullopt;
    return header;
}

Status verify(const std::string& path, uint64_t offset, std::string_view bytes, uint64_t size,
              uint32_t crc) {
    if (bytes.size() != size) {
        return Error{fmt::format("{}: offset {}: ends {} bytes {} than written", path,
                                 offset + std::min<uint64_t>(bytes.size(), size),
                                 bytes.size() < size ? size - bytes.size() : bytes.size() - size,
                                 bytes.size() < size ? "earlier" : "later")};
    }
    if (crc32c(bytes) != crc) {
        return Error{fmt::format("{}: offset {}: checksum of the {} bytes from here is wrong", path,
                                 offset, bytes.size())};
    }
    return ok_status();
}

/// The generation of "<number>.yaml" or "<number>.snapshot"; 0 for any other name.
uint64_t generation_of(std::string_view name) {
    uint64_t generation = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), generation);
    if (error != std::errc()) return 0;
    const std::string_view ending(end, static_cast<size_t>(name.data() + name.size() - end));
    return ending == ".yaml" || ending == ".snapshot" ? generation : 0;
}

}  // namespace

std::string History::path(uint64_t generation, const char* ending) const {
    return fmt::format("{}/{}.{}", directory_, generation, ending);
}

Result<History> History::open(const std::string& directory, FileOps& ops) {
    History history(ops, directory + "/history");
    if (Status made = make_directory(ops, history.directory_); !made) return made.error();
    auto names = list_directory(ops, history.directory_);
    if (!names) return names.error();
    for (const std::string& name : *names) {  // what a crash left of replace_file()
        if (name.ends_with(".new")) ops.unlink(history.directory_ + "/" + name);
    }
    return history;
}

Status History::store(uint64_t generation, std::string_view yaml, std::string_view snapshot) {
    const Header header{.generation = generation,
                        .yaml_bytes = yaml.size(),
                        .yaml_crc = crc32c(yaml),
                        .snapshot_bytes = snapshot.size(),
                        .snapshot_crc = crc32c(snapshot)};
    if (Status yes = replace_file(*ops_, path(generation, "yaml"), yaml); !yes) return yes;
    return replace_file(*ops_, path(generation, "snapshot"),
                        encode_header(header).append(snapshot));
}

Result<StoredGeneration> History::load(uint64_t generation) const {
    const std::string name = path(generation, "snapshot");
    auto file = read_file(*ops_, name);
    if (!file) return file.error();
    const auto header = decode_header(*file);
    if (!header) return Error{name + ": offset 0: header is damaged"};
    if (header->generation != generation) {
        return Error{fmt::format("{}: offset {}: is of generation {}", name, kMagic.size(),
                                 header->generation)};
    }
    StoredGeneration stored{.generation = generation, .yaml = {}, .snapshot = {}};
    stored.snapshot = file->substr(kHeaderBytes);
    Status good =
        verify(name, kHeaderBytes, stored.snapshot, header->snapshot_bytes, header->snapshot_crc);
    if (!good) return good.error();
    const std::string text = path(generation, "yaml");
    auto yaml = read_file(*ops_, text);
    if (!yaml) return yaml.error();
    good = verify(text, 0, *yaml, header->yaml_bytes, header->yaml_crc);
    if (!good) return good.error();
    stored.yaml = std::move(*yaml);
    return stored;
}

Result<LastGood> History::last_good(const JournalState& state) const {
    LastGood found;
    std::string problems;
    for (auto it = state.generations.rbegin(); it != state.generations.rend(); ++it) {
        if (it->second.state != GenerationState::committed) continue;
        auto stored = load(it->first);
        if (stored) {
            found.stored = std::move(*stored);
            return found;
        }
        problems += (problems.empty() ? "" : "; ") + stored.error().message;
        found.warnings.push_back(std::move(stored.error().message));
    }
    if (problems.empty()) return Error{"no generation is committed yet"};
    return Error{"no committed generation is intact: " + problems};
}

Result<std::vector<uint64_t>> History::stored() const {
    auto names = list_directory(*ops_, directory_);
    if (!names) return names.error();
    std::vector<uint64_t> generations;
    for (const std::string& name : *names) {
        if (const uint64_t generation = generation_of(name)) generations.push_back(generation);
    }
    std::sort(generations.begin(), generations.end());
    generations.erase(std::unique(generations.begin(), generations.end()), generations.end());
    return generations;
}

Result<std::vector<HistoryEntry>> History::list(const JournalState& state) const {
    const auto files = stored();
    if (!files) return files.error();
    std::vector<HistoryEntry> entries;
    for (auto it = state.generations.rbegin(); it != state.generations.rend(); ++it) {
        entries.push_back({.generation = it->first,
                           .current = it->first == state.current,
                           .stored = std::binary_search(files->begin(), files->end(), it->first),
                           .info = it->second});
    }
    return entries;
}

Result<uint64_t> History::prune(const JournalState& state, uint64_t keep) {
    auto files = stored();
    if (!files) return files.error();
    uint64_t oldest = state.current;
    uint64_t committed = 0;
    for (auto it = state.generations.rbegin(); it != state.generations.rend(); ++it) {
        if (it->second.state != GenerationState::committed) continue;
        if (committed++ >= keep && it->first != state.previous) break;
        oldest = std::min(oldest, it->first);
    }
    Status status = ok_status();
    for (const uint64_t generation : *files) {
        if (generation == state.current || generation == state.previous) continue;
        if (generation >= oldest) continue;
        for (const char* ending : {"yaml", "snapshot"}) {
            const std::string name = path(generation, ending);
            if (ops_->unlink(name) != 0 && errno != ENOENT) status = system_error(name, "remove");
        }
    }
    if (!status) return status.error();
    return oldest;
}

Result<uint64_t> History::next_generation(const JournalState& state,
                                          uint64_t dataplane_generation) const {
    const auto files = stored();
    if (!files) return files.error();
    const uint64_t newest_file = files->empty() ? 0 : files->back();
    return std::max({state.highest, newest_file, dataplane_generation}) + 1;
}

}  // namespace ravelin::commit
