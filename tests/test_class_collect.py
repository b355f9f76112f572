"""What a class handed in is found, however it was packed, and nothing of it is trusted."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from pathlib import Path

import pytest
from conftest import solution
from handing_in import CODE, dated, files, found, notebook, pairs, put, whys, zip_of, zipped

from grader import cli, registry, sources
from grader.classroom import unpack as unpacking
from grader.classroom.collect import collect
from grader.classroom.unpack import UnpackError, unpack

STUB = sources.stub_text(registry.solution_file("exercise_01"))
WORKED = solution(registry.load(1))


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    folder = tmp_path / "submissions"
    folder.mkdir()
    return folder


def test_a_folder_for_each_student(handed_in: Path) -> None:
    put(handed_in, "Ann/exercise_01.py", "Ann/exercise_03.ipynb", "Bob/work/Exercise 3.py", "李雷/ex07.py")
    (handed_in / "Empty").mkdir()
    class_ = found(handed_in)
    assert pairs(class_) == {("Ann", 1), ("Ann", 3), ("Bob", 3), ("李雷", 7)}
    assert class_.students == {"Ann", "Bob", "Empty", "李雷"}
    assert not class_.aside


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


KINDS = ["bomb", "garbage", "cut", "many", "encrypted", "BZIP2", "LZMA", "no UTF-8", "contents"]


@pytest.mark.parametrize("kind", KINDS)
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
    elif kind in ("BZIP2", "LZMA"):  # which unpack without a bound, and raise errors of their own
        data = zipped({"exercise_01.py": CODE}, getattr(zipfile, f"ZIP_{kind}"))
    elif kind == "no UTF-8":
        data = zipped({"exercise_01ä.py": CODE}).replace("ä".encode(), b"\xff\xff")
    elif kind == "contents":  # what it says of itself is enough
        data = data[:-10] + (2**28).to_bytes(4, "little") + data[-6:]
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
    put(handed_in, "venv/pyvenv.cfg", "venv/bin/exercise_01.py")
    for given in (handed_in, zip_of(handed_in)):
        class_ = found(given)
        assert pairs(class_) == {("Ann", 1), ("Ann", 5), ("Bob", 1)}
        assert class_.students == {"Ann", "Bob"}
        assert not class_.aside


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
    path = handed_in / "Ann" / "EXERCISE_03.IPYNB"
    assert cli._submission_path("exercise_01", str(path), False) == path
    source = sources.read(path, "exercise_01", ["softmax"])
    assert "cell 1" in source.parts[0].file


def test_files_of_other_kinds_are_told(handed_in: Path) -> None:
    kinds = ["answer.docx", "answer.pdf", "answer.rar", "answer.tar.gz", "exercise_01.py.txt"]
    put(handed_in, *(f"Ann/{name}" for name in kinds))
    put(handed_in, "Bob/exercise_01.py", "Bob/picture.png", "Bob/more.rar", "Bob/exercise_02.docx")
    put(handed_in, *(f"Carl/{number}.png" for number in range(30)))
    put(handed_in, "Dora - exercise_01.docx")
    for given in (handed_in, zip_of(handed_in)):
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


def test_one_student_of_the_roster_in_a_wrapper(handed_in: Path) -> None:
    put(handed_in, "course/Ann/exercise_01.py")
    assert found(handed_in).students == {"course"}
    assert found(handed_in, roster=["Ann"]).students == {"Ann"}


def test_a_folder_and_a_flat_file_of_one_student(handed_in: Path) -> None:
    put(handed_in, "Jane Doe/exercise_01.py", "Jane Doe - exercise_01.py")
    assert pairs(found(handed_in)) == {("Jane Doe", 1)}


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


def test_a_file_without_a_number_counts_for_the_only_exercise(handed_in: Path) -> None:
    put(handed_in, "Ann/hw.py", "doejane_1_2_solution.py", "Bob/exercise_03.py")
    put(handed_in, "Bob/notes.py", text="x = 1")
    put(handed_in, "Carl/hw.ipynb", text=notebook(CODE))
    put(handed_in, "Dora/hw.py", text="def softmax(:")
    assert pairs(found(handed_in, only=[1])) == {("Ann", 1), ("doejane", 1), ("Carl", 1)}
    assert pairs(found(handed_in, only=[1, 3])) == {("Bob", 3)}
    assert pairs(found(handed_in)) == {("Bob", 3)}


def test_a_class_without_submissions_is_told(handed_in: Path, run_cli) -> None:
    put(handed_in, "Ann/answer.docx", "Bob/answer.pdf", "Bob/\x1b[31mred\n.pdf")
    (handed_in.parent / "roster.csv").write_text("Name\nAnn\nZoe\n")
    done = run_cli(
        "class", str(handed_in), "--out", str(handed_in.parent / "report"),
        "--roster", str(handed_in.parent / "roster.csv"),
    )  # fmt: skip
    assert done.returncode == 2
    assert "3 students, but no submissions. Expected" in done.stderr
    assert "Left aside: Ann: Ann/answer.docx: neither" in done.stderr
    assert "Left aside: Bob: Bob/red .pdf: neither" in done.stderr
    assert "\x1b" not in done.stderr
    assert "2 names, from 'Name'" in done.stderr


def test_lessons_without_exercises_are_not_told(handed_in: Path) -> None:
    put(
        handed_in, "Ann/notebooks/00_start_here.ipynb", "Ann/01_softmax_attention.ipynb", text=notebook("1")
    )
    put(handed_in, "Bob/exercise_01.py")
    assert list(whys(found(handed_in))) == ["Ann/01_softmax_attention.ipynb"]


def test_what_a_lone_zip_lacks_is_told_once(handed_in: Path) -> None:
    with zipfile.ZipFile(handed_in / "Ann.zip", "w") as archive:
        archive.writestr("../exercise_02.py", CODE)
        archive.writestr("exercise_01.py", CODE)
    class_ = found(handed_in)
    assert pairs(class_) == {("Ann", 1)}
    assert [one.student for one in class_.aside] == ["Ann"]
