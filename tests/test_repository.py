"""Files that must agree: README, Makefile, continuous integration, requirements, notebooks."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tracked():
    """Files that git tracks, or would: what a fresh clone holds. Skips where this is no clone."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git repository")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def fenced(text):
    return re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)


def test_readme_shows_the_two_commands_first():
    first = fenced(README)[0].splitlines()
    assert [line.partition("#")[0].strip() for line in first] == ["make lab", "make test"]


SYSTEM = ("bash", "sed", "head", "dirname", "env", "grep", "cat", "chmod")
FONTS = ["fonts-dejavu-core", "fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji"]


@pytest.fixture
def ci(tmp_path):
    """Runs .ci/run on a machine made of stand-ins that write down how they are called: (exit code, log, complaint)."""
    for name in (".ci/run", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "bin").mkdir()
    for name in SYSTEM:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))

    def stand_in(name, script="exit 0"):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    def run(*there, apt_get='echo "apt-get $*" >> log', **environment):
        stand_in("python3")
        stand_in("git")
        stand_in("id", "echo 0")
        stand_in("make", 'echo "make $* CI=$CI" >> log; [ "$*" != "$FAILS" ]')
        stand_in("apt-get", apt_get)
        for name in there:
            stand_in(name, 'echo "install ok installed"')
        done = subprocess.run(
            ["bash", tmp_path / ".ci/run"],
            env={"PATH": str(tmp_path / "bin"), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        log = tmp_path / "log"
        return done.returncode, log.read_text().splitlines() if log.exists() else [], done.stderr

    return run


def test_ci_runs_lint_and_what_the_readme_says(ci):
    assert os.access(ROOT / ".ci/run", os.X_OK)
    code, log, complaint = ci("node", "chromium", "dpkg-query")
    assert code == 0, complaint
    assert log == ["make lint CI=true", "make test CI=true"]


@pytest.mark.parametrize("part", ["lint", "test"])
def test_ci_fails_with_its_parts(ci, part):
    assert ci("node", "chromium", "dpkg-query", FAILS=part)[0] != 0


def test_ci_installs_what_is_missing(ci):
    installs = (
        'echo "apt-get $*" >> log; for name in node chromium; do echo > bin/$name; chmod +x bin/$name; done'
    )
    code, log, complaint = ci(apt_get=installs)
    assert code == 0, complaint
    (install,) = [line for line in log if line.startswith("apt-get install")]
    assert install.split()[-6:] == ["nodejs", "chromium", *FONTS]
    assert log[-1] == "make test CI=true"


@pytest.mark.parametrize("missing", ["node", "chromium"])
def test_ci_fails_where_tests_would_be_skipped(ci, missing):
    there = {"node", "chromium", "dpkg-query"} - {missing}
    code, log, complaint = ci(*there)
    assert code != 0
    assert "would be skipped" in complaint
    assert not any(line.startswith("make") for line in log)


def test_installing_the_course_installs_the_settings_of_jupyter():
    """The two files stand where Jupyter reads them; an editable install, which make does, leaves data out by default."""
    for source, target in (
        ("lab", "share/jupyter/lab/settings/overrides.d"),
        ("server", "etc/jupyter/jupyter_server_config.d"),
    ):
        installed = Path(sys.prefix) / target / "under-the-hood.json"
        assert (
            installed.read_bytes()
            == (ROOT / "jupyter_settings" / source / "under-the-hood.json").read_bytes()
        )


def test_pip_lines_are_what_make_does():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    torch = re.search(r"^torch==[\d.]+", (ROOT / "requirements.txt").read_text(), re.M).group()
    unix, windows = (
        next(block for block in fenced(README) if start in block) for start in ("/bin/python", "\\python")
    )
    assert f"{torch}+cpu --index-url https://download.pytorch.org/whl/cpu" in unix
    for line in (
        "-m helpers.pretrained",
        "-m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb",
    ):
        assert line in makefile
        assert line in unix
        assert line in windows
    for line in ("-m pip install -r requirements.txt", "-m pip install --no-deps -e ."):
        assert line in unix
        assert line in windows


def test_organisation_and_repository_are_set_in_one_place():
    (link,) = re.findall(
        r"^\[binder\]: https://mybinder\.org/v2/gh/([\w.-]+/[\w.-]+)/HEAD\?urlpath=(\S+)$", README, re.M
    )
    assert link[1] == "lab/tree/notebooks/00_start_here.ipynb"
    places = [path for path in tracked() if link[0].encode() in path.read_bytes()]
    assert places == [ROOT / "README.md"]
    assert README.count(link[0]) == 1


def test_table_lists_every_notebook_and_no_other():
    linked = re.findall(r"^\| \[[^\]]+\]\((notebooks/[\w.]+)\) \| (\d+) \| ", README, re.M)
    there = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [name for name, _ in linked] == there


def test_links_in_the_readme_lead_somewhere():
    for target in re.findall(r"\]\(([^)\s]+)\)", README):
        if not target.startswith("https://"):
            assert (ROOT / target).exists(), target
    assert not re.search(r"!\[\s*\]", README), "a picture without alternative text"


def test_errors_that_the_readme_explains_are_the_ones_that_make_prints():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for sentence in (
        "Python 3.11 or newer is needed and none was found",
        "cannot make a virtual environment",
    ):
        assert sentence in README
        assert sentence in makefile


def test_no_tracked_file_names_a_folder_of_this_machine():
    own = [str(ROOT), str(Path.home())] if str(Path.home()) not in ("/", "/root") else [str(ROOT)]
    for path in tracked():
        content = path.read_bytes()
        for folder in own:
            assert f"{folder}/".encode() not in content, f"{path.name} names {folder}"


def test_licence():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("BSD 3-Clause License\n\nCopyright (c) 2026, the Under the Hood authors\n")
    assert 'license = "BSD-3-Clause"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_requirements_say_what_each_package_is_for():
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "-")):
                assert re.fullmatch(r"[\w-]+(?:==[\w.]+|>=[\w.]+,<[\w.]+) +# \w.+", line), line
