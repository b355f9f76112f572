"""What an answer should have said: the points of a question's short answer, to be ticked one by one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from markdown_it.tree import SyntaxTreeNode

from grader.interview import formulas
from grader.questions import Question

FEWEST, MOST = 3, 7
# A point longer than this is read twice before it can be ticked.
_LONG = 240
_LEAD_WORDS = 14
_SHORT_WORDS = 7
# "In two places." as a paragraph says nothing yet.
_ANNOUNCING_WORDS = 4
_LISTS = ("bullet_list", "ordered_list")
# Formulas, code and brackets hold full stops that end no sentence.
_SEALED = re.compile(r"\$[^$]+\$|`[^`]+`|\([^()]*\)|\b(?:e\.g|i\.e|et al|vs|cf)\.")
_SENTENCE_END = re.compile(r"[.?!][*”\"]*\s+(?=[*“\"]*[A-Z0-9\[])")
_CLAUSE_END = re.compile(r"[;:]\s+")
# A sentence that begins so leans on the one before it.
_LEANING = re.compile(
    r"\W*(?:It|Its|They|Their|This|That|These|Those|There|Then|So|And|But|Or|Here|Also|Both)\b"
)


def points(question: Question) -> list[str]:
    """List what the short answer says: three to seven points, in markdown.

    Items of a list and rows of a table are points; so are sentences, together with those that lean on them.
    """
    blocks = list(_blocks(question.short_answer))
    found = [[*block] if listed else _leaning_joined(block) for listed, block in blocks]
    if sum(map(len, found)) < FEWEST:
        found = [block for _, block in blocks]
    if sum(map(len, found)) < FEWEST:
        found = [[part for text in block for part in _split(text, _SENTENCE_END)] for block in found]
    if sum(map(len, found)) < FEWEST:
        found = [[part for text in block for part in _split(text, _CLAUSE_END)] for block in found]
    _join_shortest(found, [listed for listed, _ in blocks])
    return [_finished(text) for block in found for text in block]


def slip(question: Question) -> str:
    """Return what is often heard and wrong: the words themselves, without what is said against them."""
    tree = SyntaxTreeNode(formulas.parser().parse(question.wrong_answer))
    quoted = [_text(node) for node in tree.children if node.type == "blockquote"]
    return quoted[0] if quoted else _split(question.wrong_answer, _SENTENCE_END)[0]


def _blocks(markdown: str) -> Iterator[tuple[bool, list[str]]]:
    """Yield (whether it is listed, its texts) for every list, table and paragraph."""
    nodes = SyntaxTreeNode(formulas.parser().parse(markdown)).children
    for node, after in zip(nodes, [*nodes[1:], None], strict=True):
        if node.type in _LISTS:
            yield True, [_text(item) for item in node.children]
        elif node.type == "table":
            yield True, [_row(row) for row in node.children[-1].children]
        elif node.type == "paragraph":
            sentences = _split(_text(node), _SENTENCE_END)
            if after is not None and after.type in (*_LISTS, "table") and _is_lead(sentences[-1]):
                sentences = sentences[:-1] or [""]
            if len(sentences) > 1 or len(sentences[0].split()) > _ANNOUNCING_WORDS:
                yield False, [each for each in sentences if not (_is_lead(each) and _is_short(each))]


def _text(node: SyntaxTreeNode) -> str:
    inlines = (each.content for each in node.walk() if each.type == "inline")
    return " ".join(" ".join(inlines).split())


def _row(row: SyntaxTreeNode) -> str:
    first, *others = (_text(cell) for cell in row.children)
    return f"**{first}**: {'; '.join(filter(None, others))}"


def _is_lead(sentence: str) -> bool:
    """Whether a sentence before a list only announces it: "Three things:"."""
    return sentence.rstrip("*").endswith(":") and len(sentence.split()) <= _LEAD_WORDS


def _split(text: str, end: re.Pattern[str]) -> list[str]:
    sealed = _SEALED.sub(lambda match: "X" * len(match[0]), text)
    cuts = [0, *(match.end() for match in end.finditer(sealed)), len(text)]
    return [text[start:stop].strip() for start, stop in itertools.pairwise(cuts) if start < stop]


def _leaning_joined(sentences: list[str]) -> list[str]:
    joined: list[str] = []
    for sentence in sentences:
        leans = joined and (_LEANING.match(sentence) or _is_short(joined[-1]) or _adds_little(sentence))
        if leans and len(joined[-1]) + len(sentence) < _LONG:
            joined[-1] += " " + sentence
        else:
            joined.append(sentence)
    return joined


def _is_short(sentence: str) -> bool:
    """Whether a sentence says too little to be ticked alone: "Why care?"."""
    return len(sentence.split()) <= _SHORT_WORDS


def _adds_little(sentence: str) -> bool:
    """Whether it belongs to what was said before; a short question belongs to its answer."""
    return _is_short(sentence) and not sentence.endswith("?")


def _finished(point: str) -> str:
    """Begin and end a point as a sentence does, wherever it was cut out."""
    return point[:1].upper() + re.sub(r"[;:,]$", ".", point[1:])


def _join_shortest(blocks: list[list[str]], listed: list[bool]) -> None:
    """Join neighbours of one block until no more than `MOST` are left: short sentences first."""
    while sum(map(len, blocks)) > MOST:
        pairs = [
            (listed[number], len(block[place]) + len(block[place + 1]), number, place)
            for number, block in enumerate(blocks)
            for place in range(len(block) - 1)
        ]
        if not pairs:
            break
        _, _, number, place = min(pairs)
        blocks[number][place : place + 2] = [" ".join(blocks[number][place : place + 2])]
