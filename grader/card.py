"""A verdict as a notebook shows it: one HTML card, and plain text where there is no HTML."""

from __future__ import annotations

import html
import io
import os
from collections.abc import Iterator, Sequence

from grader import lessons, registry, terminal
from grader.exercise import Exercise
from grader.verdict import CheckResult, Verdict

# Colours follow the page: currentColor is dark on light pages and light on dark ones.
# Doubled, so that it outweighs the page's own rules.
_STYLE = """
.dojo { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 6px;
  padding: .6em 1em; margin: .3em 0; font: 14px/1.4 system-ui, sans-serif; }
.dojo.dojo h4 { margin: 0 0 .3em 0; font-size: 15px; font-weight: 600; }
.dojo span.passed { color: #1a9850; } .dojo span.failed { color: #e5484d; }
.dojo span.not_started, .dojo span.running { color: #c27803; }
.dojo.dojo ul { list-style: none; padding: 0; margin: .4em 0; } .dojo.dojo li { margin: .15em 0; }
.dojo.dojo pre { background: color-mix(in srgb, currentColor 7%, transparent); padding: .5em .7em;
  margin: .4em 0; border-radius: 4px; overflow-x: auto; font: 12.5px/1.35 ui-monospace, monospace;
  white-space: pre-wrap; color: inherit; }
.dojo .why { margin: .3em 0 .6em 1.2em; } .dojo .small { opacity: .75; font-size: 12px; }
.dojo .name { border: 1px solid; border-radius: 9px; padding: 0 .5em; font-size: 12px; opacity: .8; }
.dojo summary { cursor: pointer; font-size: 12px; opacity: .75; }
.dojo .pictures { display: flex; flex-wrap: wrap; gap: 1.2em; margin: .5em 0 .1em 0; }
.dojo figure { margin: 0; } .dojo figcaption { font-size: 12px; margin-bottom: .2em; }
.dojo svg { border: 1px solid color-mix(in srgb, currentColor 30%, transparent); background: none; }
.dojo svg text { font: 10px ui-monospace, monospace; fill: currentColor; }
.dojo.dojo table.progress { border-collapse: collapse; margin: .4em 0; }
.dojo.dojo table.progress tr { background: none; }
.dojo.dojo table.progress td, .dojo.dojo table.progress th { padding: .25em .8em .25em 0;
  background: none; text-align: left; font-weight: inherit; }
.dojo .tile { display: inline-block; min-width: 1.9em; height: 1.6em; line-height: 1.6em; margin: 0 2px;
  border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: 4px;
  text-align: center; font-size: 12px; }
.dojo .tile.passed { background: #1a9850; color: white; }
.dojo .tile.tried { background: #f5b83d; color: #222; }
.dojo .beside { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 1em; }
"""


def page(body: str) -> str:
    """Frame a card: it brings its style with it, and touches nothing else on the page."""
    return f'<style>{_STYLE}</style><div class="dojo">{body}</div>'


class Card:
    """A verdict, or as much of it as is known; `running` says that more is to come."""

    def __init__(
        self, exercise: Exercise, verdict: Verdict, notes: Sequence[str] = (), *, running: bool = False
    ) -> None:
        self.exercise = exercise
        self.verdict = verdict
        self.notes = [note for note in notes if note]
        self.running = running

    def __repr__(self) -> str:
        stream = io.StringIO()
        terminal.show_verdict(self.verdict, self.exercise, terminal.console(stream))
        return "\n".join([stream.getvalue().rstrip("\n"), *self.notes])

    def _repr_html_(self) -> str:
        verdict = self.verdict
        rows = "".join([*self._rows(), *self._waiting()])
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        fault = ""
        if verdict.fault:
            told = "The grader itself failed; this says nothing about your code."
            fault = f"<p>{told}</p><pre>{html.escape(verdict.fault)}</pre>"
        confined = f"{verdict.sandbox} · seed {verdict.seed} · {verdict.seconds:.2f} s"
        small = "" if self.running else f'<div class="small">{html.escape(confined)}{self._help()}</div>'
        return page(f"{self._heading()}<ul>{rows}</ul>{fault}{notes}{small}")

    def _heading(self) -> str:
        verdict, total = self.verdict, len(self.exercise.checks)
        state = "running" if self.running else verdict.status
        if verdict.checks and not self.running:
            total = len(verdict.checks)
        word, colour = state.replace("_", " "), "failed" if state == "error" else state
        counts = f" · {verdict.passed_count} of {total} checks" if verdict.checks else ""
        title = html.escape(f"{verdict.exercise}: {self.exercise.title}")
        return f'<h4>{title} — <span class="{colour}">{word}</span>{counts}</h4>'

    def _waiting(self) -> Iterator[str]:
        for check in self.exercise.checks[len(self.verdict.checks) :] if self.running else ():
            yield f'<li class="small">○ {html.escape(check.title)}</li>'

    def _help(self) -> str:
        failed = self.verdict.status == "failed"
        stuck = " · stuck? <code>%hint</code>" if failed else ""
        if self.exercise.examples_only:
            return f"{stuck} · {html.escape(terminal.EXAMPLES_ONLY)}"
        return f"{stuck} · again with these inputs: --seed {self.verdict.seed}" if failed else ""

    def _rows(self) -> Iterator[str]:
        told = 0
        for check, explained in terminal.explained_once(self.verdict.checks):
            good = check.status == "passed"
            mark, colour = ("✓", "passed") if good else ("✗", "failed")
            status = "" if check.status in ("passed", "failed") else f" ({check.status})"
            named = html.escape(check.misconception or "")
            chip = f' <span class="name">{named}</span>' if named else ""
            why = ""
            if explained and not self.running:
                why, told = self._why(check, first=not told), told + 1
            row = f"{html.escape(check.name)}{status}{chip}{why}"
            yield f'<li><span class="{colour}">{mark}</span> {row}</li>'
        if self.verdict.passed and not self.running:
            pictures = (self._picture(check) for check in self.verdict.checks)
            yield next((f"<li>{picture}</li>" for picture in pictures if picture), "")

    def _picture(self, check: CheckResult) -> str:
        """The weights of a check; of one that failed only where they are what is wrong."""
        from grader.pictures import heat_maps, weights_in

        weights = weights_in(self.exercise, check.comparison)
        shown = weights is not None and (check.status == "passed") == weights.right
        return heat_maps(weights) if weights is not None and shown else ""

    def _why(self, check: CheckResult, *, first: bool) -> str:
        """What is wrong, with the failing input; that of a later mistake is folded away."""
        headline, _, rest = check.message.partition("\n")
        parts = [f'<div class="why"><b>{html.escape(headline)}</b>']
        if check.misconception and first:
            parts.append(lesson_link(self.exercise))
        details = [self._picture(check), f"<pre>{html.escape(rest)}</pre>" if rest else ""]
        if check.printed.strip():
            details.append(f'<span class="small">Printed:</span><pre>{html.escape(check.printed)}</pre>')
        if any(details) and not first:
            details = ["<details><summary>the input that shows it</summary>", *details, "</details>"]
        return "".join([*parts, *details, "</div>"])


def lesson_link(exercise: Exercise) -> str:
    """Return a link to the notebook section that teaches an exercise; "" where it has none."""
    lesson = lessons.of_exercise(exercise)
    if lesson is None:
        return ""
    anchor = lesson.heading.replace(" ", "-")  # JupyterLab's own
    target = f"{os.path.relpath(registry.project_root() / lesson.path)}#{anchor}".replace(os.sep, "/")
    told = html.escape(f"{lesson.notebook}, “{lesson.heading}”")
    return f'<div class="small">Read about it: <a href="{html.escape(target, quote=True)}">{told}</a></div>'
