"""What a class hands in, made for tests, and what is found of it."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

from grader import registry
from grader.classroom.collect import Class, collect

CODE = "def softmax(scores, axis=-1):\n    return scores\n"


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


def zipped(members: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return data.getvalue()


def zip_of(folder: Path) -> Path:
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder))
    return archive


def files(class_: Class) -> dict[tuple[str, int], str]:
    return {(one.student, one.exercise): one.file for one in class_.submissions}


def whys(class_: Class) -> dict[str, str]:
    return {one.file: one.why for one in class_.aside}


def dated(folder: Path, when: int, *names: str) -> None:
    for name in names:
        os.utime(folder / name, (when, when))
