// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/outline.h"

#include <algorithm>

#include "controlplane/admission/descent.h"

namespace ravelin::admission {
namespace {

/// Puts `more` (ascending) into `into`, in one pass.
template <typename T>
void merge_into(std::vector<T>& into, const std::vector<T>& more) {
    const auto middle = static_cast<std::ptrdiff_t>(into.size());
    into.insert(into.end(), more.begin(), more.end());
    std::inplace_merge(into.begin(), into.begin() + middle, into.end());
}

template <typename T>
void take_from(std::vector<T>& from, const T& one) {
    from.erase(std::lower_bound(from.begin(), from.end(), one));
}

}  // namespace

std::vector<Outline::Point> Outline::points_of(const Demand& demand) {
    std::vector<Point> points(kSteps);
    for (int step = 0; step < kSteps; ++step)
        points[step] = {demand.deadline + step * demand.period, demand.work, 0};
    points.front().work *= demand.burst;
    points.back().rate = static_cast<uint64_t>(scaled_rate(demand.work, demand.period));
    return points;
}

void Outline::add(const Demand& demand) {
    const std::vector<Point> points = points_of(demand);
    for (const Point& point : points) {
        top_.ahead += scaled(point.work) - static_cast<Signed>(point.rate) * point.at;
        top_.rate += static_cast<Signed>(point.rate);
    }
    merge_into(points_, points);
    merge_into(runs_, {Run{demand.deadline, demand.work}});
    summarise();
}

void Outline::remove(const Demand& demand) {
    for (const Point& point : points_of(demand)) {
        top_.ahead -= scaled(point.work) - static_cast<Signed>(point.rate) * point.at;
        top_.rate -= static_cast<Signed>(point.rate);
        take_from(points_, point);
    }
    take_from(runs_, Run{demand.deadline, demand.work});
    summarise();
}

Outline Outline::with(const Supply& supply) const {
    Outline changed = *this;
    changed.supply_ = supply;
    changed.summarise();
    return changed;
}

void Outline::meet_runs(Place& place, Nanoseconds t) const {
    if (supply_.preemptive) return;
    for (; place.runs > 0 && runs_[place.runs - 1].deadline > t; --place.runs)
        place.longest_run = std::max(place.longest_run, runs_[place.runs - 1].work);
}

void Outline::pass(Place& place) const {
    const Point& point = points_[--place.points];
    place.ahead -= scaled(point.work) - static_cast<Signed>(point.rate) * point.at;
    place.rate -= static_cast<Signed>(point.rate);
}

Signed Outline::slack(const Place& place, Nanoseconds t) const {
    return (scaled_supply(supply_) - place.rate) * t - scaled_lost(supply_) - place.ahead -
           scaled(place.longest_run);
}

void Outline::summarise() {
    top_.points = points_.size();
    top_.runs = runs_.size();
    top_.longest_run = supply_.floor;
    blocks_.resize((points_.size() + kBlock - 1) / kBlock);
    Place place = top_;
    for (size_t i = blocks_.size(); i > 0; --i) {
        Block& block = blocks_[i - 1];
        block.place = place;
        meet_runs(place, points_[place.points - 1].at);
        block.slack = slack(place, points_[place.points - 1].at);
        for (pass(place); place.points > (i - 1) * kBlock; pass(place)) {
            const Nanoseconds t = points_[place.points - 1].at;
            meet_runs(place, t);
            block.slack = std::min(block.slack, slack(place, t));
        }
    }
}

/// Between points, and beyond the last, what is left only grows.
bool Outline::fits() const {
    return top_.rate <= scaled_supply(supply_) &&
           std::ranges::all_of(blocks_, [](const Block& block) { return block.slack >= 0; });
}

Nanoseconds Outline::sufficient_deadline(const Demand& newcomer, Nanoseconds longest) const {
    if (supply_.rate == 0) return longest + 1;
    const Nanoseconds least = least_alone(newcomer, supply_, longest);
    return least > longest ? least : Descent(*this, newcomer).run(least, longest);
}

}  // namespace ravelin::admission
