"""Unpacks zip files from strangers: bounded in number and size, no links, nothing outside its folder."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_MEBIBYTE = 1024 * 1024
STUDENT_BYTES = 64 * _MEBIBYTE
CLASS_BYTES = 4096 * _MEBIBYTE
WANTED = (".py", ".ipynb", ".zip")
_CHUNK = 1 << 20
_UTF_8 = 0x800  # the flag of a member whose name is UTF-8
_UNICODE_PATH = 0x7075  # Info-ZIP's extra field with the name in UTF-8
_END, _END_BYTES = b"PK\x05\x06", 22  # the record that every zip file ends with, before a comment
_DIRECTORY_BYTES = 16 * _MEBIBYTE  # zipfile reads a table of contents whole, at many times its size
# What only one member's name is to blame for, unlike a full disk.
_ODD = frozenset([errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG])
# What tools and desktops put beside the answers; the first part of a class's paths may be a student's name.
_TOOLS = frozenset(["__MACOSX", "__pycache__", "node_modules", "site-packages"])
_BELOW = frozenset(["venv", "env"])
_DESKTOP = frozenset(["desktop.ini", "thumbs.db"])


class UnpackError(Exception):
    """A zip file that is none, or is not to be trusted; the message says why."""


class Unpacked(NamedTuple):
    """The folder, how many bytes are in it, and which members are not and why."""

    folder: Path
    size: int
    left_out: list[tuple[str, str]]


class _Member(NamedTuple):
    info: zipfile.ZipInfo
    name: str
    parts: tuple[str, ...]

    @property
    def is_wanted(self) -> bool:
        return not self.info.is_dir() and self.name.lower().endswith(WANTED)


def is_ignored(name: str, *, is_students: bool = False) -> bool:
    """Whether tools made a folder or file of this name; where students' folders lie, fewer names are."""
    if name.startswith(".") or name in _TOOLS or name.lower() in _DESKTOP:
        return True
    return not is_students and name in _BELOW


def unpack(archive: Path, target: Path, *, whole_class: bool, most_bytes: int | None = None) -> Unpacked:
    """Unpack the Python files, notebooks and inner zip files of an archive.

    Of other files only the names are kept, so that somebody can be told that they are not read.

    Args:
        archive: The zip file.
        target: A folder that is made for it.
        whole_class: Whether it holds many students' work, which may be larger.
        most_bytes: What it may unpack to, if less than is usual.

    Raises:
        UnpackError: It is no zip file, too large, or damaged.
    """
    most_members, usual = (100_000, CLASS_BYTES) if whole_class else (2000, STUDENT_BYTES)
    most_contents = _DIRECTORY_BYTES * (4 if whole_class else 1)
    most_bytes = usual if most_bytes is None else min(most_bytes, usual)
    if archive.is_symlink():
        raise UnpackError("a link, which is not followed")
    if not archive.is_file():  # a pipe would keep us waiting
        raise UnpackError("no plain file")
    try:
        target.mkdir(parents=True, exist_ok=True)
        if _directory_bytes(archive) > most_contents:
            raise UnpackError("it holds more files than are read")
        with zipfile.ZipFile(archive) as opened:
            members = list(_members(opened, whole_class))
            wanted = sum(member.is_wanted for member in members)
            if wanted > most_members:
                raise UnpackError(f"it holds {wanted} files; at most {most_members} are read")
            return _extracted(opened, members, target, most_members, most_bytes)
    except OSError as error:
        raise UnpackError(f"it cannot be unpacked: {error.strerror or error}") from None
    except UnpackError:
        raise
    except Exception as error:  # zipfile raises whatever a damaged file makes it stumble over
        raise UnpackError(f"not a zip file that can be read ({error})") from None


def _directory_bytes(archive: Path) -> int:
    """How large the table of contents says it is; 0 where there is no end, which is told later."""
    with archive.open("rb") as opened:
        opened.seek(max(0, archive.stat().st_size - _END_BYTES - 0xFFFF))
        _, found, rest = opened.read().rpartition(_END)
    return int.from_bytes(rest[8:12], "little") if found and len(rest) >= 12 else 0


def _members(opened: zipfile.ZipFile, whole_class: bool) -> Iterator[_Member]:
    for info in opened.infolist():
        name = _name(info).replace("\\", "/")
        parts = PurePosixPath(name).parts
        if not any(
            is_ignored(part, is_students=whole_class and not place)
            for place, part in enumerate(parts)
            if part != ".."
        ):
            yield _Member(info, name, parts)


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name. Without the flag for UTF-8 it is read as cp437, which few tools write."""
    if info.flag_bits & _UTF_8:
        return info.filename
    try:
        raw = info.filename.encode("cp437")
        return _unicode_path(info.extra, raw) or raw.decode("utf-8")
    except UnicodeError:
        return info.filename


def _unicode_path(extra: bytes, raw: bytes) -> str:
    """The name from Info-ZIP's extra field, if it is there and about this name; else ""."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        told, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and told[:5] == b"\x01" + struct.pack("<L", zlib.crc32(raw)):
            return told[5:].decode("utf-8").partition("\0")[0]
    return ""


class _Places:
    """Where members go: names that are equal once cleaned stay two; what needs no cleaning stays so."""

    def __init__(self, target: Path, members: list[_Member]) -> None:
        self._target = target
        self._names: dict[tuple[Path, str], Path] = {}
        self._taken: dict[Path, int] = {}  # by a cleaned path, how many have asked for it
        for member in sorted(members, key=lambda one: any(_component(part) != part for part in one.parts)):
            self.of(member)

    def of(self, member: _Member) -> Path | None:
        """Return a member's place; None when its path leads elsewhere."""
        if not member.parts or any(part in ("", ".", "..", "/") for part in member.parts):
            return None
        path = self._target
        for part in member.parts:
            if (path, part) not in self._names:
                self._names[path, part] = self._free(path / _component(part))
            path = self._names[path, part]
        return path

    def _free(self, wanted: Path) -> Path:
        free = wanted
        while free in self._taken:
            self._taken[wanted] += 1
            free = wanted.with_name(f"{wanted.stem} #{self._taken[wanted]}{wanted.suffix}")
        self._taken[free] = 1
        return free


def _extracted(
    opened: zipfile.ZipFile, members: list[_Member], target: Path, most_others: int, most_bytes: int
) -> Unpacked:
    places = _Places(target, members)
    left_out: list[tuple[str, str]] = []
    size = read = others = 0
    for number, member in enumerate(members):
        path = places.of(member)
        try:
            if stat.S_ISLNK(member.info.external_attr >> 16):
                raise _OddError("a link; links are not followed")
            if path is None:
                raise _OddError("its path leads out of the zip file")
            if member.is_wanted:
                size += _extract(opened, member.info, path, number, most_bytes - size)
                read += 1
            elif others < most_others:
                others += 1
                _note(member, path)
        except (OSError, UnpackError):
            raise
        except Exception as error:  # odd or damaged, as above
            if member.is_wanted:
                left_out.append((member.name, str(error)))
    if left_out and not read and not others:
        raise UnpackError(f"nothing in it can be read ({left_out[0][0]}: {left_out[0][1]})")
    return Unpacked(target, size, left_out)


class _OddError(Exception):
    """A member that cannot be written; the others can."""


@contextlib.contextmanager
def _odd_names() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _ODD:
            raise
        raise _OddError(f"its path cannot be written: {error.strerror}") from None


def _note(member: _Member, path: Path) -> None:
    """Write a folder, or an empty file of a member's name."""
    with _odd_names():
        (path if member.info.is_dir() else path.parent).mkdir(parents=True, exist_ok=True)
        if not member.info.is_dir():
            path.touch()


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, number: int, left: int) -> int:
    """Write one member; returns its bytes. What its header claims is not believed."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _OddError("compressed in a way that is not read; zip it the usual way")  # or without bounds
    with _odd_names():
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise _OddError("both a file and a folder")
        if path.exists():  # names that differ in what a file system cannot tell apart
            path = path.with_name(f"{number}-{path.name}")
        sink = path.open("wb")
    written = 0
    try:
        with sink, opened.open(member) as source:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > left:
                    raise UnpackError("it unpacks to more than is read; is it a zip bomb?")
                sink.write(chunk)
    except Exception:
        path.unlink()
        raise
    with contextlib.suppress(ValueError, OverflowError, OSError):  # dates that are none
        when = datetime(*member.date_time).timestamp()
        os.utime(path, (when, when))  # the newer of two files counts
    return written


def _component(part: str) -> str:
    """A folder's or file's name without what file systems refuse, and not too long for them."""
    cleaned = re.sub(r'[\x00-\x1f<>:"|?*/]', "_", part).rstrip(" .") or "_"
    while len(cleaned.encode()) > 200:
        cleaned = cleaned[:-40] + cleaned[-20:]
    return cleaned
