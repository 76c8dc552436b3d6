"""What mybinder.org would build, as repo2docker renders it. It needs no Docker, and proves wiring, not packages."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BINDER = ROOT / "binder"


@pytest.fixture(scope="module")
def rendered():
    """(Dockerfile, what repo2docker said about it)."""
    done = subprocess.run(
        [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_python_version(rendered):
    """runtime.txt must read exactly so: without it, or with a capital letter, Binder silently takes another."""
    assert (BINDER / "runtime.txt").read_text() == "python-3.11\n"
    assert "python=3.11" in rendered[1]


def test_order_of_the_steps(rendered):
    """Packages before the repository is copied, so that they stay cached when only notebooks change."""
    steps = [
        'pip install --no-cache-dir -r "binder/requirements.txt"',
        "src/ ${REPO_DIR}/\n",
        "USER ${NB_USER}\n\n# Make sure that postBuild",
        "RUN ./binder/postBuild",
        'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"',
    ]
    places = [rendered[0].find(step) for step in steps]
    assert -1 not in places, steps[places.index(-1)]
    assert places == sorted(places)


def test_models_fetched_while_building_are_found_when_it_runs(rendered):
    """The cache is in the home of the user who both builds and runs; only `$HOME/.cache` is assumed."""
    dockerfile = rendered[0]
    assert "HOME=/home/${NB_USER}" in dockerfile
    assert "XDG_CACHE_HOME" not in dockerfile
    assert "UNDER_THE_HOOD_CACHE" not in dockerfile
    last_user = re.findall(r"^USER (.*)$", dockerfile, re.M)[-1]
    assert last_user == "${NB_USER}", "postBuild and the notebooks run as the same user"


def pins(path):
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("-")]


def test_packages_are_the_learners_with_torch_for_cpu():
    learners = pins(ROOT / "requirements.txt")
    torch = [pin for pin in learners if pin.startswith("torch==")]
    assert len(torch) == 1
    assert pins(BINDER / "requirements.txt") == [pin + "+cpu" if pin in torch else pin for pin in learners]
    options = [
        line for line in (BINDER / "requirements.txt").read_text().splitlines() if line.startswith("-")
    ]
    assert options == ["--extra-index-url https://download.pytorch.org/whl/cpu"]


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_scripts(name):
    script = BINDER / name
    assert os.access(script, os.X_OK)
    assert script.read_bytes().startswith(b"#!/bin/bash\n")
    subprocess.run(["bash", "-n", script], check=True)
    assert "trust" not in script.read_text(), "a trusted notebook would run outputs that nobody made here"


def test_post_build_stops_at_the_first_error_and_fetches_the_models():
    lines = [line for line in (BINDER / "postBuild").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "set -eux"
    assert "pip install --no-cache-dir --no-deps ." in lines
    assert "python -m helpers.pretrained" in lines


def test_start_hands_over():
    command = [BINDER / "start", "sh", "-c", 'echo "$0 $1 threads=$OMP_NUM_THREADS"', "a word", "two words"]
    clean = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    for environment, threads in ((clean, "1"), (clean | {"OMP_NUM_THREADS": "3"}, "3")):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == f"a word two words threads={threads}\n"
