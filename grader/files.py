"""Writes files as a whole: a reader sees what was there before or what comes after, never half of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path, mode: str = "w", *, durable: bool = False, **options: Any) -> Iterator[Any]:
    """Open a file for writing that takes `path`'s place when it is whole, and else leaves no trace.

    Args:
        path: What is replaced; its folder is made.
        mode: As of `open`: "w" or "wb".
        durable: Whether it must outlast a power cut right after; a disk needs milliseconds for that.
        options: Of `open`.

    Raises:
        OSError: It could not be written; `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open(mode, **options) as opened:
            yield opened
            if durable:
                opened.flush()
                os.fsync(opened.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
