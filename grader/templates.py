"""Jinja as all our pages use it."""

from __future__ import annotations

from pathlib import Path

import jinja2


def environment(folder: Path, *, html: bool) -> jinja2.Environment:
    """Return an environment for a folder's templates; names without a value are errors, HTML is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=html,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
