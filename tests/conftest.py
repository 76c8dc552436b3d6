"""Settings of every test run."""

import os
import signal
import sys

import pytest

# With several pytest workers, each takes its share of the cores: two torches with two threads each on two
# cores are slower than with one. It must be said before torch is imported, and holds for child processes too.
workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if workers > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


# Minutes each: with several workers these come first, or one worker is left with one of them at the end.
LONG = ("test_without_models.py", "test_exercises.py", "test_pretrained.py", "test_nbval.py")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Beside other tests on the same cores, a second thread of torch's mostly waits, and keeps a core busy doing so."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def interrupts():
    """An interrupt raises KeyboardInterrupt, as in a terminal: a shell's background jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
