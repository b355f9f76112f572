"""The learner's desk: `exercises/`. What is overwritten there is kept in `exercises/.backup/`."""

from __future__ import annotations

import time
from pathlib import Path

from grader import registry, sources
from grader.files import replacing


def backup(path: Path) -> Path | None:
    """Copy a file to the backup folder under a name that says when. None when there is no file."""
    if not path.is_file():
        return None
    folder = path.parent / ".backup"
    folder.mkdir(exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    target = folder / f"{path.stem}-{stamp}{path.suffix}"
    number = 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{stamp}-{number}{path.suffix}"
    target.write_bytes(path.read_bytes())
    return target


def write(path: Path, text: str) -> Path | None:
    """Replace a file at once (never half of it), keeping a backup of other content."""
    data = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == data:
        return None
    kept = backup(path)
    with replacing(path, "wb") as opened:
        opened.write(data)
    return kept


def stub(name: str) -> str:
    """Return an exercise's stub. Raises OSError where there is none."""
    if registry.in_edition():
        from grader import examples

        return examples.read(registry.public_file(name)).stub
    return sources.stub_text(registry.solution_file(name))


def reset(name: str) -> Path | None:
    """Write the stub over a learner's file. Returns the backup, None when nothing was lost."""
    return write(registry.exercise_file(name), stub(name))
