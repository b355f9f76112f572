"""What learners read about a call: its arguments, both sides of a difference, their own traceback."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from grader.comparison import Difference
from grader.diagnosis import show
from grader.worker import wire

_KERAS_FRAME = re.compile(
    r"\AException encountered when calling .*?\n\n(?P<core>.*?)(\n\nArguments received by .*)?\Z", re.DOTALL
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Call(NamedTuple):
    """A call as messages show it; `names` are those of the positional arguments."""

    label: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    names: Sequence[str] = ()


def show_call(call: Call) -> list[str]:
    """Print a call with its arguments, small arrays whole."""
    names = [*call.names, *([""] * len(call.args))]
    lines = [f"The call: {call.label}("]
    for key, value in [*zip(names, call.args, strict=False), *call.kwargs.items()]:
        prefix = f"    {key}=" if key else "    "
        lines.append(prefix + show(value).replace("\n", "\n" + " " * len(prefix)) + ",")
    return [*lines, ")"]


def show_both_sides(difference: Difference) -> list[str]:
    """Print expected and received, where both fit on a screen."""
    if difference.kind not in ("value", "nan") or np.asarray(difference.expected).size > 40:
        return []
    return [
        "Expected:",
        "    " + show(np.asarray(difference.expected)).replace("\n", "\n    "),
        "Received:",
        "    " + show(np.asarray(difference.received)).replace("\n", "\n    "),
    ]


def _plain(message: str) -> str:
    """A message without terminal colours and without what Keras wraps around exceptions."""
    message = _COLOURS.sub("", message)
    framed = _KERAS_FRAME.match(message)
    return (framed["core"] if framed else message).strip()


def describe_problem(problem: wire.Problem) -> str:
    """Return an exception as a learner reads it: type, message, lines of their own file."""
    text = _plain(problem.message)
    lines = [f"{problem.type}: {text}" if text else problem.type]
    if "NotImplementedError" in problem.bases:
        lines = ["This part is not written yet (NotImplementedError)."]
    elif "SystemExit" in problem.bases:
        lines = ["Your code called sys.exit(). Return the result instead."]
    elif "PermissionError" in problem.bases and "not permitted" in problem.message:
        told = "start processes, use the network, send signals or change file modes"
        lines.append(f"While grading, code may not {told}.")
    previous = None
    for line in problem.lines:
        shown = f"  {line.file}, line {line.number}"
        shown += f", in {line.function}" if line.function and line.function != "<module>" else ""
        shown += f"\n      {line.text.strip()}" if line.text.strip() else ""
        if shown != previous:
            lines.append(shown)
        previous = shown
    return "\n".join(lines)
