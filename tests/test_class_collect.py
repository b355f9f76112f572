"""What a class handed in is found, however it was packed, and nothing of it is trusted."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
from conftest import solution

from grader import registry, sources
from grader.classroom import unpack as unpacking
from grader.classroom.collect import Class, collect
from grader.classroom.platforms import exercise_number, usernames
from grader.classroom.roster import Roster, RosterError, read_roster
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
    folder, _, left_out = unpack(tmp_path / "a.zip", tmp_path / "out", whole_class=True)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "a.zip"]
    assert all(path.is_relative_to(folder) for path in written)
    assert not any(path.is_symlink() for path in written)
    assert not Path("/etc/evil.py").exists()
    assert {name for name, _ in left_out} == {
        "../../evil.py",
        "/etc/evil.py",
        "../evil.py",
        "Ann/exercise_03.py",
    }


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
        data = zipped({f"{number}.py": "" for number in range(2001)})
    else:
        data = re.sub(rb"(PK\x01\x02....)\x00", lambda found: found[1] + b"\x01", data, flags=re.DOTALL)
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


STUB = sources.stub_text(registry.solution_file("exercise_01"))
WORKED = solution(registry.load(1))


def files(class_: Class) -> dict[tuple[str, int], str]:
    return {(one.student, one.exercise): one.file for one in class_.submissions}


def whys(class_: Class) -> dict[str, str]:
    return {one.file: one.why for one in class_.aside}


def dated(folder: Path, when: int, *names: str) -> None:
    for name in names:
        os.utime(folder / name, (when, when))


def test_an_untouched_stub_never_wins(handed_in: Path) -> None:
    put(handed_in, "Ann/exercises/exercise_01.py", text=WORKED)
    put(handed_in, "Ann/notebooks/01_softmax.ipynb", text=notebook("%%exercise exercise_01\n" + STUB))
    put(handed_in, "Bob/exercises/exercise_01.py", text=STUB)
    put(handed_in, "Bob/notebooks/01_softmax.ipynb", text=notebook("%%exercise exercise_01\n" + WORKED))
    for student, old, new in (
        ("Ann", "exercises/exercise_01.py", "notebooks/01_softmax.ipynb"),
        ("Bob", "notebooks/01_softmax.ipynb", "exercises/exercise_01.py"),
    ):
        dated(handed_in / student, 1_000_000, old)
        dated(handed_in / student, 2_000_000, new)
    class_ = found(handed_in)
    assert files(class_) == {
        ("Ann", 1): "Ann/exercises/exercise_01.py",
        ("Bob", 1): "Bob/notebooks/01_softmax.ipynb",
    }
    assert not class_.aside


def test_of_equal_dates_none_is_called_newer(handed_in: Path) -> None:
    names = ["Ann/a/exercise_01.py", "Ann/b/exercise_01.py", "Ann/c/exercise_01.ipynb"]
    put(handed_in, *names[:2], "Bob/exercise_02.py")
    put(handed_in, names[2], text=notebook(CODE))
    dated(handed_in, 1_000_000, *names)
    class_ = found(handed_in)
    assert files(class_)["Ann", 1] == names[0]
    assert set(whys(class_)) == set(names[1:])
    assert all(names[0] in why and "same date" in why for why in whys(class_).values())
    dated(handed_in, 2_000_000, names[2])
    assert whys(found(handed_in))[names[0]] == f"{names[2]} is newer"


def test_what_tools_made_is_not_looked_into(handed_in: Path) -> None:
    edition = ["Ann/dojo/exercises/exercise_01.py", "Ann/dojo/README.md", "Ann/dojo/pyproject.toml"]
    ours = [
        "Ann/dojo/grader/__init__.py",
        "Ann/dojo/grader/exercise_02.py",
        "Ann/dojo/solutions/exercise_03.py",
    ]
    tools = [
        f"Ann/{folder}/exercise_04.py"
        for folder in ("venv", ".venv", "env", "node_modules", "__pycache__", "x/site-packages", "mine/lib")
    ]
    put(
        handed_in,
        "Bob/exercise_01.py",
        *edition,
        *ours,
        *tools,
        "Ann/mine/pyvenv.cfg",
        "Ann/mine/exercise_05.py",
    )
    put(handed_in, "Ann/.DS_Store", "Ann/desktop.ini", "Ann/Thumbs.db", ".DS_Store", "Thumbs.db")
    class_ = found(handed_in)
    assert pairs(class_) == {("Ann", 1), ("Ann", 5), ("Bob", 1)}
    assert not class_.aside


def test_canvas_students_of_one_name_are_told_apart(handed_in: Path) -> None:
    put(handed_in, "wangwei_111_2001_exercise_01.py", "wangwei_LATE_222_2002_exercise_01.py")
    put(handed_in, "de_boer_333_2003_exercise_01.py", "lee_444_text.html")
    class_ = found(handed_in)
    assert pairs(class_) == {("wangwei 111", 1), ("wangwei 222", 1), ("de_boer", 1)}
    assert class_.ids == {"wangwei 111": "111", "wangwei 222": "222", "de_boer": "333", "lee": "444"}
    assert [one.student for one in class_.aside] == ["lee"]


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("anon_aB3xY_67890_exercise_01.py", "anon aB3xY"),
        ("LATE_anon_aB3xY_67890_exercise_01.py", "anon aB3xY"),
        ("anon_aB3xY_LATE_67890_exercise_01.py", "anon aB3xY"),
        ("anon_12345_67890_exercise_01.py", "anon 12345"),
        ("doejane_late_98765_1234567_exercise_01.py", "doejane"),
        ("doejane_98765_1234567_12_34_exercise_01.py", "doejane"),
        ("HW_1_jdoe_attempt_2026-11-20-10-00-00_exercise_01.py", "jdoe"),
        ("HW 1_jdoe_attempt_2026-11-20-10-00-00_1_2_exercise_01.py", "jdoe"),
        ("Jane Doe_12345_assignsubmission_file_exercise_01.py", "Jane Doe"),
        ("Jane Doe_12345_assignsubmission_file/exercise_01.py", "Jane Doe"),
        ("Participant_502_assignsubmission_file/exercise_01.py", "Participant 502"),
        ("Default group_assignsubmission_file/exercise_01.py", "Default group"),
        ("Team 2_17_assignsubmission_file_/exercise_01.py", "Team 2"),
        ("Exercise 3 group_17_assignsubmission_file_/exercise_01.py", "Exercise 3 group"),
        ("ex7_888_999_exercise_01.py", "ex7"),
    ],
)
def test_more_names_as_platforms_write_them(handed_in: Path, name: str, student: str) -> None:
    put(handed_in, name)
    assert pairs(found(handed_in)) == {(student, 1)}


def test_one_anonymous_student_has_one_name(handed_in: Path) -> None:
    put(handed_in, "anon_aB3xY_67890_exercise_01.py", "LATE_anon_aB3xY_67891_exercise_02.py")
    put(handed_in, "anon_zzzzz_67892_exercise_01.py")
    class_ = found(handed_in)
    assert class_.students == {"anon aB3xY", "anon zzzzz"}
    assert class_.ids == {"anon aB3xY": "aB3xY", "anon zzzzz": "zzzzz"}


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        (["Quiz_bob"], ["bob"]),
        (["Quiz_a_smith", "Quiz_b_smith"], ["a_smith", "b_smith"]),
        (["My_quiz_a_smith", "My_quiz_b_smith"], ["a_smith", "b_smith"]),
        (["Quiz_ann", "Quiz_ann_b"], ["ann", "ann_b"]),
        (["Quiz 1_bob", "Quiz 2_bob"], ["bob", "bob"]),
        (["Quiz 1_a_smith", "Quiz 2_b_smith"], ["a_smith", "b_smith"]),
        (["Quiz 1_a_smith", "Quiz 1_a_jones", "Quiz 2_b_jones"], ["a_smith", "a_jones", "b_jones"]),
    ],
)
def test_blackboards_usernames(heads: list[str], expected: list[str]) -> None:
    told = usernames(f"{head}_attempt_2026-11-20-10-00-00_exercise_01.py" for head in heads)
    found = [told[head] for head in heads]
    assert [len(set(found)), found[0][-3:]] == [len(set(expected)), expected[0][-3:]]
    if len(heads) < 3:
        assert found == expected


def test_blackboards_students_do_not_merge(handed_in: Path) -> None:
    when = "attempt_2026-11-20-10-00-00"
    put(handed_in, f"Exercise 3_a_smith_{when}_exercise_01.py", f"Exercise 3_b_smith_{when}.ipynb")
    put(handed_in, f"Exercise 3_a_smith_{when}.txt", f"Exercise 3_c_smith_{when}.txt")
    class_ = found(handed_in)
    assert pairs(class_) == {("a_smith", 1)}
    assert class_.ids == {"a_smith": "a_smith", "b_smith": "b_smith", "c_smith": "c_smith"}
    assert {one.student for one in class_.aside} == {"b_smith", "c_smith"}


def test_a_file_of_canvas_cannot_be_handed_in_for_another(handed_in: Path) -> None:
    put(handed_in, "bob_11_101_exercise_01.py")
    put(handed_in, "eve_22_102_x_bob_attempt_2026-11-20-10-00-00_exercise_01.py")
    assert pairs(found(handed_in)) == {("bob", 1), ("eve", 1)}


@pytest.mark.parametrize(
    "line",
    ["1", "01", "exercise_01", "exercise_1", "Exercise01", "exercise_01.py", "1 --try", "77", "", "x y"],
)
def test_cells_are_marked_as_the_magic_reads_them(handed_in: Path, line: str) -> None:
    cells = [f"%%exercise {line}\n" + CODE, "%%exercise 3\n1"]
    put(handed_in, "Ann/lesson.ipynb", text=notebook(*cells))
    class_ = found(handed_in)
    counts = {("Ann", 3)} if line in ("1 --try", "77", "", "x y") else {("Ann", 1), ("Ann", 3)}
    assert pairs(class_) == counts
    assert [one.why for one in class_.aside] == (["there is no exercise 77"] if line == "77" else [])


def test_suffixes_in_upper_case(handed_in: Path) -> None:
    put(handed_in, "Ann/EXERCISE_01.PY", "Ann/WORK.ZIP")
    put(handed_in, "Ann/EXERCISE_03.IPYNB", text=notebook(CODE))
    (handed_in / "Ann" / "WORK.ZIP").write_bytes(zipped({"EXERCISE_02.PY": CODE}))
    assert pairs(found(handed_in)) == {("Ann", 1), ("Ann", 2), ("Ann", 3)}
    source = sources.read(handed_in / "Ann" / "EXERCISE_03.IPYNB", "exercise_01", ["softmax"])
    assert "cell 1" in source.parts[0].file


def test_files_of_other_kinds_are_told(handed_in: Path) -> None:
    kinds = ["answer.docx", "answer.pdf", "answer.rar", "answer.tar.gz", "exercise_01.py.txt"]
    put(handed_in, *(f"Ann/{name}" for name in kinds))
    put(handed_in, "Bob/exercise_01.py", "Bob/picture.png", "Bob/more.rar", "Bob/exercise_02.docx")
    put(handed_in, *(f"Carl/{number}.png" for number in range(30)))
    put(handed_in, "Dora - exercise_01.docx")
    archive = handed_in.parent / "all.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(handed_in.rglob("*")):
            opened.write(path, path.relative_to(handed_in))
    for given in (handed_in, archive):
        class_ = found(given)
        assert pairs(class_) == {("Bob", 1)}
        assert class_.students == {"Ann", "Bob", "Carl", "Dora"}
        told = {file for file in whys(class_) if not file.startswith("Carl/")}
        expected = {f"Ann/{name}" for name in kinds} | {"Bob/more.rar", "Bob/exercise_02.docx"}
        assert told == expected | {"Dora - exercise_01.docx", "10 more files"}
        assert {one.why for one in class_.aside} == {"neither .py nor .ipynb nor .zip"}


def test_folders_too_deep_are_told(handed_in: Path) -> None:
    put(handed_in, "Ann/exercise_01.py", "Ann/a/b/c/d/e/exercise_02.py")
    class_ = found(handed_in)
    assert pairs(class_) == {("Ann", 1)}
    assert [(one.student, one.file) for one in class_.aside] == [("Ann", "e")]


def test_a_zip_with_a_lot_beside_the_answers_is_read(handed_in: Path) -> None:
    members = {f"venv/lib/{number}.py": "" for number in range(2001)}
    members |= {f"data/{number}.txt": "" for number in range(2001)} | {"exercise_01.py": CODE}
    put(handed_in, "Bob/exercise_01.py")
    (handed_in / "Ann.zip").write_bytes(zipped(members))
    class_ = found(handed_in)
    assert pairs(class_) == {("Ann", 1), ("Bob", 1)}
    assert not class_.aside


def test_zips_in_zips_end(handed_in: Path) -> None:
    data = zipped({"exercise_01.py": CODE})
    for _ in range(3):
        data = zipped({"inner.zip": data})
    put(handed_in, "Bob/exercise_01.py")
    (handed_in / "Ann.zip").write_bytes(data)
    class_ = found(handed_in)
    assert pairs(class_) == {("Bob", 1)}
    assert [(one.student, one.why) for one in class_.aside] == [
        ("Ann", "a zip file in a zip file in a zip file")
    ]


@pytest.mark.parametrize("wrap", ["", "course", "course/homework", "zip", "zip in zip"])
def test_what_wraps_a_class_is_unwrapped(tmp_path: Path, wrap: str) -> None:
    names = ["Ann/work/exercise_01.py", "Bob/exercise_01.py", "Bob/exercise_02.py"]
    folder = tmp_path / "given"
    if "zip" in wrap:
        data = zipped({f"course/{name}": CODE for name in names})
        folder.mkdir()
        (folder / "download.zip").write_bytes(zipped({"all.zip": data}) if wrap == "zip in zip" else data)
    else:
        put(folder / wrap, *names)
    assert pairs(found(folder)) == {("Ann", 1), ("Bob", 1), ("Bob", 2)}


@pytest.mark.parametrize(
    "names",
    [
        ["Ann/exercises/exercise_01.py", "Ann/notebooks/lesson.ipynb"],
        ["Ann/week 1/exercise_01.py", "Ann/week 2/exercise_02.py"],
        ["Ann/exercise_01/answer/exercise_01.py", "Ann/exercise_02/exercise_02.py"],
        ["Ann/exercise_01.py", "Ann/mine/x.py", "Ann/yours/x.py"],
        ["Ann/work/exercise_01.py"],
        ["Ann/grader/__init__.py", "Ann/one/exercise_01.py", "Ann/two/a.txt"],
    ],
)
def test_one_students_folders_are_no_students(handed_in: Path, names: list[str]) -> None:
    put(handed_in, *names)
    assert found(handed_in).students == {"Ann"}


def test_one_student_of_a_platform_or_the_roster_is_one(handed_in: Path) -> None:
    put(handed_in, "Ann/mine/exercise_01.py", "Ann/yours/exercise_02.py")
    assert found(handed_in, roster=["Ann"]).students == {"Ann"}
    os.rename(handed_in / "Ann", handed_in / "Ann Lee_5_assignsubmission_file_")
    assert found(handed_in).students == {"Ann Lee"}
    (handed_in / "course").mkdir()
    os.rename(
        handed_in / "Ann Lee_5_assignsubmission_file_", handed_in / "course" / "Ann_5_assignsubmission_file"
    )
    assert found(handed_in).students == {"Ann"}


def test_moodles_parts_of_one_student_are_one(handed_in: Path) -> None:
    put(handed_in, "Jane Doe_12345_assignsubmission_file/exercise_01.py")
    put(handed_in, "Jane Doe_12345_assignsubmission_onlinetext/onlinetext.html")
    class_ = found(handed_in)
    assert class_.students == {"Jane Doe"}
    assert class_.ids == {"Jane Doe": "12345"}
    assert not class_.aside


def test_equal_names_get_their_ids_and_the_roster_means_them(handed_in: Path) -> None:
    for number in (201, 202):
        put(handed_in, f"Wang Wei_{number}_assignsubmission_file/exercise_01.py")
    class_ = found(handed_in, roster=["Wang Wei", "Zoe"])
    assert class_.students == {"Wang Wei 201", "Wang Wei 202", "Zoe"}
    assert class_.ids == {"Wang Wei 201": "201", "Wang Wei 202": "202"}


def test_a_folder_and_a_flat_file_of_one_student(handed_in: Path) -> None:
    put(handed_in, "Jane Doe/exercise_01.py", "Jane Doe - exercise_01.py")
    assert pairs(found(handed_in)) == {("Jane Doe", 1)}


def test_names_are_composed_in_one_way(handed_in: Path) -> None:
    name = unicodedata.normalize("NFD", "José O’Neill")
    put(handed_in, f"{name}/exercise_01.py")
    class_ = found(handed_in, roster=["José  O'Neill ", "Doe, John"])
    assert class_.students == {"José O'Neill", "Doe, John"}


def test_bytes_that_are_no_text_stay_two_students(handed_in: Path) -> None:
    for name in (b"J\xe9r\xf4me", b"J\xe8r\xf4me"):
        folder = os.fsencode(handed_in) + b"/" + name
        os.mkdir(folder)
        with open(folder + b"/exercise_01.py", "w") as file:
            file.write(CODE)
    assert len(pairs(found(handed_in))) == 2


def test_names_in_zips_without_the_flag_for_utf_8(tmp_path: Path) -> None:
    data = zipped({"José/exercise_01.py": CODE, "Ann/exercise_01.py": CODE})
    raw = "José/".encode()
    flags = rb"(PK\x01\x02.{4}|PK\x03\x04.{2})\x00\x08"
    unflagged = re.sub(flags, lambda found: found[1] + b"\x00\x00", data, flags=re.DOTALL)
    assert raw in unflagged
    assert unflagged != data
    (tmp_path / "a.zip").write_bytes(unflagged)
    assert found(tmp_path / "a.zip").students == {"José", "Ann"}


def test_infozips_field_has_the_name() -> None:
    raw = "Jos\u201a".encode("cp437", "replace")
    member = zipfile.ZipInfo(raw.decode("cp437"))
    name = "José".encode()
    told = b"\x01" + zlib.crc32(raw).to_bytes(4, "little") + name
    member.extra = b"\x01\x00\x02\x00xx\x75\x70" + len(told).to_bytes(2, "little") + told
    assert unpacking._name(member) == "José"
    member.extra = member.extra[:-3] + b"\xff\xff\xff"
    assert unpacking._name(member) == raw.decode("cp437")


def test_a_notebooks_cells_decide_before_its_name(handed_in: Path) -> None:
    cells = [f"%%exercise exercise_0{number}\n" + CODE for number in (1, 2, 3)]
    put(handed_in, "Ann/exercise_01.ipynb", text=notebook(*cells))
    put(handed_in, "Bob/exercise_01.ipynb", text=notebook(CODE))
    assert pairs(found(handed_in)) == {("Ann", 1), ("Ann", 2), ("Ann", 3), ("Bob", 1)}


def test_a_damaged_notebook_is_told(handed_in: Path) -> None:
    put(handed_in, "Ann/01_lesson.ipynb", text='{"cells": [')
    put(handed_in, "Ann/exercise_02.ipynb", text='{"cells": [')
    class_ = found(handed_in)
    assert pairs(class_) == {("Ann", 2)}
    assert "not a readable notebook" in whys(class_)["Ann/01_lesson.ipynb"]


def test_one_odd_member_leaves_the_class(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in (
            "Ann/exercise_01.py",
            "Ann/exercise_01.py/exercise_02.py",
            "Bob/exercise_03.py/exercise_03.py",
        ):
            archive.writestr(name, CODE)
        archive.writestr("Bob/exercise_03.py", CODE)
        archive.writestr("Carl/" + "x/" * 3000 + "exercise_01.py", CODE)
        archive.writestr("Carl/exercise_01.py", CODE)
    class_ = found(tmp_path / "a.zip")
    assert pairs(class_) == {("Ann", 1), ("Bob", 3), ("Carl", 1)}
    assert len(class_.aside) == 3
    assert whys(class_)["Bob/exercise_03.py"] == "both a file and a folder"


def test_a_damaged_member_leaves_the_class(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("Ann/exercise_01.py", CODE)
        archive.writestr("Bob/exercise_01.py", "#damaged\n" + CODE)
    (tmp_path / "a.zip").write_bytes(data.getvalue().replace(b"#damaged", b"#Damaged"))
    class_ = found(tmp_path / "a.zip")
    assert pairs(class_) == {("Ann", 1)}
    assert class_.students == {"Ann", "Bob"}
    assert "CRC" in whys(class_)["Bob/exercise_01.py"]


def test_folders_that_differ_in_replaced_characters_stay_two(tmp_path: Path) -> None:
    names = ["Team 1: A?/exercise_01.py", "Team 1_ A_/exercise_01.py"]
    for order in (names, names[::-1]):
        (tmp_path / "a.zip").write_bytes(zipped(dict.fromkeys(order, CODE)))
        scratch = tmp_path / order[0].replace("/", "_")
        class_ = collect(tmp_path / "a.zip", scratch, registry.numbers())
        assert class_.students == {"Team 1_ A_", "Team 1_ A_ #2"}


@pytest.mark.parametrize(
    ("file", "number"),
    [
        ("excercise_01.py", 1),
        ("exercise.03.py", 3),
        ("exercise_003.py", 3),
        ("exercise#3.py", 3),
        ("Ex 12.ipynb", 12),
        ("007.py", 7),
        ("index_3.py", None),
        ("exercise_100.py", None),
        ("notes.py", None),
    ],
)
def test_numbers_in_files_names(file: str, number: int | None) -> None:
    assert exercise_number(file) == number


def test_a_file_without_a_number_counts_for_the_only_exercise(handed_in: Path) -> None:
    put(handed_in, "Ann/hw.py", "doejane_1_2_solution.py", "Bob/exercise_03.py")
    put(handed_in, "Bob/notes.py", text="x = 1")
    put(handed_in, "Carl/hw.ipynb", text=notebook(CODE))
    put(handed_in, "Dora/hw.py", text="def softmax(:")
    assert pairs(found(handed_in, only=[1])) == {("Ann", 1), ("doejane", 1), ("Carl", 1)}
    assert pairs(found(handed_in, only=[1, 3])) == {("Bob", 3)}
    assert pairs(found(handed_in)) == {("Bob", 3)}


@pytest.mark.parametrize(
    ("data", "roster"),
    [
        (
            "Ann\n\n# late\n  José  O’Neill \nDoe, John\n".encode(),
            Roster(["Ann", "José O'Neill", "Doe, John"]),
        ),
        (b"\xef\xbb\xbfAnn\r\nBob\r\n", Roster(["Ann", "Bob"])),
        ("Ann\nJosé".encode("utf-16"), Roster(["Ann", "José"])),
        ("Ann\nJosé".encode("cp1252"), Roster(["Ann", "José"])),
        (unicodedata.normalize("NFD", "José").encode(), Roster(["José"])),
        (b'ID,Name\n1,"Doe, John"\n2,Ann\n3,\n', Roster(["Doe, John", "Ann"], ("Name",))),
        (b"Student;ID\nAnn;1\n", Roster(["Ann"], ("Student",))),
        (b"Surname\tFirst name\nDoe\tJane\n", Roster(["Jane Doe"], ("First name", "Surname"))),
        (b"First_Name,Last Name,Full name\nJ,D,Jane Doe\n", Roster(["Jane Doe"], ("Full name",))),
        (b"", Roster([])),
    ],
)
def test_rosters(tmp_path: Path, data: bytes, roster: Roster) -> None:
    (tmp_path / "roster").write_bytes(data)
    assert read_roster(tmp_path / "roster") == roster


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0rest", "spreadsheet"),
        (b"Ann\0Bob", "no text"),
        (b"Ann\x81", "UTF-8"),
        (b"\xff\xfeA", "UTF-8"),
    ],
)
def test_rosters_that_are_none(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "roster").write_bytes(data)
    with pytest.raises(RosterError, match=why):
        read_roster(tmp_path / "roster")


def test_a_class_without_submissions_is_told(handed_in: Path, run_cli) -> None:
    put(handed_in, "Ann/answer.docx", "Bob/answer.pdf")
    (handed_in.parent / "roster.csv").write_text("Name\nAnn\nZoe\n")
    done = run_cli(
        "class", str(handed_in), "--out", str(handed_in.parent / "report"),
        "--roster", str(handed_in.parent / "roster.csv"),
    )  # fmt: skip
    assert done.returncode == 2
    assert "3 students, but no submissions. Expected" in done.stderr
    assert "Left aside: Ann: Ann/answer.docx: neither" in done.stderr
    assert "2 names, from 'Name'" in done.stderr
