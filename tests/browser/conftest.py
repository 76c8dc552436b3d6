"""One browser and one JupyterLab for all tests of this folder, and the table of latencies at the end."""

import os
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import driver  # noqa: E402
import offline  # noqa: E402

NOTEBOOKS = sorted(path.name for path in (driver.ROOT / "notebooks").glob("*.ipynb"))
SKIPPED = pytest.StashKey()
NO_BROWSER = f"no Chromium or Chrome here: {driver.INSTALL}"


def pytest_configure(config):
    config.stash[driver.LATENCIES] = []


@pytest.fixture(scope="session")
def window(request):
    """A fresh browser. Where there is none, the tests are skipped, and in continuous integration they fail."""
    with sync_playwright() as playwright:
        browser = driver.launch(playwright)
        if browser is None:
            request.config.stash[SKIPPED] = True
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


def pytest_terminal_summary(terminalreporter, config):
    line, rows = terminalreporter.line, config.stash[driver.LATENCIES]
    if config.stash.get(SKIPPED, False):
        line(f"The tests in a browser did not run: {NO_BROWSER}")
    if rows:
        terminalreporter.section("key press to painted change, in milliseconds")
        line(f"{'':58}{'answers':>9}{'median':>8}{'most':>7}{'moves':>7}{'limit':>7}{'crowded':>9}")
    for name, answers, times, limit, crowding in rows:
        line(
            f"{name[:57]:58}{answers:>9}{driver.median(times):8.0f}{max(times, default=0):7.0f}{len(times):7}"
            f"{limit:7}{crowding:8.1f}x"
        )
    if any(crowding > 1.2 for *_, crowding in rows):
        line(
            "crowded: others worked here too, or the processor is slower, and the limit was stretched by as much"
        )
