# SPDX-License-Identifier: Apache-2.0
"""What every system test shares: no lab, no test; and the appliance's log beside a failure."""
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import lab as lab_module  # noqa: E402

_living = []


def pytest_configure():
    """SIGTERM ends a run as Ctrl-C does: after the labs are taken down."""
    def stop(_signal, _frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, stop)


def pytest_collection_modifyitems(items):
    why = lab_module.missing()
    if why:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="module")
def make_lab():
    """Makes labs that end with the module."""
    made = []

    def make():
        lab = lab_module.Lab()
        made.append(lab)
        _living.append(lab)
        return lab
    yield make
    for lab in made:
        lab.close()
        _living.remove(lab)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for lab in _living:
            report.sections.append((f"log of {lab.tag}", lab.log_tail(40)))
