"""Who is who, as platforms, zip files and rosters write names."""

from __future__ import annotations

import os
import re
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
from handing_in import CODE, found, pairs, put, zipped

from grader.classroom import unpack as unpacking
from grader.classroom.platforms import exercise_number, usernames
from grader.classroom.roster import Roster, RosterError, read_roster


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    folder = tmp_path / "submissions"
    folder.mkdir()
    return folder


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


def test_equal_names_stay_two_students(handed_in: Path) -> None:
    for number in (11, 22):
        put(handed_in, f"Jane Doe_{number}_assignsubmission_file_/exercise_01.py")
    assert len(found(handed_in).students) == 2


def test_a_name_that_is_no_text(handed_in: Path) -> None:
    folder = os.fsencode(handed_in) + b"/J\xe9r\xf4me"
    os.mkdir(folder)
    with open(folder + b"/exercise_01.py", "w") as file:
        file.write(CODE)
    (one,) = found(handed_in).submissions
    one.student.encode()
    one.file.encode()


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
    assert [told[head] for head in heads] == expected


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
