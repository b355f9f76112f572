"""In a notebook: `%%exercise` runs, saves and grades a cell; also `%hint`, `%solution` and `%progress`."""

from __future__ import annotations

import atexit
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grader import desk, judging, progress, registry, sources
from grader.bench import Bench
from grader.card import Card, page
from grader.exercise import Exercise, Kind
from grader.verdict import CheckResult, Verdict

Show = Callable[[Card], None]
_SHOWN_EVERY = 0.1  # seconds; a quick verdict shows once


class Desk:
    """One kernel's grading: a worker for NumPy, and one for Keras, which takes seconds to load."""

    def __init__(self) -> None:
        self.benches: dict[Kind, Bench] = {"numpy": Bench("numpy"), "keras": Bench("keras")}
        self.last: Exercise | None = None
        self.follows = False

    def warm_up(self, kind: Kind) -> None:
        """Load what this kind of exercise needs while the learner reads."""
        bench = self.benches[kind]
        try:
            bench.start()
        except Exception:  # the first grading reports it, where somebody looks
            return
        threading.Thread(target=bench.preload, daemon=True).start()

    def follow(self, *_: Any) -> None:
        """Load Keras once the learner's own code has: a lesson on NumPy does without."""
        if not self.follows and "keras" in sys.modules:
            self.follows = True
            self.warm_up("keras")

    def close(self) -> None:
        """End the workers."""
        for bench in self.benches.values():
            bench.stop()


_desk = Desk()


def _save(exercise: Exercise, cell: str) -> str:
    """Save a cell as the learner's file. Returns what there is to say about it.

    An untouched stub never replaces an answer: running a notebook from top to bottom loses nothing.
    """
    path = registry.exercise_file(exercise.name)
    try:
        source = sources.Source((sources.parse(path.name, cell),))
        if source.is_untouched(exercise.implements, desk.stub(exercise.name)):
            return f"The stub was not saved: {path.name} keeps what it holds."
    except sources.SubmissionError:
        pass  # saved as it is: the verdict shows where it does not parse
    try:
        kept = desk.write(path, cell)
    except OSError as error:
        return f"Not saved: {path}: {error.strerror or error}."
    return f"Saved; what was there before is in {kept.relative_to(path.parent.parent)}." if kept else ""


def grade_cell(exercise: Exercise, cell: str, show: Show, *, keep: bool = True) -> None:
    """Save and grade a cell's text; show the card as the checks come, and at the end as a whole.

    Without `keep` nothing is saved and nothing noted.
    """
    text = sources.python_of(cell)
    note = _save(exercise, text) if keep else "Tried only: not saved."
    _desk.last = exercise
    so_far, shown_at = Verdict(exercise.name, 0, ""), 0.0

    def came(result: CheckResult) -> None:
        nonlocal shown_at
        so_far.checks.append(result)
        if time.monotonic() - shown_at > _SHOWN_EVERY:
            show(Card(exercise, so_far, running=True))
            shown_at = time.monotonic()

    if exercise.kind == "keras":  # which may still be loading
        show(Card(exercise, so_far, running=True))

    # The cell's text, not the file: that may hold an earlier answer.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{exercise.name}.py"
        path.write_text(text, encoding="utf-8")
        verdict = _desk.benches[exercise.kind].grade(exercise, path, progress=came)
        trouble = progress.remember(verdict, path.read_bytes()) if keep else ""
    show(Card(exercise, verdict, [note, trouble]))


class _Display:
    """Shows a card, and later ones in its place; a terminal, which cannot replace, gets the last."""

    def __init__(self, replaces: bool) -> None:
        self._replaces = replaces
        self._handle: Any = None

    def __call__(self, card: Card) -> None:
        from IPython.display import display

        if self._handle is not None:
            self._handle.update(card)
        elif self._replaces:
            self._handle = display(card, display_id=True)
        elif not card.running:
            display(card)


def _shell() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _found(name: str) -> Exercise | None:
    """Return the exercise that a line names, or the one graded last; else say what is wrong."""
    if not name and _desk.last is not None:
        return _desk.last
    try:
        return registry.load(registry.parse_name(name))
    except registry.UnknownExerciseError as error:
        print(error if name else "Which exercise? For example: %hint exercise_03")
        return None


def exercise_magic(line: str, cell: str) -> None:
    """Run a cell, save it to `exercises/`, grade it and show the verdict: `%%exercise exercise_03`.

    With `--try` it is graded only.
    """
    words = line.split()
    keep = "--try" not in words
    exercise = _found(" ".join(word for word in words if word != "--try"))
    if exercise is None:
        return
    shell = _shell()
    ran = shell.run_cell(cell)
    if isinstance(ran.error_in_exec, KeyboardInterrupt):
        print("Interrupted: not graded. " + (_save(exercise, sources.python_of(cell)) if keep else ""))
        return
    grade_cell(exercise, cell, _Display(replaces=hasattr(shell, "kernel")), keep=keep)


def hint_magic(line: str) -> None:
    """Show the next hint: `%hint exercise_03`, or `%hint` for the exercise graded last."""
    import html

    from IPython.display import HTML, display

    from grader import hints, terminal

    exercise = _found(line.strip())
    if exercise is None:
        return
    shown, trouble = hints.take(exercise, progress.Progress())
    if not hasattr(_shell(), "kernel"):
        terminal.show_hints(exercise, shown)
        return
    body = [f"<h4>{html.escape(f'{exercise.name}: {exercise.title}')}</h4>"]
    for hint in shown:
        body.append(f"<p><b>{html.escape(hint.title)}</b><br>{html.escape(hint.text)}</p>")
        if hint.code:
            body.append("An answer with this mistake may hold:")
            body.append(f"<pre>{html.escape(hint.code)}</pre>")
    if hints.is_last(exercise, shown) and not exercise.examples_only:
        body.append(f'<p class="small">That was the last one: <code>%solution {exercise.name}</code></p>')
    body.append(f"<p>{html.escape(trouble)}</p>" if trouble else "")
    display(HTML(page("".join(body))))


def solution_magic(line: str) -> Any:
    """Show the solution beside your code: `%solution exercise_03`, with `--yes` before it is passed."""
    from grader.side_by_side import SolutionCard

    words = line.split()
    exercise = _found(" ".join(word for word in words if word != "--yes"))
    if exercise is None:
        return None
    path, mine = registry.solution_file(exercise.name), registry.exercise_file(exercise.name)
    if not path.is_file():
        print("This edition comes without solutions.")
        return None
    record = progress.Progress()
    known = record.records().get(exercise.name)
    if "--yes" not in words and not (known and known.passed):
        print(f"{exercise.name} is not passed yet. To see it anyway: %solution {exercise.name} --yes")
        return None
    record.add_solution(exercise.name)
    return SolutionCard(exercise, mine, path)


def progress_magic(line: str) -> Any:
    """Show how far you are."""
    from grader.overview import ProgressCard

    return ProgressCard(list(judging.all_exercises()), progress.Progress())


def load(ipython: Any) -> None:
    """Register the magics and warm up."""
    ipython.register_magic_function(exercise_magic, "cell", "exercise")
    for name, magic in (("hint", hint_magic), ("solution", solution_magic), ("progress", progress_magic)):
        ipython.register_magic_function(magic, "line", name)
    atexit.register(_desk.close)
    _desk.warm_up("numpy")
    _desk.follow()
    ipython.events.register("post_run_cell", _desk.follow)


def unload(ipython: Any) -> None:
    """End the workers."""
    ipython.events.unregister("post_run_cell", _desk.follow)
    _desk.close()
    _desk.follows = False
