"""Files that must agree: README, Makefile, continuous integration, requirements, notebooks."""

import os
import re
import subprocess
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


def test_ci_runs_lint_and_what_the_readme_says(tmp_path):
    """The script itself, with a stand-in for make that writes down what it is asked for."""
    for name in (".ci/run", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    assert os.access(ROOT / ".ci/run", os.X_OK)
    make = tmp_path / "bin" / "make"
    make.parent.mkdir()
    make.write_text(f'#!/bin/sh\necho "make $* CI=$CI" >> {tmp_path}/log\n[ "$*" != "$FAILS" ]\n')
    make.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key != "CI"}
    environment["PATH"] = f"{make.parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", tmp_path / ".ci/run"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").read_text().splitlines() == ["make lint CI=true", "make test CI=true"]
    for part in ("lint", "test"):
        failed = subprocess.run(
            ["bash", tmp_path / ".ci/run"],
            env=environment | {"FAILS": part},
            capture_output=True,
            check=False,
        )
        assert failed.returncode != 0, f"make {part} failed and .ci/run did not"


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
