"""Files of measurements, read and written whole."""

import json

import pytest

from helpers.results import load_results, save_results

NAMES = {"format": "counts, version 1", "command": "python -m counts"}


def runs(found):
    return [run["n"] for run in found["runs"]]


def test_what_was_written_is_read(tmp_path):
    save_results(({"n": n} for n in (3, 5)), tmp_path / "x.json", **NAMES, floor=0.5)
    assert load_results(tmp_path / "x.json", runs, **NAMES) == [3, 5]
    assert json.loads((tmp_path / "x.json").read_text()) == {
        **NAMES,
        "floor": 0.5,
        "runs": [{"n": 3}, {"n": 5}],
    }
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]  # nothing unfinished is left


def test_letters_of_any_script_stay_letters(tmp_path):
    save_results([{"n": "नमस्ते"}], tmp_path / "x.json", **NAMES)
    assert "नमस्ते" in (tmp_path / "x.json").read_text(encoding="utf-8")
    assert load_results(tmp_path / "x.json", runs, **NAMES) == ["नमस्ते"]


def test_a_run_that_fails_leaves_the_old_file_as_it_was(tmp_path):
    save_results([{"n": 1}], tmp_path / "x.json", **NAMES)

    def half():
        yield {"n": 2}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_results(half(), tmp_path / "x.json", **NAMES)
    assert load_results(tmp_path / "x.json", runs, **NAMES) == [1]
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]


def test_a_file_that_is_not_there_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.json, which is not there; python -m counts makes it$"):
        load_results(tmp_path / "x.json", runs, **NAMES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "must be whole, got a file that is damaged"),
        ("{", "must be whole, got a file that is damaged"),
        ("7", "must say that its format is 'counts, version 1', it does not"),
        ('{"format": "counts, version 2", "runs": []}', "must say that its format is 'counts, version 1'"),
        (
            '{"format": "counts, version 1"}',
            r"must hold whole runs, got one that does not fit \(KeyError: 'runs'\)",
        ),
        ('{"format": "counts, version 1", "runs": [7]}', "must hold whole runs"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_a_sentence(tmp_path, content, message):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(
        ValueError, match=rf"^x\.json {message}.*; delete it, and python -m counts makes it anew$"
    ):
        load_results(path, runs, **NAMES)
