"""What a grading ends in, and its JSON form (a fixed contract)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from grader.plain import plain

if TYPE_CHECKING:
    from grader.diagnosis import Comparison

CheckStatus = Literal["passed", "failed", "error", "timeout", "crashed", "forbidden"]
Status = Literal["passed", "failed", "not_started", "error"]
# The checks that read the text alone, before anything of it runs.
READABLE, ALLOWED = "the file can be graded", "uses only what is allowed"
# What a status says by itself of why a check did not pass.
_REASONS = {
    "failed": "wrong result",
    "error": "raised an exception",
    "timeout": "timeout",
    "crashed": "crashed",
    "forbidden": "uses what is not allowed",
}


_MAX_TEXT = 100_000


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}\n[cut]"


@dataclass
class CheckResult:
    """One check's outcome. `message` is plain text; `printed` is what the learner's code printed.

    A check that was not run did not pass. `comparison` is the comparison that failed, or the first one that
    was right: what pictures are made of. `kind` says in a word why, where the status does not.
    """

    name: str
    status: CheckStatus
    message: str = ""
    misconception: str | None = None
    seconds: float = 0.0
    printed: str = ""
    ran: bool = True
    kind: str = ""
    comparison: Comparison | None = field(default=None, repr=False, compare=False)

    def __setattr__(self, name: str, value: Any) -> None:
        # What learner code said must neither command the terminal it is shown in nor fill a disk.
        super().__setattr__(name, plain(_short(value)) if name in ("message", "printed") else value)


@dataclass
class Verdict:
    """The outcome of grading one submission.

    `status` "error" means the grader itself failed: `fault` says how, and nothing is held against the
    learner.
    """

    exercise: str
    seed: int
    sandbox: str
    checks: list[CheckResult] = field(default_factory=list)
    seconds: float = 0.0
    not_started: bool = False
    fault: str = ""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, plain(_short(value)) if name == "fault" else value)

    @property
    def status(self) -> Status:
        """The verdict in one word."""
        if self.fault:
            return "error"
        if self.not_started:
            return "not_started"
        return "passed" if self.passed else "failed"

    @property
    def passed(self) -> bool:
        """Whether every check passed, and there was at least one."""
        clean = not self.fault and not self.not_started and bool(self.checks)
        return clean and all(check.status == "passed" for check in self.checks)

    @property
    def passed_count(self) -> int:
        """How many checks passed."""
        return sum(check.status == "passed" for check in self.checks)

    @property
    def score(self) -> float:
        """The share of checks passed."""
        if not self.checks or self.fault or self.not_started:
            return 0.0
        return round(self.passed_count / len(self.checks), 4)

    @property
    def reason(self) -> str:
        """Why it failed, in a word or two, where no misconception says it; "" where one does."""
        failing = [check for check in self.checks if check.status != "passed"]
        if self.status != "failed" or not failing or any(check.misconception for check in failing):
            return ""
        return failing[0].kind or _REASONS[failing[0].status]

    @property
    def exit_code(self) -> int:
        """The process's exit code: 0 passed, 1 not passed, 3 the grader failed."""
        return 3 if self.fault else 0 if self.passed else 1

    def to_json(self) -> str:
        """Return the contract's JSON object, on one line."""
        document: dict[str, Any] = {
            "exercise": self.exercise,
            "status": self.status,
            "passed": self.passed,
            "score": self.score,
            "seed": self.seed,
            "seconds": round(self.seconds, 4),
            "sandbox": self.sandbox,
            "checks": [
                {
                    "name": check.name,
                    "status": check.status,
                    "message": check.message,
                    "misconception": check.misconception,
                    "seconds": round(check.seconds, 4),
                }
                for check in self.checks
            ],
        }
        if self.fault:
            # No check is to blame; the reason stands where a reader looks for one.
            document["checks"].append(
                {
                    "name": "the grader",
                    "status": "error",
                    "message": self.fault,
                    "misconception": None,
                    "seconds": 0.0,
                }
            )
        return json.dumps(document, ensure_ascii=False)
