"""A browser and a JupyterLab for each worker, turns between the workers, and the table of latencies at the end.

With ``-n 2 --dist loadscope`` two workers share the tests, and what stands on the same notebook stays with one of them.
A test that is ``alone`` measures how soon something happens: meanwhile the other worker waits.
"""

import fcntl
import os
import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import driver  # noqa: E402
import offline  # noqa: E402

# From the last to the first, which is about from the longest to the shortest: then no worker is left with a long one at the end.
NOTEBOOKS = sorted((path.name for path in (driver.ROOT / "notebooks").glob("*.ipynb")), reverse=True)
NO_BROWSER = f"no Chromium or Chrome here: {driver.INSTALL}"
TURNS = pytest.StashKey()


class ByNotebook(LoadScopeScheduling):
    """One worker gets all tests of a notebook (their ids begin with its number), or else of a module."""

    def _split_scope(self, nodeid):
        module, _, test = nodeid.partition("::")
        return module + "".join(re.findall(r"\[\d\d(?=[-\]])", test))


class Turns:
    """Between processes: many take a turn together, or one takes it alone.

    Whoever comes stands in the door first. Who wants to be alone waits there until the room is empty, and lets
    nobody past, so that it gets its turn although others come and go.
    """

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT
        self.door, self.room = (os.open(folder / name, flags) for name in (".door", ".room"))

    def enter(self, alone=False):
        fcntl.flock(self.door, fcntl.LOCK_EX)
        fcntl.flock(self.room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self.door, fcntl.LOCK_UN)

    def leave(self):
        fcntl.flock(self.room, fcntl.LOCK_UN)

    def pause(self, alone=False):
        """Leave and come in again, with what waited at the door between; where nothing is timed, that is."""
        self.leave()
        self.enter(alone)


def pytest_configure(config):
    config.stash[TURNS] = Turns(driver.SCREENSHOTS)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    if config.option.dist == "loadscope":
        return ByNotebook(config, log)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A turn is for a test and all that is set up for it: its notebook may have to be run first."""
    turns = item.config.stash[TURNS]
    turns.enter()
    try:
        return (yield)
    finally:
        turns.leave()


@pytest.fixture
def turns(request):
    return request.config.stash[TURNS]


@pytest.fixture
def alone(turns):
    """From here on to its end, the test has the machine to itself."""
    turns.pause(alone=True)


@pytest.fixture(scope="session")
def window():
    """A fresh browser. Where there is none, the tests are skipped, and in continuous integration they fail."""
    with sync_playwright() as playwright:
        browser = driver.launch(playwright)
        if browser is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_BROWSER)
        window = browser.new_context(reduced_motion="reduce")
        window.grant_permissions(["clipboard-read", "clipboard-write"])
        yield window
        browser.close()


@pytest.fixture(scope="session")
def lab(window, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    started = driver.Lab(folder, offline.environment(folder))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def open_notebook(window, lab):
    """open_notebook(path, kernel=True) gives a Notebook in a page of its own."""

    def open_it(path, kernel=True):
        return driver.Notebook(window.new_page(), lab, path).open(kernel)

    return open_it


@pytest.fixture(scope="session", params=NOTEBOOKS, ids=lambda name: name.partition("_")[0])
def opened(request, open_notebook):
    """Each notebook of the course, run once from top to bottom; `raised` says what went wrong in its cells."""
    notebook = open_notebook(request.param)
    notebook.raised = notebook.run()
    yield notebook
    notebook.close()


def pytest_terminal_summary(terminalreporter):
    line, reports = terminalreporter.line, terminalreporter.getreports
    if any(NO_BROWSER in str(report.longrepr) for report in reports("skipped")):
        line(f"The tests in a browser did not run: {NO_BROWSER}")
    ended = [report for report in reports("passed") + reports("failed") if report.when == "call"]
    rows = [row for report in ended for name, row in report.user_properties if name == driver.LATENCY]
    if rows:
        terminalreporter.section("key press to painted change, in milliseconds")
        line(f"{'':58}{'answers':>9}{'median':>8}{'most':>7}{'moves':>7}{'limit':>7}{'crowded':>9}")
    for name, answers, times, limit, crowding in sorted(rows, key=lambda row: row[0][:2]):
        line(
            f"{name[:57]:58}{answers:>9}{driver.median(times):8.0f}{max(times, default=0):7.0f}{len(times):7}"
            f"{limit:7}{crowding:8.1f}x"
        )
    if any(crowding > 1.2 for *_, crowding in rows):
        line(
            "crowded: others worked here too, or the processor is slower, and the limit was stretched by as much"
        )
