"""The interview questions: one markdown file each, read into `Question` objects.

A file `NN_slug.md` is TOML front matter between two `+++` lines and then four sections, each under
its own `##` heading, in any order: see `SECTIONS`. The notebooks are built from these files.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

SECTIONS = {
    "Short answer": "short_answer",
    "Follow-ups": "follow_ups",
    "Often heard, and wrong": "wrong_answer",
    "Evidence": "evidence",
}
"""Heading in the file: the attribute of `Question` that holds the text under it."""

_KEYS: dict[str, type] = {
    "number": int,
    "topic": str,
    "title": str,
    "title_zh": str,
    "asked_in": list,
    "sources": list,
}
_FRONT = "+++"
_FENCE = re.compile(r"(`{3,})(.*)")


@dataclass(frozen=True)
class Question:
    """One interview question with its answer; every text is markdown."""

    number: int
    topic: str
    title: str
    title_zh: str
    asked_in: tuple[str, ...]
    sources: tuple[str, ...]
    short_answer: str
    follow_ups: str
    wrong_answer: str
    evidence: str

    def evidence_parts(self) -> tuple[tuple[str, str], ...]:
        """Split the evidence into `("markdown", text)` and `("code", source)`, in order."""
        parts: list[tuple[str, str]] = []
        prose: list[str] = []
        code: list[str] | None = None
        for line in self.evidence.splitlines():
            if code is None and line.rstrip() == "```python":
                _add(parts, "markdown", prose)
                prose, code = [], []
            elif code is not None and line.rstrip() == "```":
                _add(parts, "code", code)
                code = None
            else:
                (prose if code is None else code).append(line)
        _add(parts, "markdown", prose)
        return tuple(parts)


def load_questions(folder: Path = FOLDER) -> tuple[Question, ...]:
    """Read every question in `folder`, sorted by number.

    Args:
        folder: where the `NN_slug.md` files are.

    Returns:
        The questions, lowest number first.

    Raises:
        ValueError: a file is incomplete, or two files have one number; the message names the file.
    """
    seen: dict[int, Path] = {}
    questions = []
    for path in sorted(folder.glob("*.md")):
        question = parse_question(path.read_text(encoding="utf-8"), path.name)
        if question.number in seen:
            raise ValueError(
                f"{path.name}: number {question.number} is taken by {seen[question.number].name}"
            )
        seen[question.number] = path
        questions.append(question)
    return tuple(sorted(questions, key=lambda question: question.number))


def parse_question(text: str, name: str) -> Question:
    """Read one question.

    Args:
        text: the whole file.
        name: the file's name, for messages; it must begin with the question's number.

    Returns:
        The question.

    Raises:
        ValueError: a key or a section is missing, unknown, empty or of the wrong type.
    """
    front, body = _split_front_matter(text, name)
    values = _check_front_matter(front, name)
    sections = _split_sections(body, name)
    if not name.startswith(f"{values['number']:02d}_"):
        raise ValueError(f"{name}: the name should begin with {values['number']:02d}_")
    values.update({SECTIONS[title]: text for title, text in sections.items()})
    question = Question(**values)
    if not any(kind == "code" for kind, _ in question.evidence_parts()):
        raise ValueError(f"{name}: section 'Evidence' has no closed ```python cell")
    return question


def _split_front_matter(text: str, name: str) -> tuple[str, str]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != _FRONT or _FRONT not in (s.strip() for s in lines[1:]):
        raise ValueError(f"{name}: expected TOML front matter between two {_FRONT} lines")
    end = next(i for i, line in enumerate(lines) if i and line.strip() == _FRONT)
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :])


def _check_front_matter(front: str, name: str) -> dict[str, Any]:
    try:
        values = tomllib.loads(front)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name}: the front matter is not TOML: {error}") from None
    for key in values:
        if key not in _KEYS:
            raise ValueError(f"{name}: unknown key '{key}' in the front matter")
    for key, kind in _KEYS.items():
        if key not in values:
            raise ValueError(f"{name}: key '{key}' is missing from the front matter")
        if type(values[key]) is not kind or not values[key]:
            raise ValueError(f"{name}: key '{key}' should be a {kind.__name__} that is not empty")
        if kind is list:
            if not all(isinstance(item, str) and item for item in values[key]):
                raise ValueError(f"{name}: key '{key}' should be a list of strings")
            values[key] = tuple(values[key])
    return values


def _split_sections(body: str, name: str) -> dict[str, str]:
    sections: dict[str, list[str]] = {}
    lines: list[str] | None = None
    fence = ""
    for line in body.splitlines():
        fence = _fence_after(line, fence)
        if not fence and line.startswith("## "):
            title = line[3:].strip()
            if title not in SECTIONS or title in sections:
                kind = "repeated" if title in sections else "unknown"
                raise ValueError(f"{name}: {kind} section '{title}'")
            lines = sections[title] = []
        elif lines is not None:
            lines.append(line)
        elif line.strip():
            raise ValueError(f"{name}: text before the first section: {line.strip()!r}")
    if fence:
        raise ValueError(f"{name}: a {fence} fence is not closed")
    texts = {title: "\n".join(lines).strip() for title, lines in sections.items()}
    for title in SECTIONS:
        if not texts.get(title):
            raise ValueError(f"{name}: section '{title}' is missing or empty")
    return texts


def _fence_after(line: str, fence: str) -> str:
    """The code fence that is open after `line`, given the one open before it ("" for none)."""
    match = _FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return match[1]
    return "" if match[1].startswith(fence) and not match[2].strip() else fence


def _add(parts: list[tuple[str, str]], kind: str, lines: list[str]) -> None:
    text = "\n".join(lines).strip("\n")
    if text.strip():
        parts.append((kind, text))
