"""Attention Dojo: exercises on attention and Transformers, and a grader that names the mistake."""

from __future__ import annotations

from typing import Any


def load_ipython_extension(ipython: Any) -> None:
    """Make `%%exercise` known to a notebook: `%load_ext grader`."""
    from grader import notebook

    notebook.load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """End the notebook's worker: `%unload_ext grader`."""
    from grader import notebook

    notebook.unload(ipython)
