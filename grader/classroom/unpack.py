"""Unpacks zip files from strangers: bounded in number and size, no links, nothing outside its folder."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import zipfile
import zlib
from datetime import datetime
from pathlib import Path, PurePosixPath

_MEBIBYTE = 1024 * 1024
_WANTED = (".py", ".ipynb", ".zip")
_CHUNK = 1 << 20


class UnpackError(Exception):
    """A zip file that is none, or is not to be trusted; the message says why."""


def unpack(archive: Path, target: Path, *, whole_class: bool) -> Path:
    """Unpack the Python files, notebooks and inner zip files of an archive.

    Args:
        archive: The zip file.
        target: A folder that is made for it.
        whole_class: Whether it holds many students' work, which may be larger.

    Returns:
        The folder; where everything lies in one folder within, that one.

    Raises:
        UnpackError: It is no zip file, too large, or damaged.
    """
    most_members, most_bytes = (100_000, 4096 * _MEBIBYTE) if whole_class else (2000, 64 * _MEBIBYTE)
    if archive.is_symlink():
        raise UnpackError("a link, which is not followed")
    target.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            if len(members) > most_members:
                raise UnpackError(f"it holds {len(members)} files; at most {most_members} are read")
            left = most_bytes
            for number, member in enumerate(members):
                left -= _extract(opened, member, target, number, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnpackError(f"not a zip file that can be read ({error})") from None
    except OSError as error:
        raise UnpackError(f"it cannot be unpacked: {error.strerror or error}") from None
    return _inner(target) if whole_class else target


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, number: int, left: int) -> int:
    """Write one member, if it is wanted; returns its bytes. What its header claims is not believed."""
    mode = member.external_attr >> 16
    if member.is_dir() or stat.S_ISLNK(mode) or not member.filename.lower().endswith(_WANTED):
        return 0
    parts = [_component(part) for part in PurePosixPath(member.filename.replace("\\", "/")).parts]
    if not parts or any(part in ("", ".", "..") for part in parts):
        return 0
    path = target.joinpath(*parts)
    if path.exists():  # names that differ in what a file system cannot tell apart
        path = path.with_name(f"{number}-{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(member) as source, path.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > left:
                raise UnpackError("it unpacks to more than is read; is it a zip bomb?")
            sink.write(chunk)
    with contextlib.suppress(ValueError, OverflowError, OSError):  # dates that are none
        when = datetime(*member.date_time).timestamp()
        os.utime(path, (when, when))  # the newer of two files counts
    return written


def _component(part: str) -> str:
    """A folder's or file's name without what file systems refuse, and not too long for them."""
    cleaned = re.sub(r'[\x00-\x1f<>:"|?*/]', "_", part).rstrip(" .") or "_"
    if part in (".", "..", "/"):
        return ".."
    while len(cleaned.encode()) > 200:
        cleaned = cleaned[:-40] + cleaned[-20:]
    return cleaned


def _inner(folder: Path) -> Path:
    """The folder that holds the students: archives often wrap everything in one."""
    entries = [entry for entry in folder.iterdir() if entry.name != "__MACOSX"]
    if len(entries) == 1 and entries[0].is_dir() and any(inner.is_dir() for inner in entries[0].iterdir()):
        return entries[0]
    return folder
