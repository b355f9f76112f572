"""A candidate who follows a script, and a clock that stands still: for the tests of the interview."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from click.testing import CliRunner, Result

from grader import judging, registry
from grader.interview import bench, plan, start
from grader.interview.command import interview as command
from grader.interview.prompts import QUIT
from grader.interview.session import Clock, Interview, Store
from grader.questions import load_questions

QUESTIONS = load_questions()
BY_NUMBER = {question.number: question for question in QUESTIONS}
CANDIDATES = plan.candidates(QUESTIONS, judging.all_exercises())
NOON = datetime(2026, 7, 28, 12, tzinfo=UTC)
WRONG = "import numpy as np\n\n\ndef {name}(*arguments, **options):\n    return np.zeros(3)\n"


class Time:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.start = NOON
        self.clock = Clock(lambda: self.seconds, lambda: self.start + timedelta(seconds=self.seconds))


class Script:
    """A candidate: each answer is what to type, or a function that does something and returns it."""

    def __init__(self, time: Time, **answers: Sequence[object]) -> None:
        self.time = time
        self.answers = {kind: list(given) for kind, given in answers.items()}
        self.drafts: list[str] = []
        self.clocks: list[str] = []

    def _next(self, kind: str, status: Callable[[], str], otherwise: object) -> object:
        self.clocks.append(status())
        self.time.seconds += 20
        given = self.answers.get(kind) or [otherwise]
        answer = given.pop(0)
        return answer() if callable(answer) else answer

    def text(self, status: Callable[[], str], draft: str, keep: Callable[[str], None]) -> tuple[str, str]:
        self.drafts.append(draft)
        given = self._next("text", status, ("I do not know", "."))
        if isinstance(given, BaseException):
            keep("half an answer")
            raise given
        return given  # type: ignore[return-value]

    def key(self, status: Callable[[], str], message: str, keys: Sequence[str], default: str) -> str:
        given = self._next("key", status, "")
        if isinstance(given, BaseException):
            raise given
        assert given == "" or given == QUIT or given in keys
        return str(given) or default

    def line(self, status: Callable[[], str], message: str) -> str:
        return str(self._next("line", status, "/skip"))


def hold(script: Script, **wish: object) -> int:
    new = wish.pop("new", None)
    return start.hold(start.Wish(**wish), Store(), script.time.clock, script, new)  # type: ignore[arg-type]


def latest() -> Interview:
    return Store().all()[0][0]


def solve(number: int) -> Callable[[], str]:
    """Put the solution where the candidate works, and press Enter."""

    def solved() -> str:
        name = f"exercise_{number:02d}.py"
        shutil.copy(registry.solution_file(name[:-3]), bench.where(latest()) / name)
        return ""

    return solved


def draw(
    seed: int = 7, minutes: int = 45, history: plan.History | None = None, **more: object
) -> list[plan.Drawn]:
    history = history or plan.History(NOON)
    return plan.draw(CANDIDATES, history, minutes=minutes, seed=seed, **more)  # type: ignore[arg-type]


def run(*arguments: str, input: str = "") -> Result:
    return CliRunner().invoke(command, list(arguments), input=input)
