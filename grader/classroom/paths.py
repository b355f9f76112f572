"""Where a report's files go: names safe on every file system, whole files, nothing of others removed."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TextIO

from grader import files

_LONGEST = 100  # bytes; file systems allow 255, encrypted ones 143
_FORBIDDEN = frozenset('<>:"/\\|?*%~')  # Windows, paths, URLs, shells; ~ comes before our suffix
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])[ .]*(\..*)?$", re.IGNORECASE)
# Half a surrogate pair, which UTF-8 cannot say, becomes an escape, which JSON reads.
_UNSAYABLE = "backslashreplace"
_MANIFEST = ".written"
_ROOTS = ("submissions", "gradescope")
_FILES = ("nbgrader.csv", "junit.xml")


class Names(NamedTuple):
    """What a class's students and exercises are called in a report's folders and files."""

    students: Mapping[str, str]
    exercises: Mapping[str, str]


def safe_names(names: Collection[str]) -> dict[str, str]:
    """Return a folder's name for every student of a class: readable, and each another one.

    A name stays as it is when every file system takes it and tells it from all others of the class. The
    others get a suffix from their hash. Of names that differ only in case or composition all get one: who
    was here first must not matter, or a folder would pass from one student to another.
    """
    alike = Counter(map(_folded, set(names)))
    return {
        name: name if alike[_folded(name)] == 1 and _allowed(name) == name else _suffixed(name)
        for name in names
    }


def _folded(name: str) -> str:
    """Return what the least discerning file system makes of a name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).upper().casefold())


def _suffixed(name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_allowed(name)}~{digest[:16]}"


def _allowed(name: str) -> str:
    """Return a name without what some file system does not take; not empty, not long."""
    kept = "".join(_character(character) for character in name)
    kept = kept.encode()[:_LONGEST].decode("utf-8", "ignore")
    kept = re.sub(r"^[\s.-]+|[\s.]+$", "_", kept) or "_"
    return "_" + kept if _DEVICES.match(kept) else kept


def _character(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # invisible, and may turn the text around
        return ""
    barred = character in _FORBIDDEN or category[0] == "C" or category in ("Zl", "Zp")
    return "_" if barred else character


def replacing(path: Path, encoding: str = "utf-8") -> AbstractContextManager[TextIO]:
    """Open a text file for writing that takes `path`'s place when it is whole, and else leaves no trace."""
    return files.replacing(path, encoding=encoding, errors=_UNSAYABLE, newline="")


def replace(path: Path, text: str) -> None:
    """Replace a file at once, if it says something else: replacing thousands takes a disk minutes."""
    with suppress(FileNotFoundError):
        if path.read_bytes() == text.encode("utf-8", _UNSAYABLE):
            return
    with replacing(path) as opened:
        opened.write(text)


class Manifest:
    """What we wrote into a folder, so that only that is ever removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / _MANIFEST

    def read(self) -> set[str]:
        """Return the paths, relative to the folder; none when nothing was written."""
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError):
            return set()
        return {line for line in lines if line}

    def write(self, paths: Iterable[str]) -> None:
        """Note paths."""
        with replacing(self._path) as opened:
            opened.writelines(f"{path}\n" for path in sorted(paths))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files, and folders that this empties. Leaves alone what a report cannot have written."""
        root = self.folder.resolve()
        for path in paths:
            file = self.folder / path
            if not _ours(PurePosixPath(path)) or not file.parent.resolve().is_relative_to(root):
                continue
            file.unlink(missing_ok=True)
            for above in file.parents:
                if above == self.folder:
                    break
                with suppress(OSError):  # something is left in it
                    above.rmdir()


def _ours(path: PurePosixPath) -> bool:
    if path.is_absolute() or ".." in path.parts:
        return False
    return path.parts[0] in _ROOTS if len(path.parts) > 1 else str(path) in _FILES
