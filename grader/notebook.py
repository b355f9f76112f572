"""`%%exercise exercise_NN` in a notebook: runs the cell, saves it, grades it, shows the verdict."""

from __future__ import annotations

import atexit
import html
import io
import threading
from pathlib import Path
from typing import Any

from grader import desk, judging, registry, sources, terminal
from grader.exercise import Exercise
from grader.verdict import CheckResult, Verdict
from grader.workers import Worker

_STYLE = """
.dojo { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 6px;
  padding: .6em 1em; margin: .3em 0; font-family: system-ui, sans-serif; font-size: 14px; }
.dojo h4 { margin: 0 0 .3em 0; font-size: 15px; }
.dojo .passed { color: #1a8f4c; } .dojo .failed { color: #d23f3f; } .dojo .not_started { color: #b57600; }
.dojo ul { list-style: none; padding: 0; margin: .3em 0; } .dojo li { margin: .15em 0; }
.dojo pre { background: color-mix(in srgb, currentColor 7%, transparent); padding: .5em .7em;
  border-radius: 4px; overflow-x: auto; font-size: 12.5px; white-space: pre; color: inherit; }
.dojo .why { margin: .2em 0 .2em 1.2em; } .dojo .small { opacity: .7; font-size: 12px; }
"""


class Card:
    """A verdict as a notebook shows it: HTML, and plain text where there is no HTML."""

    def __init__(self, exercise: Exercise, verdict: Verdict, note: str = "") -> None:
        self.exercise = exercise
        self.verdict = verdict
        self.note = note

    def __repr__(self) -> str:
        stream = io.StringIO()
        terminal.show_verdict(self.verdict, self.exercise, terminal.console(stream))
        return stream.getvalue() + self.note

    def _repr_html_(self) -> str:
        verdict = self.verdict
        word = verdict.status.replace("_", " ")
        colour = verdict.status if verdict.status in ("passed", "not_started") else "failed"
        counts = f" · {verdict.passed_count} of {len(verdict.checks)} checks" if verdict.checks else ""
        title = html.escape(f"{verdict.exercise}: {self.exercise.title}")
        rows = "".join(self._rows())
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        fault = ""
        if verdict.fault:
            told = "The grader itself failed; this says nothing about your code."
            fault = f"<p>{told}</p><pre>{html.escape(verdict.fault)}</pre>"
        return (
            f'<style>{_STYLE}</style><div class="dojo"><h4>{title} — '
            f'<span class="{colour}">{word}</span>{counts}</h4><ul>{rows}</ul>{fault}{note}'
            f'<div class="small">{html.escape(verdict.sandbox)} · seed {verdict.seed} · '
            f"{verdict.seconds:.2f} s</div></div>"
        )

    def _rows(self) -> list[str]:
        rows, explained = [], set()
        for check in self.verdict.checks:
            good = check.status == "passed"
            mark, colour = ("✓", "passed") if good else ("✗", "failed")
            status = "" if check.status in ("passed", "failed") else f" ({check.status})"
            rows.append(f'<li><span class="{colour}">{mark}</span> {html.escape(check.name)}{status}')
            reason = check.misconception or check.message.split("\n")[0]
            if not good and reason not in explained:
                explained.add(reason)
                rows.append(_why(check))
            rows.append("</li>")
        return rows


def _why(check: CheckResult) -> str:
    first, _, rest = check.message.partition("\n")
    parts = [f'<div class="why"><b>{html.escape(first)}</b>']
    if rest:
        parts.append(f"<pre>{html.escape(rest)}</pre>")
    if check.printed.strip():
        parts.append(f'<span class="small">Printed:</span><pre>{html.escape(check.printed)}</pre>')
    return "".join([*parts, "</div>"])


class Desk:
    """One kernel's grading: a warm worker, used by one cell at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None

    def warm_up(self) -> None:
        """Start the worker and import NumPy in it, so that the first verdict comes at once.

        A worker dies with the thread that started it (so the kernel counts parents): start it here, and
        only wait in the background.
        """
        with self._lock:
            try:
                worker = self._live_worker()
            except Exception:  # the first grading reports it, where somebody looks
                return
        threading.Thread(target=self._preload, args=[worker], daemon=True).start()

    def _preload(self, worker: Worker) -> None:
        with self._lock:
            try:
                worker.preload("numpy")
            except Exception:  # as above
                self._stop()

    def _live_worker(self) -> Worker:
        if self._worker is None or self._worker.process.popen.poll() is not None:
            self._stop()
            self._worker = Worker()
        return self._worker

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def grade(self, exercise: Exercise, path: Path) -> Verdict:
        """Grade a file with the warm worker; a worker that failed is replaced next time."""
        with self._lock:
            verdict = judging.grade(exercise, path, self._live_worker())
            if verdict.fault:
                self._stop()
            return verdict

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            self._stop()


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
    kept = desk.write(path, cell)
    return f"Saved; what was there before is in {kept.relative_to(path.parent.parent)}." if kept else ""


def exercise_magic(line: str, cell: str) -> Card | None:
    """Run a cell, save it to `exercises/`, grade it and show the verdict: `%%exercise exercise_03`."""
    from IPython.core.getipython import get_ipython

    try:
        exercise = registry.load(registry.parse_name(line))
    except registry.UnknownExerciseError as error:
        print(f"%%exercise: {error}")
        return None
    shell = get_ipython()
    if shell is not None:
        shell.run_cell(cell)
    cell = sources.python_of(cell)
    note = _save(exercise, cell)
    return Card(exercise, _grade_cell(exercise, cell), note)


def _grade_cell(exercise: Exercise, cell: str) -> Verdict:
    """Grade the cell's text, not the file: the file may hold an earlier answer."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{exercise.name}.py"
        path.write_text(cell, encoding="utf-8")
        return _desk.grade(exercise, path)


def load(ipython: Any) -> None:
    """Register the magic and warm up."""
    ipython.register_magic_function(exercise_magic, "cell", "exercise")
    atexit.register(_desk.close)
    _desk.warm_up()


def unload() -> None:
    """End the worker."""
    _desk.close()
