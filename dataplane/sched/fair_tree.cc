// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/fair_tree.h"

#include <algorithm>

namespace ravelin::sched {
namespace {

constexpr uint64_t kWeightOne = uint64_t{1} << 32;
// A unit of cost at weight 1 is 2^14 of a tag: at the largest weight 64 bytes are still 1,049, and
// 10 Gbit/s at weight 1 wraps a tag in nine days; an idle member is then placed by what is left.
constexpr unsigned kTagShift = 18;
// Further ahead than any service leads: the tag is from before the wrap.
constexpr uint64_t kFurthest = uint64_t{1} << 48;
constexpr uint64_t kMostCost = uint64_t{1} << 31;

uint64_t inverse(uint32_t weight) { return weight == 0 ? 0 : kWeightOne / weight; }
uint64_t tags(uint64_t cost, uint64_t inverse_weight) {
    return std::min(cost, kMostCost) * inverse_weight >> kTagShift;
}
uint32_t groups_of(const PrincipalTable& principals) {
    uint32_t groups = 1;
    for (uint32_t i = 0; i < principals.size(); ++i)
        groups += principals[PrincipalId{i}].has_children ? 1 : 0;
    return groups;
}
Pace cap_of(uint64_t rate, const FairTree::Shape& shape) {
    const Wide in_time = Wide{rate} * shape.cap_burst_ns / 1'000'000'000;
    return Pace(rate, std::max(shape.cap_burst, static_cast<uint64_t>(in_time)));
}

}  // namespace

FairTree::FairTree(const PrincipalTable& principals, const Shape& shape, uint64_t now_ns)
    : principals_(principals.size()),
      nodes_(principals.size() + groups_of(principals)),
      tops_(principals.size()),
      wheel_(static_cast<uint32_t>(nodes_.size()), now_ns) {
    build(principals, shape);
}

void FairTree::build(const PrincipalTable& principals, const Shape& shape) {
    std::vector<uint32_t> group_of(principals_, 0);
    uint32_t groups = 1, lightest = kMaxWeight;
    for (uint32_t i = 0; i < principals_; ++i) {
        const auto& entry = principals[PrincipalId{i}];
        if (entry.has_children) group_of[i] = groups++;
        tops_[i] = entry.has_children ? members_node(group_of[i]) : i;
        if (i >= kFirstPrincipal && !entry.name.empty() && entry.weight != 0)
            lightest = std::min(lightest, entry.weight);
    }
    const uint64_t horizon = tags(shape.most_cost, inverse(lightest)) + 1;
    groups_.reserve(groups);
    groups_.push_back({Calendar(4, horizon)});
    while (groups_.size() < groups) groups_.push_back({Calendar(0, horizon)});
    for (uint32_t i = 0; i < principals_; ++i) {
        const auto& entry = principals[PrincipalId{i}];
        Node& top = nodes_[tops_[i]];
        top.group = entry.parent == kNoPrincipal ? 0 : group_of[index(entry.parent)];
        top.inverse_weight = inverse(entry.weight);
        if (entry.has_children) {  // its own work is one member among its children
            nodes_[i].group = group_of[i];
            nodes_[i].inverse_weight = inverse(std::max(entry.weight, 1u));
        }
        const uint64_t cap = shape.cap == nullptr ? 0 : entry.caps.*shape.cap;
        if (cap != 0) top.cap = cap_of(std::max<uint64_t>(cap / shape.cap_divisor, 1), shape);
    }
}

inline bool FairTree::wants(uint32_t node) const noexcept {
    return node < principals_ ? nodes_[node].has_work : groups_[node - principals_].queued != 0;
}

void FairTree::activate(PrincipalId id, uint64_t now) noexcept {
    nodes_[index(id)].has_work = true;
    climb(index(id), now);
}

// Into its group's calendar, and the group into the next, as far up as there was nothing.
void FairTree::climb(uint32_t node, uint64_t now) noexcept {
    while (nodes_[node].state == State::kIdle && wants(node) && nodes_[node].inverse_weight != 0) {
        enqueue(node, now);
        if (nodes_[node].state != State::kQueued || nodes_[node].group == 0) return;
        node = members_node(nodes_[node].group);
    }
}

// A member that was idle starts at the present: it has saved nothing up.
void FairTree::enqueue(uint32_t node, uint64_t now) noexcept {
    Node& n = nodes_[node];
    Group& group = groups_[n.group];
    const uint64_t virtual_time = group.calendar.virtual_time();
    if (n.tag - virtual_time > kFurthest) n.tag = virtual_time;
    if (n.cap.limited() && n.cap.ready_at() > now) return park(node);
    n.state = State::kQueued;
    group.calendar.push(node, n.tag, [this](uint32_t i) -> uint32_t& { return nodes_[i].next; });
    ++group.queued;
}

void FairTree::park(uint32_t node) noexcept {
    nodes_[node].state = State::kParked;
    wheel_.add(node, nodes_[node].cap.ready_at());
}

void FairTree::unpark(uint64_t now) noexcept {
    wheel_.advance(now, kParksAPick, [&](uint32_t node) {
        nodes_[node].state = State::kIdle;
        climb(node, now);
    });
}

// The lowest tag of the group, exact but for what shares its slot.
uint32_t FairTree::pop(Group& group) noexcept {
    const auto next = [this](uint32_t i) -> uint32_t& { return nodes_[i].next; };
    for (;;) {
        const uint32_t node = group.calendar.pop(next);
        if (!group.calendar.is_later(nodes_[node].tag)) [[likely]] {
            --group.queued;
            return node;
        }
        group.calendar.push(node, nodes_[node].tag, next);
    }
}

// Who cannot be served leaves its calendar here, so each costs once.
bool FairTree::may_serve(uint32_t node, uint64_t now) noexcept {
    Node& n = nodes_[node];
    if (!wants(node) || n.inverse_weight == 0) {
        n.state = State::kIdle;
        return false;
    }
    if (n.cap.limited() && n.cap.ready_at() > now) {
        park(node);
        return false;
    }
    return true;
}

uint32_t FairTree::descend(uint32_t group, uint64_t now) noexcept {
    while (groups_[group].queued != 0) {
        const uint32_t node = pop(groups_[group]);
        if (!may_serve(node, now)) continue;
        nodes_[node].state = State::kInService;
        const uint32_t leaf = node < principals_ ? node : descend(node - principals_, now);
        if (leaf == Calendar::kNone) {
            nodes_[node].state = State::kIdle;
            continue;
        }
        path_[depth_++] = node;
        return leaf;
    }
    return Calendar::kNone;
}

PrincipalId FairTree::pick(uint64_t now) noexcept {
    if (wheel_.waiting() != 0) unpark(now);
    depth_ = 0;
    const uint32_t leaf = descend(0, now);
    return leaf == Calendar::kNone ? kNoPrincipal : PrincipalId{leaf};
}

void FairTree::charge(uint64_t cost, uint64_t now) noexcept {
    for (unsigned i = 0; i < depth_; ++i) {
        Node& n = nodes_[path_[i]];
        n.tag += tags(cost, n.inverse_weight);
        if (n.cap.limited()) n.cap.take(now, cost);
        n.state = State::kIdle;
        if (wants(path_[i])) enqueue(path_[i], now);
    }
    depth_ = 0;
}

size_t FairTree::memory_bytes() const noexcept {
    size_t bytes = nodes_.size() * sizeof(Node) + tops_.size() * sizeof tops_[0];
    for (const Group& group : groups_) bytes += sizeof group + group.calendar.memory_bytes();
    return bytes + wheel_.memory_bytes();
}

// Nothing holds a reservation to a cap: what it takes for hours may not be owed for hours.
void FairTree::charge_caps(PrincipalId id, uint64_t cost, uint64_t now) noexcept {
    for (uint32_t node = top_node(id); node != members_node(0);
         node = members_node(nodes_[node].group))
        if (nodes_[node].cap.limited()) nodes_[node].cap.take_by_right(now, cost);
}

void FairTree::go_on(PrincipalId id, const FairTree& before) noexcept {
    Pace& cap = nodes_[top_node(id)].cap;
    const Pace& was = before.nodes_[before.top_node(id)].cap;
    if (cap.limited() && cap.rate() == was.rate()) cap.begin(was.busy_until());
}

}  // namespace ravelin::sched
