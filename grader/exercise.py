"""The vocabulary of a suite: an exercise, its oracle, its misconceptions, its checks.

A suite is one file, `grader/suites/exercise_NN.py`, that defines `exercise = Exercise(...)` and decorates
functions with it. See CONTRIBUTING.md for a walk through one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

    from grader.submission import Submission

Kind = Literal["numpy", "keras"]
Function = Callable[..., Any]
# A misconception as learner code: edits of the reference solution (old text: new text), definitions that
# replace the solution's, or None: the function itself, which then may use NumPy and `reference` only.
Wrong = Mapping[str, str] | str | None


@dataclass(frozen=True)
class Misconception:
    """A named mistake: what it computes, when that can be computed, and how a learner would write it.

    `functions` compute in float64 what the mistake makes of the same input, for each target (a function, a
    class or "Class.method") that it shows in. Without them the mistake shows in behaviour: `on` lists the
    kinds of failure ("mutated", "dtype", "repeat", ...) that name it, or a check names it itself.
    """

    id: str
    explanation: str
    wrong: Wrong
    functions: Mapping[str, Function] = field(default_factory=dict)
    on: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Check:
    """One hidden test: a title that learners read and a function of a submission and a generator.

    `fresh`: in a process of its own, for checks that measure its memory. `seconds`: a time limit other than
    the exercise's. `costly`: takes seconds, so it is run only when everything before it passed.
    """

    title: str
    run: Callable[[Submission, np.random.Generator], None]
    fresh: bool = False
    seconds: float | None = None
    costly: bool = False


@dataclass
class Exercise:
    """Everything the grader knows about one exercise.

    Attributes:
        number: Permanent; `exercise_07` for 7.
        title: Shown in lists.
        kind: What the worker must have imported: "numpy" or "keras".
        implements: The functions and classes a submission must define.
        hints: Three, from a nudge to nearly the answer.
        outputs: For functions that return several arrays, their names, for messages.
        weights: For layers, the attribute paths of the weights that the judge reads and assigns.
        forbidden: Dotted names that would make the exercise pointless; `*` matches anything.
        part: The part of the curriculum.
        lesson: Notebook and heading that teach it, as "01_topic#heading".
        minutes: About how long a learner needs.
        difficulty: 1 for a step that is new but small, 2 for one with traps, 3 for several at once.
        seconds: Time limit of one check.
        memory_mib: What the submission may use above the worker's own memory.
        examples_only: Its checks are the public examples of the learners' edition.
    """

    number: int
    title: str
    kind: Kind
    implements: Sequence[str]
    hints: Sequence[str]
    outputs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    weights: Mapping[str, Sequence[str]] = field(default_factory=dict)
    forbidden: Sequence[str] = ()
    part: str = ""
    lesson: str = ""
    minutes: int = 15
    difficulty: int = 1
    seconds: float = 5.0
    memory_mib: int = 1024
    examples_only: bool = False
    oracles: dict[str, Function] = field(default_factory=dict, init=False)
    misconceptions: dict[str, Misconception] = field(default_factory=dict, init=False)
    checks: list[Check] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if len(self.hints) != 3 and not self.examples_only:
            raise ValueError(f"exercise {self.number}: expected 3 hints; got {len(self.hints)}")
        if self.difficulty not in (1, 2, 3):
            raise ValueError(
                f"exercise {self.number}: expected a difficulty of 1, 2 or 3; got {self.difficulty}"
            )

    @property
    def name(self) -> str:
        """The exercise's one name, such as `exercise_07`."""
        return f"exercise_{self.number:02d}"

    def oracle(self, target: str) -> Callable[[Function], Function]:
        """Register what `target` must compute, in float64.

        For a function the oracle takes the same arguments; for a layer it takes a
        `grader.submission.LayerState` first.
        """

        def register(function: Function) -> Function:
            self.oracles[target] = function
            return function

        return register

    def misconception(
        self,
        id: str,
        explanation: str,
        *,
        wrong: Wrong = None,
        target: str = "",
        on: Sequence[str] = (),
    ) -> Callable[[Function], Function]:
        """Register a mistake with the function that computes what it gives."""

        def register(function: Function) -> Function:
            functions = {target or self.implements[0]: function}
            self._add(Misconception(id, explanation, wrong, functions, frozenset(on)))
            return function

        return register

    def behaviour(
        self,
        id: str,
        explanation: str,
        *,
        wrong: Wrong,
        on: Sequence[str] = (),
        functions: Mapping[str, Function] | None = None,
    ) -> None:
        """Register a mistake that shows in how the code behaves rather than in what one function computes.

        `functions`: what it makes of several targets, where it can be computed.
        """
        self._add(Misconception(id, explanation, wrong, functions or {}, frozenset(on)))

    def _add(self, misconception: Misconception) -> None:
        if misconception.id in self.misconceptions:
            raise ValueError(f"{self.name}: two misconceptions are called {misconception.id!r}")
        self.misconceptions[misconception.id] = misconception

    def check(
        self, title: str, *, fresh: bool = False, seconds: float | None = None, costly: bool = False
    ) -> Callable[[Function], Function]:
        """Register a hidden test. Small cases come first: the first failure is the one people read."""

        def register(function: Function) -> Function:
            if any(check.title == title for check in self.checks):
                raise ValueError(f"{self.name}: two checks are called {title!r}")
            self.checks.append(Check(title, function, fresh, seconds, costly))
            return function

        return register
