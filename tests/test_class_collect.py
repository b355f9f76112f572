"""What a class handed in is found, however it was packed, and nothing of it is trusted."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
from pathlib import Path

import pytest

from grader import registry
from grader.classroom import unpack as unpacking
from grader.classroom.collect import Class, collect
from grader.classroom.unpack import UnpackError, unpack

CODE = "def softmax(scores, axis=-1):\n    return scores\n"


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    folder = tmp_path / "submissions"
    folder.mkdir()
    return folder


def put(folder: Path, *names: str, text: str = CODE) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(folder: Path, **options: object) -> Class:
    return collect(folder, folder.parent / "scratch", registry.numbers(), **options)  # type: ignore[arg-type]


def pairs(class_: Class) -> set[tuple[str, int]]:
    return {(one.student, one.exercise) for one in class_.submissions}


def notebook(*cells: str) -> str:
    made = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def zipped(members: dict[str, str | bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return data.getvalue()


def test_a_folder_for_each_student(handed_in: Path) -> None:
    put(handed_in, "Ann/exercise_01.py", "Ann/exercise_03.ipynb", "Bob/work/Exercise 3.py", "李雷/ex07.py")
    (handed_in / "Empty").mkdir()
    class_ = found(handed_in)
    assert pairs(class_) == {("Ann", 1), ("Ann", 3), ("Bob", 3), ("李雷", 7)}
    assert class_.students == {"Ann", "Bob", "Empty", "李雷"}
    assert not class_.aside


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("Jane Doe_12345_assignsubmission_file_/exercise_01.py", "Jane Doe"),
        ("doejane_98765_1234567_exercise_01.py", "doejane"),
        ("doejane_LATE_98765_1234567_exercise_01.py", "doejane"),
        ("Attention 1_jdoe_attempt_2026-11-20-10-00-00_exercise_01.py", "jdoe"),
        ("Jane Doe - exercise_01.py", "Jane Doe"),
        ("jdoe_exercise_1.ipynb", "jdoe"),
    ],
)
def test_names_as_platforms_write_them(handed_in: Path, name: str, student: str) -> None:
    put(handed_in, name)
    assert pairs(found(handed_in)) == {(student, 1)}


def test_what_was_handed_in_again_counts(handed_in: Path) -> None:
    put(
        handed_in,
        "doejane_98765_111_exercise_01.py",
        "doejane_98765_112_exercise_01-1.py",
        "doejane_98765_113_exercise_01-2.py",
        "Quiz_bob_attempt_2026-11-19-09-00-00_exercise_01.py",
        "Quiz_bob_attempt_2026-11-20-09-00-00_exercise_01.py",
    )
    class_ = found(handed_in)
    files = {one.student: one.file for one in class_.submissions}
    assert files["doejane"].endswith("-2.py")
    assert "2026-11-20" in files["bob"]
    assert len(class_.aside) == 3


def test_equal_names_stay_two_students(handed_in: Path) -> None:
    for number in (11, 22):
        put(handed_in, f"Jane Doe_{number}_assignsubmission_file_/exercise_01.py")
    assert len(found(handed_in).students) == 2


def test_a_lesson_notebook_holds_several_exercises(handed_in: Path) -> None:
    cells = [
        "%%exercise exercise_01\n" + CODE,
        "%%exercise exercise_03\n1",
        "%%exercise exercise_02 --try\n1",
    ]
    put(handed_in, "Ann/01_softmax_attention.ipynb", text=notebook(*cells))
    assert pairs(found(handed_in)) == {("Ann", 1), ("Ann", 3)}


def test_what_is_none_is_told(handed_in: Path) -> None:
    put(handed_in, "Ann/notes.py", "Ann/exercise_77.py", "photo.png", "homework.py")
    put(
        handed_in, "Ann/.ipynb_checkpoints/exercise_01.py", "__MACOSX/exercise_01.py", ".git/exercise_01.py"
    )
    class_ = found(handed_in)
    assert not class_.submissions
    assert len(class_.aside) == 4
    assert class_.students == {"Ann"}


def test_links_and_pipes_are_not_followed(handed_in: Path, tmp_path: Path) -> None:
    put(handed_in, "Ann/exercise_01.py")
    (tmp_path / "secret").mkdir()
    put(tmp_path / "secret", "exercise_01.py")
    bob = handed_in / "Bob"
    bob.mkdir()
    (bob / "exercise_01.py").symlink_to(handed_in / "Ann" / "exercise_01.py")
    (bob / "more").symlink_to(tmp_path / "secret")
    (handed_in / "Carl").symlink_to(tmp_path / "secret")
    os.mkfifo(bob / "exercise_02.py")
    class_ = found(handed_in)
    problems = {one.exercise: one.problem for one in class_.submissions if one.student == "Bob"}
    assert "link" in problems[1]
    assert "no ordinary file" in problems[2]
    assert "Carl" not in class_.students
    assert all(one.digest for one in class_.submissions)


def test_a_zip_of_a_class_and_zips_of_students(handed_in: Path) -> None:
    inner = zipped({"work/exercise_03.py": CODE, "work/data.bin": b"0" * 100})
    data = zipped(
        {
            "course/Ann/exercise_01.py": CODE,
            "course/Bob/hand-in.zip": inner,
            "__MACOSX/course/._Bob": "x",
        }
    )
    archive = handed_in.parent / "all.zip"
    archive.write_bytes(data)
    assert pairs(found(archive)) == {("Ann", 1), ("Bob", 3)}
    (handed_in / "Carl.zip").write_bytes(inner)
    class_ = found(handed_in)
    assert pairs(class_) == {("Carl", 3)}
    assert class_.submissions[0].file == "work/exercise_03.py"


def test_a_name_that_is_no_text(handed_in: Path) -> None:
    folder = os.fsencode(handed_in) + b"/J\xe9r\xf4me"
    os.mkdir(folder)
    with open(folder + b"/exercise_01.py", "w") as file:
        file.write(CODE)
    (one,) = found(handed_in).submissions
    one.student.encode()
    one.file.encode()


def test_only_some_exercises_and_a_roster(handed_in: Path) -> None:
    put(handed_in, "Ann/exercise_01.py", "Ann/exercise_03.py")
    class_ = found(handed_in, only=[3], roster=["Ann", "Zoe"])
    assert pairs(class_) == {("Ann", 3)}
    assert class_.students == {"Ann", "Zoe"}


def test_members_that_lead_elsewhere_are_left_out(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("Ann/exercise_03.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../evil.py", CODE)
        archive.writestr("/etc/evil.py", CODE)
        archive.writestr("..\\evil.py", CODE)
        archive.writestr(link, "/etc/passwd")
        archive.writestr("Ann/exercise_01.py", CODE)
        archive.writestr("Ann/EXERCISE_01.PY", CODE)
    folder = unpack(tmp_path / "a.zip", tmp_path / "out", whole_class=True)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "a.zip"]
    assert all(path.is_relative_to(folder) for path in written)
    assert not any(path.is_symlink() for path in written)
    assert not Path("/etc/evil.py").exists()


@pytest.mark.parametrize("kind", ["bomb", "garbage", "cut", "many", "encrypted"])
def test_bad_zips_are_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped({f"exercise_{number:02d}.py": CODE for number in range(1, 9)})
    if kind == "bomb":
        data = zipped({"exercise_01.py": b"#" * (65 * 2**20)})
        assert len(data) < 2**20
    elif kind == "garbage":
        data = os.urandom(1000)
    elif kind == "cut":
        data = data[: len(data) // 2]
    elif kind == "many":
        data = zipped({f"{number}.txt": "" for number in range(2001)})
    else:
        flags = data.index(b"PK\x01\x02") + 8
        data = data[:flags] + b"\x01" + data[flags + 1 :]
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(UnpackError):
        unpack(path, tmp_path / "out", whole_class=False)
    assert sum(item.stat().st_size for item in (tmp_path / "out").rglob("*")) < 66 * 2**20


def test_a_bad_zip_of_one_student_leaves_the_others(handed_in: Path) -> None:
    put(handed_in, "Ann/exercise_01.py")
    (handed_in / "Bob").mkdir()
    (handed_in / "Bob" / "hand-in.zip").write_bytes(b"no zip")
    class_ = found(handed_in)
    assert pairs(class_) == {("Ann", 1)}
    assert class_.students == {"Ann", "Bob"}
    assert "not a zip file" in class_.aside[0].why


def test_long_names_are_shortened() -> None:
    assert len(unpacking._component("x" * 500 + ".py").encode()) <= 200
    assert unpacking._component("a" * 300 + "exercise_01.py").endswith("exercise_01.py")
