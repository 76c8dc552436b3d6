"""The run of the notebooks is itself tested: a planted error must turn it red, and a limit must bite."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import notebook_guard as guard
import psutil
import pytest
from execute import METADATA, NOTEBOOKS
from nbval.plugin import get_sanitize_patterns
from nbval_plugin import share_of

TESTS = Path(__file__).parent


def nbval(path, *options):
    """Run one notebook as `make test` does; (exit code, what it printed). In its folder, other tests aside."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.nbval_plugin", "-p", "no:cacheprovider"]
    command += ["--color=no", "-c", os.devnull, "--rootdir", str(path.parent), *options, str(path)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout + done.stderr


def save(path, cells):
    """Write a notebook of (source, stdout) pairs, as if it had been executed."""
    notebook = nbformat.v4.new_notebook(metadata=METADATA)
    for number, (source, stdout) in enumerate(cells, 1):
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=stdout)] if stdout else []
        notebook.cells.append(nbformat.v4.new_code_cell(source, execution_count=number, outputs=outputs))
    nbformat.write(notebook, path)
    return path


def change_a_number(notebook):
    """Change one digit in the first stored output with a number, and cut the rest off; None if none has one."""
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code" or cell["metadata"].get("tags"):
            continue
        for output in cell["outputs"]:
            holder, key = (output, "text") if "text" in output else (output.get("data", {}), "text/plain")
            text = "".join(holder.get(key, ""))
            # a digit that is not part of an address, a size or a name
            digit = re.search(r"(?<![\w.<])[0-9](?=[0-9.,%\s)\]]|$)", text)
            if digit and not text.startswith("<"):
                new = str((int(digit.group()) + 1) % 10)
                holder[key] = text[: digit.start()] + new + text[digit.end() :]
                return notebook | {"cells": notebook["cells"][: number + 1]}
    return None


def test_one_changed_number_in_a_real_notebook_turns_the_run_red(tmp_path):
    """The negative control: if this passes, a stored output that is wrong can't."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        original = json.loads(path.read_text(encoding="utf-8"))
        changed = change_a_number(json.loads(path.read_text(encoding="utf-8")))
        if changed:
            break
    else:
        pytest.skip("no notebook stores a number yet")
    cells = len(changed["cells"])
    right, wrong = tmp_path / "right.ipynb", tmp_path / "wrong.ipynb"
    for file in path.parent.iterdir():  # what its cells may read
        if file.suffix != ".ipynb":
            (tmp_path / file.name).symlink_to(file)
    right.write_text(json.dumps(original | {"cells": original["cells"][:cells]}), encoding="utf-8")
    wrong.write_text(json.dumps(changed), encoding="utf-8")
    code, printed = nbval(right)
    assert code == 0, printed
    code, printed = nbval(wrong)
    assert code == 1, printed
    assert "Cell outputs differ" in printed
    assert "1 failed" in printed, "the changed cell and no other"


def test_every_output_is_compared(tmp_path):
    cells = [("print(6 * 7)", stored) for stored in ("42\n", "43\n", "42\n42\n", "42")]
    code, printed = nbval(save(tmp_path / "a.ipynb", [*cells, ("6 * 7", ""), ("x = 6 * 7", "")]))
    assert code == 1
    failed = re.findall(r"^FAILED .*Cell (\d)", printed, re.M)
    assert failed == ["1", "2", "3", "4"], printed


def test_stripped_notebook_passes_nbval_and_not_the_guard(tmp_path):
    """Why the guard exists: nbval compares nothing in a cell that was never executed."""
    path = save(tmp_path / "a.ipynb", [("print(6 * 7)", "")])
    notebook = json.loads(path.read_text())
    assert nbval(path)[0] == 1
    assert guard.problems(notebook, "a") == []

    notebook["cells"][0]["execution_count"] = None
    path.write_text(json.dumps(notebook))
    assert nbval(path)[0] == 0
    assert "was not executed" in guard.problems(notebook, "a")[0]


def test_limits_and_the_table(tmp_path):
    path = save(
        tmp_path / "slow.ipynb", [("import time; time.sleep(1.5)", ""), ("big = b'x' * 400_000_000", "")]
    )
    code, printed = nbval(path)
    assert code == 0, printed
    seconds, megabytes = map(float, re.search(r"slow\.ipynb +([\d.]+) s +(\d+) MB", printed).groups())
    assert 1.5 < seconds < 60
    assert 400 < megabytes < 900
    assert "no limits in this run" in printed

    code, printed = nbval(path, "--most-seconds", "1", "--most-megabytes", "300")
    assert code == 1
    assert re.search(
        r"slow\.ipynb: [\d.]+ s, and the limit is 1 s; [\d.]+ MB, and the limit is 300 MB", printed
    )
    assert "limits: 1 s, 300 MB" in printed


def test_memory_of_child_processes_counts(tmp_path):
    child = "import time; big = b'x' * 300_000_000; time.sleep(1.5)"
    source = f"import subprocess, sys\nr = subprocess.run([sys.executable, '-c', {child!r}])"
    code, printed = nbval(save(tmp_path / "parent.ipynb", [(source, "")]), "--most-megabytes", "300")
    assert code == 1, printed
    assert "the limit is 300 MB" in printed


def test_kernel_and_its_children_have_no_network(tmp_path):
    connect = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    look_up = "import urllib.request; urllib.request.build_opener().open('http://example.org')"
    bare = "import socket; socket.getaddrinfo('example.org', 80)"
    local = (
        "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "print(socket.create_connection(server.getsockname()).getpeername()[0])"
    )
    sources = [(connect, ""), (look_up, ""), (bare, ""), (local, "127.0.0.1\n")]
    run = f"subprocess.run([sys.executable, '-c', {connect!r}], capture_output=True, text=True)"
    sources += [(f"import subprocess, sys\nprint('no network in the tests' in {run}.stderr)", "True\n")]
    started = time.perf_counter()
    code, printed = nbval(save(tmp_path / "net.ipynb", sources))
    assert time.perf_counter() - started < 30, "a cell waits for a network that is not there"
    assert code == 1
    assert "3 failed, 3 passed" in printed, printed
    assert "no network in the tests, and this asked for 192.0.2.1" in printed
    assert "no network in the tests, and this asked for example.org" in printed
    assert "Connection refused" in printed, "a proxy leads nowhere"


PRINTED = {  # what the sanitizer makes equal, and what stays different beside it
    "PICTURE": ('<img alt="{}" src="data:image/png;base64,{}">', ("iVBORw0/+Kg==", "iVBORw0KAAA=")),
    "ADDRESS": ("<{} object at {}>", ("0x7f3a1c2b4d60", "0x7f00aa00bb00")),
    "CELL": ("{} in {}", ("/tmp/ipykernel_123/456.py", "C:\\t\\ipykernel_9\\8.py")),
    "SPEED": ("{}: 100%|#| 3/3 [{}]", ("00:01<00:00,  2.50it/s", "01:10<00:00, 9.9kB/s")),
}


@pytest.mark.parametrize("replacement", PRINTED)
def test_sanitizer(replacement):
    patterns = dict(get_sanitize_patterns((TESTS / "nbval_sanitize.cfg").read_text()))
    assert sorted(patterns.values()) == sorted(PRINTED), "each pair has its case here"

    def clean(text):
        for pattern, new in patterns.items():
            text = re.sub(pattern, new, text)
        return text

    template, (one, other) = PRINTED[replacement]
    assert clean(template.format("a fox", one)) == clean(template.format("a fox", other))
    assert replacement in clean(template.format("a fox", one))
    assert clean(template.format("a fox", one)) != clean(template.format("a hen", one))


def test_sanitizer_leaves_numbers_alone():
    patterns = get_sanitize_patterns((TESTS / "nbval_sanitize.cfg").read_text())
    for text in ("0.77", "[13225, 11, 5922]", "0x41", "loss 2.031 after 1,200 steps", "3/4", "12:30"):
        assert not any(re.search(pattern, text) for pattern, _ in patterns), text


FORKS = """
import os, time
numbers = bytearray(os.urandom(1)) * 100_000_000
os.fork()
os.write(1, b"here\\n")
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells what is shared")
def test_memory_that_two_processes_share_counts_once():
    """100 MB in a process and its fork: resident in both, and once on the machine."""
    parent = subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE, text=True)
    try:
        assert [parent.stdout.readline().strip() for _ in range(2)] == ["here", "here"]
        both = [psutil.Process(parent.pid), *psutil.Process(parent.pid).children()]
        assert len(both) == 2
        assert sum(process.memory_info().rss for process in both) > 200e6
        assert 100e6 < sum(share_of(process) for process in both) < 150e6
    finally:
        for process in psutil.Process(parent.pid).children():
            process.kill()
        parent.kill()
        parent.wait()
