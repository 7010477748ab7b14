// SPDX-License-Identifier: Apache-2.0
#include "controlplane/reservations/calibration.h"

#include <fmt/format.h>

#include <algorithm>

namespace ravelin::control {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMostUnits = int64_t{1} << 40;  // a second: cycles, bytes

/// A member that is a whole number from `least` to `most`.
Result<uint64_t> number(const Json& from, const char* member, int64_t least, int64_t most) {
    const auto found = from.find(member);
    const bool whole = found != from.end() && found->is_number_integer();
    if (const int64_t value = whole ? found->get<int64_t>() : 0; value >= least && value <= most)
        return static_cast<uint64_t>(value);
    return Error{fmt::format("{}: expected a whole number, {} to {}", member, least, most)};
}

/// The items of a member that is a list of objects.
Result<Json> list(const Json& from, const char* member) {
    const auto found = from.find(member);
    bool right = found != from.end() && found->is_array();
    for (size_t i = 0; right && i < found->size(); ++i) right = (*found)[i].is_object();
    if (!right) return Error{fmt::format("{}: expected a list of objects", member)};
    return *found;
}

}  // namespace

Status Calibration::take(const Json& measured) {
    if (!measured.is_object()) return Error{"expected an object"};
    if (const auto when = number(measured, "unix_ms", 1, INT64_MAX); !when) return when.error();
    const auto workers = list(measured, "workers"), ports = list(measured, "ports");
    if (!workers) return workers.error();
    if (!ports) return ports.error();
    for (const Json& worker : *workers)
        if (const auto cycles = number(worker, "cycles_per_second", 1, kMostUnits); !cycles)
            return cycles.error();
    for (const Json& port : *ports) {
        const auto bits = number(port, "bits_per_second", 8, 8 * kMostUnits);
        if (!bits) return bits.error();
        if (!port.contains("port") || !port["port"].is_string())
            return Error{"port: expected a port's name"};
    }
    told_ = measured;
    return ok_status();
}

Status Calibration::open(const std::string& directory, commit::FileOps& files) {
    files_ = &files;
    path_ = directory + "/calibration";
    const auto names = commit::list_directory(files, directory);
    if (!names) return names.error();
    if (std::ranges::find(*names, "calibration") == names->end()) return ok_status();
    const auto text = commit::read_file(files, path_);
    if (!text) return text.error();
    const Json read = Json::parse(*text, nullptr, false);
    if (read.is_discarded()) return Error{path_ + ": is not JSON"};
    if (Status s = take(read); !s) return std::move(s.error()).within(path_);
    return ok_status();
}

Status Calibration::keep(const Json& measured) {
    Calibration trial;
    if (Status s = trial.take(measured); !s) return s;
    if (Status s = commit::replace_file(*files_, path_, measured.dump(1) + "\n"); !s) return s;
    return take(measured);
}

uint64_t Calibration::worker_cycles() const {
    uint64_t least = 0;
    if (told_.is_null()) return least;
    for (const Json& worker : told_["workers"]) {
        const auto cycles = worker["cycles_per_second"].get<uint64_t>();
        least = least == 0 ? cycles : std::min(least, cycles);
    }
    return least;
}

}  // namespace ravelin::control
