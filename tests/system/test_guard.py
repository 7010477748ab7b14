# SPDX-License-Identifier: Apache-2.0
"""A packet takes no more instructions than those in the tree say; and the guard that says so does bite."""
import json
import sys

import pytest

from lab import ROOT, binary

sys.path.insert(0, str(ROOT / "perf"))

import guard  # noqa: E402

QUARTER = 0.25


@pytest.fixture(scope="module")
def result():
    return guard.measure(binary("ravelin-perf"))


@pytest.fixture(scope="module")
def stored(result):
    everything = json.loads(guard.STORED.read_text())
    if guard.build_of(result) not in everything:
        pytest.skip(f"nothing stands for {guard.build_of(result)}")
    return everything[guard.build_of(result)]


def test_a_packet_takes_no_more_instructions_than_before(result, stored):
    assert not guard.too_much(stored, guard.found_in(result)), "see perf/run guard; if it must be so: --renew"


def test_nothing_is_dear_to_an_open_connection(result):
    for work in ("l3-1", "established-10k", "acl-1k"):
        assert result["metrics"][f"{work}.{guard.DEAR}"]["median"] < 0.5


@pytest.mark.parametrize("work", ["l3-1", "acl-1k"])
def test_a_stage_that_got_slower_by_a_quarter_is_found(stored, work):
    name = f"{work}.{guard.NET}"
    rounds = round(stored[name] * QUARTER / 2)
    slow = guard.measure(binary("ravelin-perf"), "--only", work, "--slower", str(rounds))
    found = guard.found_in(slow)
    assert found[name] == pytest.approx(stored[name] + 2 * rounds, rel=0.1)
    wrong = guard.too_much({name: stored[name]}, found)
    assert len(wrong) == 1 and wrong[0].startswith(f"{name}: found")


def test_what_was_not_measured_and_what_became_dear_is_told():
    stored = {"l3-1.net_instructions_per_packet": 100.0, "l3-1.dear_per_packet": 0.0}
    assert guard.too_much(stored, {"l3-1.net_instructions_per_packet": 109.0, "l3-1.dear_per_packet": 0.05}) == []
    assert len(guard.too_much(stored, {"l3-1.net_instructions_per_packet": 111.0})) == 2
    assert len(guard.too_much(stored, {"l3-1.net_instructions_per_packet": 100.0, "l3-1.dear_per_packet": 1.0})) == 1
    assert guard.much_less(stored, {"l3-1.net_instructions_per_packet": 70.0})
    assert not guard.much_less(stored, {"l3-1.net_instructions_per_packet": 90.0})
