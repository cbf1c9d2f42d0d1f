"""The main file and those beside it: read in order, each mistake at its own place, nothing hidden by another file."""

import os
from pathlib import Path

import pytest

from crewd.config import load
from crewd.errors import ConfigError


def test_workers_may_stand_in_conf_d(crew, folder):
    """Files are taken in the order of their names; the defaults of the main file reach them."""
    loaded = crew("defaults: {restart_sec: 9}", b="workers: {b: {command: x}}", a="workers: {a: {command: x}}")

    assert list(loaded.spec.workers) == ["a", "b"]
    assert {worker.policy.restart_sec for worker in loaded.spec.workers.values()} == {9.0}
    assert loaded.files == tuple(f"{folder}/{name}" for name in ("crewd.yaml", "conf.d/a.yaml", "conf.d/b.yaml"))
    assert loaded.warnings == ()


def test_the_file_of_a_package_has_a_worker_to_begin_with(crew):
    """None as it is installed; the one of the sample where its `#` are taken away."""
    shipped = (Path(__file__).parents[3] / "packaging/etc/crewd.yaml").read_text()
    begun = crew(shipped.replace("\n#  ", "\n  ")).spec.workers

    assert not crew(shipped).spec.workers
    assert [(name, worker.instances) for name, worker in begun.items()] == [("web", 1)]


def test_a_worker_in_two_files_names_both_places(refused):
    """So that one can be removed without a search."""
    assert refused("workers:\n  w: {command: x}\n", a="workers: {w: {command: y}}") == [
        "conf.d/a.yaml:1:11: workers.w: is configured twice, first in crewd.yaml:2: rename or remove one"
    ]


@pytest.mark.parametrize("section", ["crewd", "supervisord", "defaults"])
def test_only_workers_may_stand_in_conf_d(section, refused):
    """What concerns the whole crew has one place."""
    assert refused("workers: {}\n", a=f"workers: {{}}\n{section}: {{}}\n") == [
        f"conf.d/a.yaml:2:1: {section}: only workers may stand in conf.d: move it to the main file"
    ]


def test_a_syntax_error_hides_no_other_file(refused):
    """All files are read, and all that is wrong in them is told."""
    problems = refused("workers: {w: {command: 1}}", a="a: b: c", b="workers: {v: {}}")

    assert [problem.split(": ")[0] for problem in problems] == [
        "conf.d/a.yaml:1:5",
        "conf.d/b.yaml:1:11",
        "crewd.yaml:1:24",
    ]


def test_names_clash_across_files(refused):
    """The crew is one, however many files it is written in."""
    assert refused("workers: {a: {command: x}}", a="workers: {a-0: {command: x}}") == [
        "conf.d/a.yaml:1:11: workers.a-0: is also the name of instance 0 of the worker 'a': rename one"
    ]


def test_what_is_not_read_in_conf_d_is_said(crew, folder):
    """A file with the wrong ending is a mistake that shows nowhere else; hidden files are editors' business."""
    (folder / "conf.d").mkdir()
    for name in ("x.yml", ".x.yaml", "x.yaml~", "README"):
        (folder / "conf.d" / name).write_text("]")

    warnings = crew("workers: {}").warnings

    assert [str(warning).replace(f"{folder}/", "") for warning in warnings] == [
        "conf.d/x.yml:0:0: file: is not read: rename it to *.yaml"
    ]


def test_an_empty_file_in_conf_d_is_no_error(warned):
    """A worker that was commented out leaves such a file behind."""
    assert warned("workers: {}", a="# workers:\n") == ["conf.d/a.yaml:1:1: file: is empty"]


def test_a_missing_file_is_a_problem_of_its_own(folder):
    """The path is in the message."""
    with pytest.raises(ConfigError, match=r"none\.yaml:0:0: file: cannot be read: No such file or directory$"):
        load(f"{folder}/none.yaml")


def test_what_is_no_regular_file_is_not_opened_for_ever(folder):
    """Neither a pipe without a writer, nor a device without an end, nor a directory."""
    os.mkfifo(folder / "pipe")
    for path in (folder / "pipe", "/dev/zero", folder):
        with pytest.raises(ConfigError, match="file: cannot be read: it is not a regular file"):
            load(str(path))


def test_a_conf_d_that_cannot_be_listed_is_an_error(folder):
    """Else its workers would vanish from the crew."""
    (folder / "crewd.yaml").write_text("workers: {}")
    (folder / "conf.d").write_text("")

    with pytest.raises(ConfigError, match=r"conf\.d:0:0: file: cannot be read: Not a directory"):
        load(str(folder / "crewd.yaml"))


def test_a_file_beyond_the_limit_is_refused(refused):
    """Nobody writes 8 MiB of configuration by hand."""
    assert refused("#" * (8 * 1024 * 1024 + 1)) == ["crewd.yaml:0:0: file: cannot be read: it is larger than 8 MiB"]


def test_a_file_beside_the_working_directory_is_found(folder, monkeypatch):
    """A path without a directory has its conf.d in the working directory."""
    (folder / "conf.d").mkdir()
    (folder / "conf.d" / "a.yaml").write_text("workers: {a: {command: x}}")
    (folder / "crewd.yaml").write_text("crewd: {}")
    monkeypatch.chdir(folder)

    assert load("crewd.yaml").files == ("crewd.yaml", "conf.d/a.yaml")


def test_a_worker_may_be_named_like_an_instance_that_there_is_not(crew):
    """Slots begin at 0, and are written without leading zeros."""
    assert len(crew("workers: {a: {command: x}, a-1: {command: x}, a-00: {command: x}}").spec.workers) == 3
