"""JupyterLab and Chromium, driven: what the tests in this folder stand on.

A `Lab` is JupyterLab on copies of the notebooks, with nobody's settings and no network. A `Notebook` is one of
them in a page: opened, run, saved, closed. An `Explorer` is one interactive output in it. Explorers are
found by their CSS class and their controls by their roles, so a new one is tested as soon as it is in a notebook.
"""

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Error, Page

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"]
INSTALL = (
    "apt install chromium, or .venv/bin/python -m playwright install chromium, or name one: CHROMIUM=/path"
)

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
WIDTHS = (1100, 420)  # CSS pixels of the window
HEIGHT = 900
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
BROKEN = ("model not found", "Error displaying widget", "Loading widget")
LATENCY = "latency"  # a property of a test: (what, answers, milliseconds, limit, crowding)
QUIET = {"browser": 120, "kernel": 450, "model": 900}  # ms without change after which a move is over
ARITHMETIC = 115  # ms for uth.arithmetic on two idle cores such as the limits are for (80 to 111 measured)
MEMORY = 10  # ms to sum 128 MB there (8 to 9 measured)
NO_KERNEL = {"shouldStart": False, "canStart": False}

SCRIPT = (Path(__file__).parent / "driver.js").read_text(encoding="utf-8")


def launch(playwright):
    """A browser: Chromium or Chrome of this machine, else Playwright's own; None where there is neither."""
    named = os.environ.get("CHROMIUM")
    if named and not shutil.which(named):
        raise ValueError(f"CHROMIUM must be a program that runs, got {named!r}")
    path = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path:
        return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
    with contextlib.suppress(Error):
        return playwright.chromium.launch(args=ARGUMENTS)
    fetch = [sys.executable, "-m", "playwright", "install", "chromium", "--only-shell"]
    with contextlib.suppress(subprocess.TimeoutExpired, Error):
        subprocess.run(fetch, capture_output=True, timeout=180, check=False)
        return playwright.chromium.launch(args=ARGUMENTS)
    return None


class Lab:
    """JupyterLab in a folder of its own; `url` is where it answers."""

    def __init__(self, folder, environment):
        self.root = folder / "notebooks"
        shutil.copytree(ROOT / "notebooks", self.root, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        self._settings(folder / "settings")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self.log = f"http://127.0.0.1:{port}", folder / "lab.log"
        own = {
            name: str(folder / name.lower())
            for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
                    *(f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token="),
                    *("--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={self.root}"),
                    f"--LabApp.workspaces_dir={folder / 'workspaces'}",
                    f"--LabApp.user_settings_dir={folder / 'settings'}",
                    "--LabApp.expose_app_in_browser=True",
                ],
                env=os.environ
                | environment
                | own
                | {"JUPYTER_PREFER_ENV_PATH": "1", "OMP_NUM_THREADS": "1", "JUPYTER_PLATFORM_DIRS": "0"},
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(self.url + "/api", timeout=5)
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()}") from None
                time.sleep(0.2)

    @staticmethod
    def _settings(folder):
        """No news over the notebook, and no autosave that comes between two steps of a test."""
        settings = {
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
            "docmanager-extension/plugin": {"autosave": False},
        }
        for name, value in settings.items():
            path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(value))

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Watch:
    """What a page did that it should not: errors nobody caught, requests to other machines."""

    def __init__(self, page: Page):
        self.errors, self.outside = [], []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda websocket: self._asked(websocket.url))

    def _console(self, message):
        if message.type == "error" and "anywidget" in message.text:
            self.errors.append(message.text)

    def _asked(self, url):
        here = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
        if not url.startswith(here):
            self.outside.append(url)


KEYS = {  # kind of control: forward, backward
    "range": ("ArrowRight", "ArrowLeft"),
    "radio": ("ArrowRight", "ArrowLeft"),
    "select": ("ArrowDown", "ArrowUp"),
    "number": ("ArrowUp", "ArrowDown"),
    "check": ("Space", "Space"),
}


class Notebook:
    """A notebook in a page of JupyterLab; `path` is relative to the lab's root."""

    def __init__(self, page: Page, lab: Lab, path: str):
        self.page, self.lab, self.path = page, lab, path
        self.watch = Watch(page)

    def open(self, kernel=True):
        """Open it in a fresh JupyterLab. Without `kernel`, none is started."""
        page = self.page
        page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
        workspace = self.path.replace(".", "-").replace("/", "-")
        page.goto(f"{self.lab.url}/lab/workspaces/{workspace}?reset")
        page.wait_for_function("window.jupyterapp?.restored", timeout=60_000)
        page.evaluate(SCRIPT)
        page.evaluate(
            "([path, kernel]) => uth.open(path, kernel)", [self.path, None if kernel else NO_KERNEL]
        )
        return self

    def run(self):
        """Run all cells; what the cells that raised said, an empty list when none did."""
        self.page.evaluate("() => uth.runAll()")
        self.page.wait_for_timeout(300)
        return self.page.evaluate("() => uth.errors()")

    def save(self):
        self.page.evaluate("() => uth.save()")

    def saved(self):
        """What is in the file."""
        return json.loads((self.lab.root / self.path).read_text(encoding="utf-8"))

    def close(self, save=False):
        """End the kernel and close the page, after saving if so wished."""
        if self.page.is_closed():
            return
        if save:
            self.save()
        self.page.evaluate("() => uth.shutDown()")
        self.page.close()

    def restart(self):
        self.page.evaluate("() => uth.restart()")

    def theme(self, name):
        if self.page.evaluate("name => uth.theme(name)", THEMES[name]):
            self.page.wait_for_timeout(300)

    def width(self, pixels):
        self.page.set_viewport_size({"width": pixels, "height": HEIGHT})
        self.page.wait_for_timeout(250)

    def explorers(self):
        """The explorers that are shown now, from the first to the last."""
        return [
            Explorer(self.page, number, about)
            for number, about in enumerate(self.page.evaluate("() => uth.explorers()"))
        ]

    def wait_for_explorers(self, count):
        try:
            self.page.wait_for_function("count => uth.explorers().length >= count", arg=count, timeout=60_000)
        except Error:
            raise AssertionError(f"{count} explorers were expected: {self.widgets()}") from None
        return self.explorers()

    def widgets(self):
        """Of each widget's output: {cell, text, images (alternative texts of those that are loaded), alive}."""
        return self.page.evaluate("() => uth.widgets()")

    def too_wide(self):
        """Explorers that are wider than the room they have."""
        return self.page.evaluate("() => uth.tooWide()")

    def violations(self):
        """What axe finds in the outputs: a sentence for each rule and element."""
        if not self.page.evaluate("() => Boolean(window.axe)"):
            self.page.evaluate(AXE_SCRIPT)
        return self.page.evaluate("tags => uth.axe(tags)", WCAG)

    def photograph(self, folder):
        """A screenshot of each explorer and of each other output with pictures or chips; the paths."""
        folder.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size
        self.page.set_viewport_size(size | {"height": 2600})  # so that nothing is taller than the window
        self.page.wait_for_timeout(250)
        names = self.page.evaluate("() => uth.pictures()")
        paths = []
        for number, name in enumerate(names):
            element = self.page.locator(f"[data-uth-picture='{number}']")
            paths.append(folder / f"{name}.png")
            element.screenshot(path=paths[-1], animations="disabled")
        self.page.set_viewport_size(size)
        return paths


class Explorer:
    """One explorer of a notebook: `name` for tables, `answers` ("browser", "kernel" or "model"), `controls`."""

    def __init__(self, page: Page, number: int, about: dict):
        self.page, self.number = page, number
        self.name, self.answers, self.cell = about["name"], about["answers"], about["cell"]

    @property
    def element(self):
        return self.page.locator(f"[data-uth-explorer='{self.number}']")

    def controls(self):
        """Of each control: key, kind, disabled, tab (Tab stops here), text, answers ("browser", "kernel" or "model"), name (as
        a screen reader says it), group (what stands above several radio buttons, else the name)."""
        found = self.page.evaluate("number => uth.controls(number)", self.number)
        for control in found:
            control["name"] = self._accessible_name(control["key"])
            control["group"] = control["group"] or control["name"]
        return found

    def control(self, key):
        """The control with this key, or None where it is no longer there or can't be used now."""
        if not self.page.evaluate("([number, key]) => uth.mark(number, key)", [self.number, key]):
            return None
        return self.element.locator("[data-uth-now]")

    def _accessible_name(self, key):
        control = self.control(key)
        if control is None:
            return ""
        line = control.aria_snapshot().splitlines()[0]
        return line.split('"')[1] if '"' in line else ""

    def tab_through(self):
        """Keys of what Tab reaches, in order, each with whether one can see that it has the focus."""
        self.element.scroll_into_view_if_needed()
        self.page.evaluate("number => uth.focusBefore(number)", self.number)
        reached = []
        for _ in range(400):
            self.page.keyboard.press("Tab")
            now = self.page.evaluate("number => uth.focused(number)", self.number)
            if now is None:
                return reached
            reached.append(now)
        raise AssertionError(f"{self.name}: Tab never leaves it")

    def press(self, control, back=False):
        """Move a control by keyboard, there or back. It has the focus afterwards."""
        self.control(control["key"]).focus()
        kind = control["kind"]
        if kind in KEYS:
            forward, backward = KEYS[kind]
            at_end = self.page.evaluate("() => uth.atEnd()")
            self.page.keyboard.press(backward if back or at_end else forward)
        elif kind == "text":
            self.page.keyboard.press("End")
            self.page.keyboard.press("Backspace" if back else "e")
        else:
            self.page.keyboard.press("Enter")

    def view(self, status=False):
        """A text that is another one when another thing is seen; with `status`, the spoken line counts too."""
        return self.page.evaluate("([number, status]) => uth.view(number, status)", [self.number, status])

    def changes(self, before, status=False, timeout=4000):
        """Wait until the view is no longer `before`; False if that does not happen."""
        try:
            self.page.wait_for_function(
                "([number, before, status]) => uth.view(number, status) !== before",
                arg=[self.number, before, status],
                timeout=timeout,
            )
        except Error:
            return False
        return True

    def usable(self, control):
        return self.page.evaluate("([number, key]) => uth.usable(number, key)", [self.number, control["key"]])

    def moves(self, control):
        """Whether the view changes when this control is moved by keyboard; None where it is not there now."""
        if self.control(control["key"]) is None:
            return None
        if not self.usable(control):
            return False
        # A button may answer with a word alone ("copied"), a text with what is wrong with it.
        status = control["kind"] in ("button", "text")
        before = self.view(status)
        self.press(control)
        changed = self.changes(before, status)
        if not changed and control["kind"] == "text":
            self.page.keyboard.press("Enter")
            changed = self.changes(before, status)
        self.settle()
        if (
            control["kind"] == "text"
        ):  # a letter too many may be wrong here, and then nothing else would answer
            self.press(control, back=True)
            self.settle()
        return changed

    def value(self, control):
        """Where a control stands."""
        return self.control(control["key"]).evaluate(
            "element => String(element.type === 'radio' ? element.checked : element.value ?? element.ariaValueNow)"
        )

    def says_soon(self, text, seconds):
        """Whether it says this within so many seconds."""
        try:
            self.wait_until_it_says(text, seconds)
        except Error:
            return False
        return True

    def wait_until_it_says(self, text, seconds):
        self.page.wait_for_function(
            "([number, text]) => uth.says(number).includes(text)",
            arg=[self.number, text],
            timeout=1000 * seconds,
        )

    def settle(self, still=150):
        """Wait until nothing has changed for so many ms (10 s at most)."""
        self.page.evaluate("([number, still]) => uth.settled(number, still)", [self.number, still])

    def latencies(self, control, times=11):
        """Milliseconds from key press to painted change, of this many moves to and fro; [] if the first does nothing."""
        measured = []
        quiet = QUIET[control["answers"]]
        for move in range(times):
            if self.control(control["key"]) is None:
                break
            clock = "([number, quiet, spoken]) => uth.clock(number, quiet, spoken)"
            self.page.evaluate(clock, [self.number, quiet, control["kind"] == "text"])
            self.press(control, back=move % 2 == 1)
            milliseconds = self.page.evaluate("() => uth.measured(4000)")
            if milliseconds is not None:
                measured.append(milliseconds)
            elif not measured:
                break
            self.settle(still=30)  # after the quiet that ends a move
        return measured

    def says(self):
        """All the text in it."""
        return self.page.evaluate("number => uth.says(number)", self.number)


def crowding(page, cpu_seconds=0.2):
    """How much longer work takes here than on an idle machine of the kind that the limits are for; 1 at least.

    Time over computing time says how much others work too; a fixed amount of arithmetic in the browser, how slow the
    processor is; a sum over more numbers than its cache holds, how slow the memory is, which a real model waits for.
    """
    start, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < cpu_seconds:
        sum(range(2000))
    others = (time.perf_counter() - start) / (time.process_time() - used)
    numbers = np.ones(16_000_000)
    start = time.perf_counter()
    for _ in range(3):
        numbers.sum()
    memory = (time.perf_counter() - start) * 1000 / 3
    return max(1.0, others, page.evaluate("() => uth.arithmetic()") / ARITHMETIC, memory / MEMORY)


def median(values):
    return statistics.median(values) if values else float("nan")
