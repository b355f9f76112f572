"""What the grader remembers of a learner between runs, in the user's state folder."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import platformdirs


def _file() -> Path:
    return Path(platformdirs.user_state_dir("attention-dojo", appauthor=False)) / "hints.json"


def next_hint(name: str, count: int) -> int:
    """Return how many hints to show now, one more than last time, and remember it.

    A state that cannot be read or written only means that hints start from the first.
    """
    seen: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        loaded = json.loads(_file().read_text(encoding="utf-8"))
        seen = {str(key): int(value) for key, value in loaded.items()}
    shown = min(seen.get(name, 0) + 1, count)
    seen[name] = shown
    with contextlib.suppress(OSError):
        _file().parent.mkdir(parents=True, exist_ok=True)
        _file().write_text(json.dumps(seen), encoding="utf-8")
    return shown
