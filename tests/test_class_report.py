"""A class's report: grades, the teacher's page, students' files, and what must never be in them."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import tracemalloc
import unicodedata
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from grader.classroom import formats
from grader.classroom.collect import Aside
from grader.classroom.formats import harmless
from grader.classroom.paths import Manifest, replacing, safe_names
from grader.classroom.report import Summary, write
from grader.classroom.store import Result, Store
from grader.verdict import ALLOWED, READABLE, CheckResult, Verdict

SECRET = "4711.25"  # an input, which only full feedback may tell
ODD = [
    "=cmd|'/c calc'!A0",
    "<script>alert(1)</script>",
    "../../etc",
    "王小明",
    "محمد علي",
    "ann",
    "Ann",
    "x" * 300,
    "CON",
    "-2+3",
    "+1",
    "@sum",
    "\ttab",
    "two\nlines",
    "turned\u202eround",
    "quote\"'&",
    "trailing. ",
    "🙂 {{ 7 * 7 }}",
]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FORMATS: list[formats.Format] = ["gradescope", "nbgrader", "junit"]


def check(
    status: str = "passed", misconception: str | None = None, name: str = "a batch"
) -> dict[str, Any]:
    said = f"wrong values\nquery=[[{SECRET}]]\n<img src=x onerror=alert(1)> \x00\x1b ]]>"
    message = "" if status == "passed" else said
    return {
        "name": name,
        "status": status,
        "message": message,
        "misconception": misconception,
        "seconds": 0.01,
    }


def made(student: str, exercise: str, status: str, checks: Iterable[dict[str, Any]] = ()) -> Result:
    found = list(checks)
    passed = sum(it["status"] == "passed" for it in found)
    score = round(passed / len(found), 4) if found and status != "error" else 0.0
    document = {
        "exercise": exercise,
        "status": status,
        "passed": status == "passed",
        "score": score,
        "seed": 815815,
        "seconds": 0.2,
        "sandbox": "bubblewrap",
        "checks": found,
    }
    return Result(student, exercise, f"{student}/{exercise}.py", "d", "g", status, score, 0.2, document)


def failed(student: str, exercise: str = "exercise_03") -> Result:
    checks = [check("failed", "no-scaling"), check("timeout", name="large"), check(name="small")]
    return made(student, exercise, "failed", checks)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "class.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def filled(store: Store) -> Store:
    """Everybody failed exercise_03; of exercise_04 there is something of everything."""
    store.add([failed(name) for name in ODD])
    others = ["passed", "not_started", "error", "missing"]
    for number, name in enumerate(ODD):
        status = others[number % 4]
        if status == "missing":
            store.add([Result(name, "exercise_04")])
        else:
            checks = {"passed": [check()], "error": [check("error", name="the grader")]}.get(status, [])
            store.add([made(name, "exercise_04", status, checks)])
    return store


class Page(HTMLParser):
    """The page's tags, its text, and what a browser would fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.cells: list[dict[str, str | None]] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append(tag)
        self.attributes |= set(named)
        self.targets += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag == "td":
            self.cells.append(named)
        if named.get("id"):
            self.ids.append(str(named["id"]))

    def handle_data(self, data: str) -> None:
        self.text += data


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def grades(path: Path, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as opened:
        return list(csv.DictReader(opened))


def test_the_summary_counts(filled: Store, tmp_path: Path) -> None:
    summary = write(filled, tmp_path / "out")
    assert summary == Summary(18, 32, 5, 18, 5, 4, 4, [("no-scaling", 18)])


def test_an_empty_class_is_reported_too(store: Store, tmp_path: Path) -> None:
    assert write(store, tmp_path / "out", formats=FORMATS) == Summary(0, 0, 0, 0, 0, 0, 0, [])
    assert "Nothing was found" in (tmp_path / "out" / "report.html").read_text()
    ElementTree.parse(tmp_path / "out" / "junit.xml")


# Names of files


def same_file(name: str) -> str:
    """What the least discerning file system makes of a name."""
    return unicodedata.normalize("NFD", name).upper().casefold()


def test_every_student_has_a_folder_of_their_own_and_ordinary_names_stay() -> None:
    names = [
        *ODD,
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "a_b",
        "ANN",
        "aNn",
        "Straße",
        "STRASSE",
        "strasse",
        "e\u0301",
    ]
    names += [
        "é",
        "É",
        "con",
        "con.txt",
        "Con",
        "nul",
        "x" * 301,
        "王" * 300,
        "ann~1",
        "-rf",
        ".git",
        "~",
        "a\u200bb",
        "ab",
    ]
    names += safe_names(names).values()  # and nobody can take another's
    names = list(dict.fromkeys(names))
    safe = list(safe_names(names).values())
    assert len({same_file(name) for name in safe}) == len(names)
    for name in safe:
        assert len(name.encode()) < 143
        assert not set(name) & set('<>:"/\\|?*%\0\n\t')
        assert name == name.strip(" .")
        assert name[0] not in ".-"
        assert name.split(".")[0].strip().upper() not in ("CON", "NUL")
    ordinary = (
        "ann",
        "Omar",
        "as1234",
        "anna.schmidt",
        "Anna Schmidt",
        "王小明",
        "محمد علي",
        "Ångström Åsa",
        "김 민준",
        "McDonald JR",
    )
    assert safe_names(ordinary) == {name: name for name in ordinary}


def test_names_that_clash_are_all_told_apart_and_leave_nothing_behind(store: Store, tmp_path: Path) -> None:
    assert safe_names(["Ann"]) == {"Ann": "Ann"}
    both = safe_names(["Ann", "ann", "Bob"])
    assert both["Ann"].startswith("Ann~")
    assert both["ann"].startswith("ann~")
    assert both["Bob"] == "Bob"
    store.add([failed("ann")])
    write(store, tmp_path / "out")
    assert (tmp_path / "out" / "submissions" / "ann").is_dir()
    store.add([failed("Ann")])
    write(store, tmp_path / "out")
    folders = {path.name for path in (tmp_path / "out" / "submissions").iterdir()}
    assert folders == {both["Ann"], both["ann"]}
    store.forget([("ann", "exercise_03")])
    write(store, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "submissions").iterdir()] == ["Ann"]


def test_what_is_stale_is_removed_before_anything_is_written(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where case does not count, ann's old file is Ann's new one."""
    store.add([failed("ann")])
    write(store, tmp_path)
    store.forget([("ann", "exercise_03")])
    store.add([failed("Ann")])
    written: list[bool] = []
    monkeypatch.setattr(
        Manifest, "remove", lambda *_: written.append((tmp_path / "submissions" / "Ann").exists())
    )
    write(store, tmp_path)
    assert written == [False]


def test_files_stay_in_the_report(filled: Store, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    write(filled, out, formats=FORMATS)
    assert {path.name for path in tmp_path.iterdir()} <= {"class.sqlite", "deep", "state"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    assert {path.split("/")[0] for path in tree(out)} == {
        "grades.csv", "gradebook.csv", "report.html", "nbgrader.csv", "junit.xml", "submissions",
        "gradescope", ".written",
    }  # fmt: skip
    assert len(list((out / "submissions").iterdir())) == len(ODD)
    assert not list((out / "submissions").rglob("*\x1b*"))
    assert not list(out.rglob("*.py"))


# Grades


def test_no_spreadsheet_calculates_a_field(filled: Store, tmp_path: Path) -> None:
    write(filled, tmp_path, formats=FORMATS)
    assert (tmp_path / "grades.csv").read_bytes().startswith(b"\xef\xbb\xbfstudent,exercise,status,score,")
    rows = grades(tmp_path / "grades.csv")
    assert len(rows) == 2 * len(ODD)
    tables = [*rows, *grades(tmp_path / "nbgrader.csv", "utf-8"), *grades(tmp_path / "gradebook.csv")]
    fields = [field for row in tables for field in row.values()]
    assert not [field for field in fields if field[:1] in tuple("=+-@\t\r＝")]
    assert {row["student"] for row in rows} == {harmless(name) for name in ODD}
    assert rows[0] | {"student": ""} == {
        "student": "", "exercise": "exercise_03", "status": "failed", "score": "0.3333",
        "misconceptions": "no-scaling", "reason": "",
    }  # fmt: skip


def test_a_gradebook_has_a_row_for_each_student(store: Store, tmp_path: Path) -> None:
    store.add([failed("ann"), made("ann", "exercise_04", "passed", [check()]), failed("Bob")])
    store.add([Result("Bob", "exercise_04"), made("cy", "exercise_03", "error", [check("error")])])
    store.add([made("cy", "exercise_04", "not_started"), Result("=1+1", "exercise_03")])
    write(store, tmp_path, ids={"ann": "4711", "Bob": "@4712"})
    text = (tmp_path / "gradebook.csv").read_text(encoding="utf-8-sig")
    assert text.splitlines() == [
        "student,id,exercise_03,exercise_04,mean",
        "'=1+1,,,,0",
        "ann,4711,33.33,100,66.66",
        "Bob,'@4712,33.33,,16.66",
        "cy,,,0,0",
    ]


def test_what_nobody_began_does_not_count(store: Store, tmp_path: Path) -> None:
    store.add([made("ann", "exercise_03", "passed", [check()]), made("ann", "exercise_04", "not_started")])
    store.add([made("bob", "exercise_03", "passed", [check()])])
    write(store, tmp_path)
    assert [row["mean"] for row in grades(tmp_path / "gradebook.csv")] == ["100", "100"]


def test_case_does_not_sort(store: Store, tmp_path: Path) -> None:
    names = ["Zoe", "anna", "Bert", "ben", "Ärne", "ärna"]
    store.add([failed(name) for name in names])
    write(store, tmp_path)
    expected = ["anna", "ben", "Bert", "Zoe", "ärna", "Ärne"]
    assert [row["student"] for row in grades(tmp_path / "grades.csv")] == expected
    assert [row["student"] for row in grades(tmp_path / "gradebook.csv")] == expected
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    places = [page.index(f"<bdi>{name}</bdi>") for name in expected]
    assert places == sorted(places)


def unnamed(student: str, reason: str) -> Result:
    """A failure that no misconception explains."""
    result = made(student, "exercise_03", "failed", [check("failed")])
    return Result(**{**vars(result), "reason": reason})


def test_why_somebody_failed_is_told(store: Store, tmp_path: Path) -> None:
    store.add(
        [unnamed("ann", "syntax error"), unnamed("bob", "syntax error"), unnamed("cy", "=raised <b>")]
    )
    store.add([failed("dan")])
    write(store, tmp_path)
    rows = {row["student"]: row["reason"] for row in grades(tmp_path / "grades.csv")}
    assert rows == {"ann": "syntax error", "bob": "syntax error", "cy": "'=raised <b>", "dan": ""}
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    titles = [cell["title"] for cell in page.cells if "title" in cell]
    assert titles.count("failed: syntax error") == 2
    assert "<i>syntax error</i>" in html  # in the exercise's list
    assert '<td class="why">syntax error</td>' in html  # in who needs help
    assert "<b></td>" not in html
    assert "no known misconception" not in html


def test_a_verdict_knows_a_reason_where_no_misconception_is_named() -> None:
    out_of_time = CheckResult("large", "timeout", ran=False)
    checks = [CheckResult("small", "passed"), out_of_time, CheckResult("batch", "failed")]
    verdict = Verdict("exercise_03", 1, "limits", checks)
    assert verdict.reason == "timeout"
    assert "reason" not in json.loads(verdict.to_json())  # a fixed contract
    checks[2].misconception = "no-scaling"
    assert verdict.reason == ""
    assert Verdict("exercise_03", 1, "limits", [CheckResult("small", "passed")]).reason == ""


def test_reasons_are_bounded(store: Store, tmp_path: Path) -> None:
    """What an exception is called is up to who raises it."""
    store.add([unnamed(f"s{number:03}", f"raised E{number}") for number in range(100)])
    write(store, tmp_path)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.count('class="mistake"') == 31
    assert "<i>something else</i>" in html


def test_a_store_from_before_reasons_is_read(tmp_path: Path) -> None:
    path = tmp_path / "class.sqlite"
    old = sqlite3.connect(path)
    columns = "student, exercise, file, digest, grader, status, score, seconds, document"
    old.execute(f"CREATE TABLE results ({columns}, PRIMARY KEY (student, exercise)) WITHOUT ROWID")
    old.execute("INSERT INTO results VALUES ('ann', 'exercise_03', '', '', '', 'missing', 0, 0, '{}')")
    old.commit()
    old.close()
    for _ in range(2):
        store = Store(path)
        assert [one.reason for one in store.results()] == [""]
        store.close()


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("=1+1", "'=1+1"),
        ("\u200b=1+1", "'\u200b=1+1"),
        ("\x0b=1+1", "'=1+1"),
        ("a;=1+1", "a;'=1+1"),
        ("Ann\x1b]0;owned\x07 \n@SUM(1)", "Ann  @SUM(1)"),
        ("Anne-Marie", "Anne-Marie"),
    ],
)
def test_fields_are_neither_formulas_nor_commands(name: str, field: str) -> None:
    assert harmless(name) == field


def test_misconceptions_are_joined_and_made_harmless(store: Store, tmp_path: Path) -> None:
    checks = [check("failed", id) for id in ("=1", "no-scaling", "=1")]
    store.add([made("ann", "exercise_03", "failed", checks)])
    write(store, tmp_path)
    assert grades(tmp_path / "grades.csv")[0]["misconceptions"] == "'=1; no-scaling"


def test_nbgrader_has_its_columns(filled: Store, tmp_path: Path) -> None:
    write(filled, tmp_path, formats=["nbgrader"])
    rows = grades(tmp_path / "nbgrader.csv", "utf-8")
    assert ",".join(rows[0]) == (
        "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,"
        "late_submission_penalty,score,max_score"
    )
    assert {row["score"] for row in rows} == {"33.33", "100.0", "0.0", ""}  # "" where the grader failed
    assert {row["max_score"] for row in rows} == {"100.0"}


# The teacher's page


def test_the_page_is_one_safe_file(filled: Store, tmp_path: Path) -> None:
    write(filled, tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not {"script", "img", "link", "iframe", "form", "base"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert not [target for target in page.targets if "//" in target or ":" in target]
    for target in page.targets:
        assert (
            target.removeprefix("#") in page.ids
            or target in ("grades.csv", "gradebook.csv")
            or target.startswith("submissions/")
        )
    assert len(set(page.ids)) == len(page.ids)
    for name in ODD:
        assert name in page.text
    assert "<img src=x onerror=alert(1)> \ufffd\ufffd" in page.text  # as text
    assert "default-src 'none'" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_tells_what_a_teacher_asks(filled: Store, tmp_path: Path) -> None:
    write(filled, tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert "Scaled dot-product attention" in text
    assert "The scores are not divided by sqrt(D)." in text  # from the suite
    assert "18 submissions, 100 %" in text
    assert "exercise_04: 4 of 18" in text  # not handed in
    assert "0.20 s (median)" in text
    assert SECRET in text
    titles = [cell["title"] for cell in page.cells if "title" in cell]
    assert titles.count("failed: no-scaling") == 18
    assert titles.count("not handed in") == 4


def test_an_example_names_nobody(store: Store, tmp_path: Path) -> None:
    told = check("failed", "no-scaling") | {
        "message": "ValueError\n  Berta Muster_ex3.py, line 5\n# by Berta Muster"
    }
    result = made("Berta Muster", "exercise_03", "failed", [told])
    store.add([Result(**{**vars(result), "file": "handed in/Berta Muster_ex3.py"})])
    write(store, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<pre>ValueError\n  …, line 5\n# by …</pre>" in text


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(scheme: Any, store: Store, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    for number in range(1, 12):
        store.add([failed("Anna-Sophia von und zu Liechtenstein", f"exercise_{number:02}")])
        store.add([Result(f"{'Maximiliane ' * 3}{number}", f"exercise_{number:02}")])
    write(store, tmp_path / "out")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
        page.goto((tmp_path / "out" / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        wide, high = "it => it.scrollWidth > it.clientWidth", "it => it.getBoundingClientRect().height"
        for section in ("help", "mistakes"):
            table = page.locator(f"section[aria-labelledby={section}] .scroll")
            assert not table.evaluate(wide), section
            assert max(row.evaluate(high) for row in table.locator("tbody tr").all()) < 200
        names = page.locator("section[aria-labelledby=absent] > .names li")
        assert names.count() == 11
        assert {len(item.evaluate("it => [...it.getClientRects()]")) for item in names.all()} == {1}
        browser.close()


def test_many_students_are_paged_and_counted(store: Store, tmp_path: Path) -> None:
    store.add([failed(f"s{number:04}") for number in range(450)])
    store.add([Result(f"t{number:04}", "exercise_03") for number in range(450)])
    write(store, tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert "900 students are too many for one table" in text
    for range_ in ("1 to 400", "401 to 800", "801 to 900"):
        assert f"Students {range_}" in text
    assert "Nothing at all: 450 students" in text
    assert "and 50 more; grades.csv" in text
    assert "450 submissions, 100 %" in text
    assert sum("title" in cell for cell in page.cells) == 900


def test_nearly_all_is_not_all(store: Store, tmp_path: Path) -> None:
    checks = [check(name=str(number)) for number in range(399)] + [check("failed")]
    store.add([made("ann", "exercise_03", "failed", checks)])
    write(store, tmp_path)
    assert (
        '<td class="s4" title="failed: no known misconception">'
        '<a href="submissions/ann/exercise_03.txt">99</a></td>' in (tmp_path / "report.html").read_text()
    )
    write(store, tmp_path, feedback="score")
    assert "FAILED  99 %" in (tmp_path / "submissions" / "ann" / "exercise_03.txt").read_text()


def test_what_was_left_aside_is_told_by_student(store: Store, tmp_path: Path) -> None:
    store.add([failed("ann")])
    aside = [Aside("Bob <b>", f"x{number}.py", "no exercise's number") for number in range(15)]
    aside += [Aside("ann", "old.py", "new.py is newer"), Aside("", "notes.doc", "neither .py nor .ipynb")]
    write(store, tmp_path, aside=aside)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert "aside" in page.ids
    assert "17 files not graded, and why." in text
    assert "ann old.py: new.py is newer" in text
    assert "whose it is cannot be told notes.doc: neither" in text
    assert text.count("Bob <b>") == 1
    assert text.count("no exercise's number") == 10
    assert "and 5 more" in text
    write(store, tmp_path)
    assert "Left aside" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    write(store, tmp_path, aside=[Aside(f"s{number:04}", "x.py", "why") for number in range(500)])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("<code>x.py</code>") == 200
    assert "and 300 more, of others." in text


# What students are told


@pytest.mark.parametrize("feedback", ["full", "names", "score"])
def test_feedback_leaks_nothing(feedback: Any, filled: Store, tmp_path: Path) -> None:
    write(filled, tmp_path / "out", feedback="full", formats=FORMATS)  # what was there is no excuse
    write(filled, tmp_path / "out", feedback=feedback, formats=FORMATS)
    files = tree(tmp_path / "out")
    telling = {name for name, content in files.items() if SECRET.encode() in content}
    seeded = {name for name, content in files.items() if b"815815" in content}
    if feedback == "full":
        assert {"report.html", "junit.xml", "submissions/王小明/exercise_03.json"} <= telling
        assert "submissions/王小明/exercise_03.txt" in telling
        assert "gradescope/王小明/exercise_03/results.json" in telling
    else:
        assert telling == {"report.html"}  # the teacher's own
        assert not seeded  # a grading can be repeated with its seed
    for_students = [name for name in files if name.endswith((".json", ".xml", ".txt"))]
    assert len(for_students) == 3 * 32 + 1
    assert not [name for name in files if name.endswith(".txt") and b"\x1b" in files[name]]
    if feedback == "score":
        for name in for_students:
            assert b"no-scaling" not in files[name]
            assert b"a batch" not in files[name]


def test_a_submission_has_the_verdict(filled: Store, tmp_path: Path) -> None:
    file = tmp_path / "submissions" / "王小明" / "exercise_03.json"
    write(filled, tmp_path)
    assert json.loads(file.read_text()) == {"student": "王小明", **failed("王小明").document}
    write(filled, tmp_path, feedback="names")
    told = json.loads(file.read_text())
    assert set(told) == {"student", "exercise", "status", "score", "checks"}
    assert told["checks"][0] == {
        "name": "a batch", "status": "failed", "misconception": "no-scaling",
        "explanation": "The scores are not divided by sqrt(D).",
    }  # fmt: skip
    write(filled, tmp_path, feedback="score")
    assert json.loads(file.read_text()) == {
        "student": "王小明", "exercise": "exercise_03", "status": "failed", "score": 0.3333,
    }  # fmt: skip


def test_a_student_reads_plain_text(filled: Store, tmp_path: Path) -> None:
    folder = tmp_path / "submissions" / "王小明"
    write(filled, tmp_path)
    assert (folder / "exercise_03.txt").read_text(encoding="utf-8") == (
        "exercise_03  Scaled dot-product attention\n"
        "Graded: 王小明/exercise_03.py\n"
        "  ✗ a batch  no-scaling\n"
        "      wrong values\n"
        f"      query=[[{SECRET}]]\n"
        "      <img src=x onerror=alert(1)>  ]]>\n\n"
        "  ⏱ large (timeout)\n"
        "      wrong values\n"
        f"      query=[[{SECRET}]]\n"
        "      <img src=x onerror=alert(1)>  ]]>\n\n"
        "  ✓ small\n"
        "FAILED  1 of 3 checks  (seed 815815)\n"
    )
    write(filled, tmp_path, feedback="names")
    assert (folder / "exercise_03.txt").read_text(encoding="utf-8") == (
        "exercise_03  Scaled dot-product attention\n"
        "Graded: 王小明/exercise_03.py\n"
        "  ✗ a batch  no-scaling\n"
        "      The scores are not divided by sqrt(D).\n\n"
        "  ⏱ large (timeout)\n"
        "  ✓ small\n"
        "FAILED  1 of 3 checks\n"
    )
    write(filled, tmp_path, feedback="score")
    assert (folder / "exercise_03.txt").read_text(encoding="utf-8") == (
        "exercise_03  Scaled dot-product attention\nGraded: 王小明/exercise_03.py\nFAILED  33 %\n"
    )
    told = {name: text.decode() for name, text in tree(tmp_path).items() if name.endswith("04.txt")}
    assert sum("The grader failed, which is not your fault." in text for text in told.values()) == 4
    assert sum(text.endswith("NOT STARTED\n") for text in told.values()) == 5


@pytest.mark.parametrize("name", [READABLE, ALLOWED])
def test_why_nothing_was_run_is_told_with_names_too(name: str, store: Store, tmp_path: Path) -> None:
    status = "forbidden" if name == ALLOWED else "error"
    store.add([made("ann", "exercise_03", "failed", [check(status, name=name)])])
    store.add([made("bob", "exercise_03", "failed", [check(), check(status, name=name)])])
    store.add([made("cy", "exercise_03", "failed", [check("forbidden", name="a call")])])
    write(store, tmp_path / "out", feedback="names", formats=["gradescope"])
    telling = {path for path, text in tree(tmp_path / "out").items() if SECRET.encode() in text} - {
        "report.html"
    }
    assert telling == {
        "submissions/ann/exercise_03.json", "submissions/ann/exercise_03.txt",
        "gradescope/ann/exercise_03/results.json",
    }  # fmt: skip
    write(store, tmp_path / "out", feedback="score", formats=["gradescope"])
    telling = {path for path, text in tree(tmp_path / "out").items() if SECRET.encode() in text}
    assert telling == {"report.html"}


def test_gradescope_reads_the_results(filled: Store, tmp_path: Path) -> None:
    write(filled, tmp_path, formats=["gradescope"])
    document = json.loads((tmp_path / "gradescope/王小明/exercise_03/results.json").read_text())
    assert document["score"] == 33.33
    assert document["output"] == "Failed: 1 of 3 checks passed."
    assert (document["visibility"], document["stdout_visibility"]) == ("visible", "hidden")
    assert [(it["status"], it["score"], it["max_score"]) for it in document["tests"]] == [
        ("failed", 0.0, 33.3333), ("failed", 0.0, 33.3333), ("passed", 33.3333, 33.3333),
    ]  # fmt: skip
    assert document["tests"][0]["output"].startswith("no-scaling: wrong values")
    for path in (tmp_path / "gradescope").rglob("results.json"):
        assert json.loads(path.read_text())["score"] >= 0


def test_junit_parses_and_counts(filled: Store, tmp_path: Path) -> None:
    write(filled, tmp_path, formats=["junit"])
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    suites = root.findall("testsuite")
    assert len(suites) == 2 * len(ODD)
    for suite in suites:
        for attribute, tag in (
            ("tests", ""),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert int(suite.attrib[attribute]) == len(
                suite.findall(f"testcase/{tag}" if tag else "testcase")
            )
    assert {suite.attrib["name"].rsplit(", ", 1)[0] for suite in suites} == set(ODD)
    assert len(root.findall(".//skipped")) == 9
    assert len(root.findall(".//error")) == 18 + 4  # time-outs, and where the grader failed
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.attrib["type"] == "no-scaling"
    assert "�" in str(failure.text)


# Files that come and go


def test_twice_gives_the_same(filled: Store, tmp_path: Path) -> None:
    write(filled, tmp_path / "out", formats=FORMATS)
    before = tree(tmp_path / "out")
    write(filled, tmp_path / "out", formats=FORMATS)
    assert tree(tmp_path / "out") == before


def test_only_what_we_wrote_is_removed(filled: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(filled, out, formats=FORMATS)
    kept = [
        out / "submissions" / "@sum" / "note.txt",
        out / "submissions" / "other" / "exercise_03.json",
        out / "x.txt",
    ]
    for path in [*kept, tmp_path / "outside.json"]:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    with (out / ".written").open("a") as manifest:  # tampered with
        manifest.write("../outside.json\nx.txt\nsubmissions/../x.txt\n/etc/hosts\n\n")
    filled.forget([(name, f"exercise_0{number}") for name in ("@sum", "王小明") for number in (3, 4)])
    write(filled, out, formats=["junit"])
    assert all(path.read_text() == "mine" for path in [*kept, tmp_path / "outside.json"])
    assert [path.name for path in (out / "submissions" / "@sum").iterdir()] == ["note.txt"]
    assert not (out / "submissions" / "王小明").exists()
    assert not (out / "gradescope").exists()
    assert not (out / "nbgrader.csv").exists()
    assert (out / "junit.xml").exists()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "grades.csv"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), replacing(path) as opened:
        opened.write(f"half: {1 // 0}")
    assert tree(tmp_path) == {"grades.csv": b"before"}


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Two thousand students with 20 MB of verdicts, a fraction of which is held at a time."""
    store = Store(tmp_path / "class.sqlite")
    told = check("failed", "no-scaling") | {"message": "value " * 1700}
    for hundred in range(20):
        names = [f"student {hundred:02}{number:02}" for number in range(100)]
        store.add([made(name, "exercise_03", "failed", [told]) for name in names])
    tracemalloc.start(1)
    try:
        summary = write(store, tmp_path / "out", formats=["junit"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        store.close()
    assert summary.submissions == 2000
    assert peak < 8e6
