"""The commands of the README: what make would do on machines that are not this one.

Nothing is installed. A stand-in for Python writes down how it was called, in a folder with a copy of the Makefile.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKE = shutil.which("make")

pytestmark = pytest.mark.skipif(
    MAKE is None or sys.platform == "win32",
    reason="make is not here: the README's pip lines are for this machine",
)

STAND_IN = """#!/bin/sh
case "$*" in
  *version_info*) exit {too_old} ;;
  *ensurepip*) exit {no_venv} ;;
esac
echo "$@" >> "{log}"
case "$*" in
  *" venv "*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *"{fails}"*) echo "a long complaint" >&2; exit 1 ;;
esac
"""


class Machine:
    """A folder with the Makefile, and a PATH that holds the system's tools and one stand-in for Python."""

    def __init__(self, folder):
        self.folder, self.log, self.path = folder, folder / "log", folder / "bin"
        self.path.mkdir()
        for tool in (
            "sh",
            "sed",
            "awk",
            "cut",
            "cksum",
            "printf",
            "mkdir",
            "touch",
            "cp",
            "id",
            "uname",
            "test",
            "echo",
            "env",
        ):
            if shutil.which(tool):
                (self.path / tool).symlink_to(shutil.which(tool))
        for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml", "setup.py"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "jupyter_settings", folder / "jupyter_settings")

    def python(self, name="python3", too_old=0, no_venv=0, fails="nothing fails"):
        self.tool(name, STAND_IN.format(log=self.log, too_old=too_old, no_venv=no_venv, fails=fails))

    def tool(self, name, text="#!/bin/sh\n"):
        (self.path / name).unlink(missing_ok=True)
        (self.path / name).write_text(text)
        (self.path / name).chmod(0o755)

    def make(self, *arguments):
        """Run make; (exit code, all it printed, how Python was called this time)."""
        self.log.write_text("")
        done = subprocess.run(
            [MAKE, *arguments],
            cwd=self.folder,
            env={"PATH": str(self.path), "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr, self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    made.tool("uname", "#!/bin/sh\necho Linux\n")
    return made


def asked_for_cpu(calls):
    return [call for call in calls if "+cpu" in call]


def test_help_is_the_default_and_names_every_target(machine):
    machine.python()
    code, printed, calls = machine.make()
    assert (code, calls) == (0, [])
    for target in ("lab", "setup", "models", "test", "test-shake", "notebooks", "lint", "bench", "help"):
        assert f"make {target} " in printed


@pytest.mark.parametrize(
    "target", ["lab", "test", "setup", "notebooks", "lint", "bench", "models", "test-shake"]
)
def test_each_target_works_alone_on_a_fresh_clone(machine, target):
    machine.python()
    code, printed, calls = machine.make(target)
    assert code == 0, printed
    assert calls[0] == "-m venv --clear .venv"
    assert any("-r requirements.txt" in call for call in calls)
    assert any("--no-deps --editable ." in call for call in calls)


def test_second_set_up_installs_nothing(machine):
    machine.python()
    assert machine.make("setup")[0] == 0
    started = time.perf_counter()
    assert machine.make("setup") == (0, "", ["-m helpers.pretrained"]), "the models look after themselves"
    assert time.perf_counter() - started < 2


def test_changed_requirements_are_installed_and_only_those(machine):
    machine.python()
    machine.make("setup")
    later = time.time() + 10
    os.utime(machine.folder / "requirements-dev.txt", (later, later))
    calls = machine.make("setup")[2]
    assert any("-r requirements-dev.txt" in call for call in calls)
    assert not any("-r requirements.txt" in call for call in calls)
    os.utime(machine.folder / "requirements.txt", (later + 10, later + 10))
    assert any("-r requirements.txt" in call for call in machine.make("setup")[2])


def test_changed_settings_of_jupyter_are_installed(machine):
    machine.python()
    machine.make("setup")
    later = time.time() + 10
    os.utime(machine.folder / "jupyter_settings/lab/under-the-hood.json", (later, later))
    assert any("--editable ." in call for call in machine.make("setup")[2])


def test_tests_in_a_browser_have_the_machine_to_themselves(machine):
    machine.python()
    parts = [call for call in machine.make("test")[2] if call.startswith("-m pytest")]
    assert "--ignore=tests/browser" in next(call for call in parts if "--dist loadfile" in call)
    assert parts[-1] == machine.make("test-browser")[2][-1] == "-m pytest tests/browser -n 2 --dist loadscope"


def test_lab_is_for_learners_and_opens_the_first_notebook(machine):
    machine.python()
    _, _, calls = machine.make("lab", "LAB=--no-browser")
    assert not any("requirements-dev" in call for call in calls)
    assert calls[-2] == "-m helpers.pretrained"
    assert calls[-1].startswith("-m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb")
    assert calls[-1].endswith("--no-browser")


def test_lab_goes_on_without_models_and_set_up_does_not(machine):
    machine.python(fails="helpers.pretrained")
    code, printed, calls = machine.make("lab")
    assert code == 0
    assert "Going on without the real models" in printed
    assert "jupyterlab" in calls[-1]
    assert machine.make("setup")[0] != 0


def test_interrupted_set_up_goes_on_where_it_stopped(machine):
    machine.python(fails="-r requirements.txt")
    assert machine.make("setup")[0] != 0
    machine.python()
    shutil.copy(machine.path / "python3", machine.folder / ".venv/bin/python")
    code, _, calls = machine.make("setup")
    assert code == 0
    assert any("-r requirements.txt" in call for call in calls)
    assert not any("venv" in call for call in calls)


def test_environment_does_not_survive_a_move(machine, tmp_path_factory):
    machine.python()
    machine.make("setup")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved"
    shutil.copytree(machine.folder, elsewhere, symlinks=True)
    machine.folder = elsewhere
    assert any("--editable ." in call for call in machine.make("setup")[2])


def test_cpu_build_of_torch_first_on_linux_without_nvidia(machine):
    machine.python()
    calls = machine.make("setup")[2]
    (cpu,) = asked_for_cpu(calls)
    torch = next(
        line.split()[0]
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line.startswith("torch")
    )
    assert cpu.endswith(
        f"--no-deps --retries 1 --timeout 10 --index-url https://download.pytorch.org/whl/cpu {torch}+cpu"
    )
    assert calls.index(cpu) < next(i for i, call in enumerate(calls) if "-r requirements.txt" in call)


def test_cpu_build_out_of_reach_leaves_it_to_the_plain_pin(machine):
    machine.python(fails="whl/cpu")
    code, printed, calls = machine.make("setup")
    assert code == 0
    assert "out of reach, so the plain one it is" in printed
    assert "a long complaint" not in printed
    assert any("-r requirements.txt" in call for call in calls)


@pytest.mark.parametrize("machine_has", ["NVIDIA", "macOS"])
def test_plain_torch_elsewhere(machine, machine_has):
    machine.python()
    if machine_has == "NVIDIA":
        machine.tool("nvidia-smi")
    else:
        machine.tool("uname", "#!/bin/sh\necho Darwin\n")
    assert asked_for_cpu(machine.make("setup")[2]) == []


def test_the_newest_python_that_is_there_is_taken(machine):
    machine.python("python3", too_old=1)
    machine.python("python3.12")
    assert machine.make("setup")[0] == 0
    machine.python("python3.12", too_old=1)
    shutil.rmtree(machine.folder / ".venv")
    code, printed, calls = machine.make("setup")
    assert code != 0
    assert calls == []
    assert "Python 3.11 or newer is needed and none was found: install one, or say which" in printed


def test_named_python_that_is_too_old_is_refused(machine):
    machine.python("old", too_old=1)
    code, printed, calls = machine.make("setup", "PYTHON=old")
    assert code != 0
    assert calls == []
    assert "old is not Python 3.11 or newer: install one, or say which" in printed


def test_python_without_venv_says_what_to_install(machine):
    machine.python(no_venv=1)
    code, printed, calls = machine.make("setup")
    assert code != 0
    assert calls == []
    assert "install its venv package (Debian, Ubuntu: sudo apt install python3-venv)" in printed


def test_one_failing_part_fails_the_tests_and_the_others_still_run(machine):
    machine.python(fails="--most-seconds")
    code, _, calls = machine.make("test")
    assert code != 0
    assert len([call for call in calls if call.startswith("-m pytest")]) == 4
