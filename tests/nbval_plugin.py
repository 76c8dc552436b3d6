"""How a notebook is run under test: ``python -m pytest -p tests.nbval_plugin notebooks``.

nbval runs the cells in a fresh kernel and compares every stored output. This plugin sets nbval's options in
one place, gives the kernel no network and nobody's settings, and adds a last item to each notebook, ``whole``:
its seconds and its peak memory, for the table at the end of the run, and against ``--most-seconds`` and
``--most-megabytes`` where these are given.
"""

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest
from nbval.plugin import IPyNbFile

try:
    from tests import offline
except ImportError:  # collected for its doctests, with this folder itself on the path
    import offline

TESTS = Path(__file__).parent
RESULT = "notebook"
PROBE = (
    "__import__('socket').create_connection(('192.0.2.1', 80), 1)"  # an address reserved for documentation
)


def pytest_addoption(parser):
    group = parser.getgroup("notebooks")
    group.addoption(
        "--most-seconds", type=float, help="fail a notebook that takes longer, kernel start included"
    )
    group.addoption(
        "--most-megabytes", type=float, help="fail a notebook whose kernel and children hold more"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    option = config.option
    option.nbval = True
    option.nbval_current_env = True  # this Python, whatever kernels are installed on the machine
    option.nbval_sanitize_with = str(TESTS / "nbval_sanitize.cfg")
    option.nbval_cell_timeout = 300
    folder = tempfile.mkdtemp(prefix="nbval-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ.update(offline.environment(folder), IPYTHONDIR=folder)
    config.pluginmanager.register(Table(), "notebook-table")
    extend(IPyNbFile)


class Meter(threading.Thread):
    """Watches the memory of a process and its children, in bytes, until it is stopped.

    A page that several processes share, such as torch's own code, is divided among them (Linux's "proportional set
    size"), because the limit of a Binder machine counts it once. Resident sizes would count it in each of them.
    """

    def __init__(self, pid, seconds_between=0.2):
        super().__init__(daemon=True)
        self.process, self.seconds_between = psutil.Process(pid), seconds_between
        self.peak, self.over = 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            self.look()
            self.over.wait(self.seconds_between)

    def look(self):
        most, total = high_water(self.process.pid), 0
        try:
            children = self.process.children(recursive=True)
            # Alone, a process shares with nobody that counts here. To ask for shares takes 25 ms, and slows it down.
            if children or not most:
                for process in [self.process, *children]:
                    total += share_of(process)
        except psutil.NoSuchProcess:  # a child that ended while it was counted: the next look is not far
            pass
        self.peak = max(self.peak, total, most)

    def stop(self):
        self.look()
        self.over.set()
        self.join()
        return self.peak


def share_of(process):
    """A process's memory in bytes, with its part of what it shares; where the system does not tell (macOS), all."""
    try:
        return process.memory_full_info().pss
    except (AttributeError, psutil.AccessDenied):
        return process.memory_info().rss


def high_water(pid):
    """The most resident memory a process ever had, in bytes, where the system keeps count (Linux); else 0."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


class Whole(pytest.Item):
    """The last item of a notebook: it had no network, and it kept to its seconds and its memory."""

    def runtest(self):
        notebook = self.parent
        seconds, peak = time.perf_counter() - notebook.started, notebook.meter.stop()
        self.user_properties.append((RESULT, [notebook.path.name, seconds, peak / 1e6]))
        reply = notebook.kernel.kc.execute_interactive(
            PROBE, silent=True, timeout=10, output_hook=lambda message: None
        )
        error = reply["content"].get("evalue", "it connected")
        if offline.MESSAGE not in error:
            pytest.fail(f"this notebook's kernel had a network: {error}")
        limits = self.config.option.most_seconds, self.config.option.most_megabytes
        over = [
            f"{value:.1f} {unit}, and the limit is {limit:g} {unit}"
            for value, limit, unit in zip((seconds, peak / 1e6), limits, ("s", "MB"), strict=True)
            if limit is not None and value > limit
        ]
        if over:
            pytest.fail("; ".join(over))

    def repr_failure(self, excinfo, style=None):
        return f"{self.path.name}: {excinfo.value}"

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}::whole"


def extend(cls):
    """nbval's collector of one notebook, with a clock, a meter and the last item."""
    set_up, collect, tear_down = cls.setup, cls.collect, cls.teardown

    def setup(self):
        self.started = time.perf_counter()
        set_up(self)
        self.meter = Meter(self.kernel.km.provisioner.pid)
        self.meter.start()

    def collect_all(self):
        yield from collect(self)
        yield Whole.from_parent(self, name="whole")

    def teardown(self):
        if hasattr(self, "meter"):
            self.meter.over.set()
        tear_down(self)

    cls.setup, cls.collect, cls.teardown = setup, collect_all, teardown


class Table:
    """Collects what every ``Whole`` measured, also from xdist's workers, and prints it last."""

    def __init__(self):
        self.rows = []

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.rows += [value for name, value in report.user_properties if name == RESULT]

    def pytest_terminal_summary(self, terminalreporter, config):
        if not self.rows:
            return
        terminalreporter.section("notebooks: no network, seconds, peak memory")
        for name, seconds, megabytes in sorted(self.rows):
            terminalreporter.line(f"{name:40}{seconds:8.1f} s{megabytes:10.0f} MB")
        limits = [
            f"{value:g} {unit}"
            for value, unit in ((config.option.most_seconds, "s"), (config.option.most_megabytes, "MB"))
            if value is not None
        ]
        terminalreporter.line(f"limits: {', '.join(limits)}" if limits else "no limits in this run")
