"""The questions' markdown with LaTeX in it: for the terminal as plain symbols, for browsers as MathML."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pylatexenc import latex2text
from pylatexenc.latexwalker import LatexGroupNode, LatexMacroNode

# Code comes first: a dollar sign in it is a dollar sign.
_MATH = re.compile(
    r"(?P<code>```.*?```|`[^`\n]+`)|\$\$(?P<display>.+?)\$\$|\$(?!\s)(?P<inline>[^$]+?)(?<!\s)\$(?!\d)",
    re.DOTALL,
)
_OPERATOR = re.compile(r"\s*([·×⊙≤≥∈≈])\s*")
_TERM = re.compile(r"[\w√∑{}_^]*(\([^()]*\))?")


def parser() -> MarkdownIt:
    """Return a parser of the questions' markdown: tables and formulas, and no HTML passes through."""
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    return made.use(dollarmath_plugin, renderer=_mathml, allow_labels=False)


def _mathml(latex: str, options: dict[str, Any]) -> str:
    return convert(latex, display="block" if options.get("display_mode") else "inline")


@cache
def _to_text() -> latex2text.LatexNodes2Text:
    context = latex2text.get_default_latex_context_db()
    fraction = latex2text.MacroTextSpec("frac", simplify_repl=_fraction)
    gaps = [latex2text.MacroTextSpec(name, simplify_repl="\u2003") for name in ("quad", "qquad")]
    context.add_context_category("readable", prepend=True, macros=[fraction, *gaps])
    return latex2text.LatexNodes2Text(
        context, math_mode="text", keep_braced_groups=True, keep_braced_groups_minlen=2
    )


def _fraction(node: LatexMacroNode, l2tobj: latex2text.LatexNodes2Text) -> str:
    texts = (
        l2tobj.nodelist_to_text(part.nodelist if part.isNodeType(LatexGroupNode) else [part])
        for part in node.nodeargd.argnlist
    )
    return "/".join(text if _TERM.fullmatch(text) else f"({text})" for text in texts)


def readable(latex: str) -> str:
    r"""Write a formula in plain symbols: `\frac{q \cdot k}{\sqrt{d_k}}` becomes `(q · k)/√(d_k)`."""
    text = _to_text().latex_to_text(f"${latex}$", tolerant_parsing=True)
    text = re.sub(r"\s+([,)])", r"\1", _OPERATOR.sub(r" \1 ", text))
    return re.sub(r"[ \n]+", " ", text).strip()


def for_terminal(markdown: str) -> str:
    """Replace the formulas in markdown by inline code that holds plain symbols."""

    def replaced(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        return f"`{readable(match['display'] or match['inline'])}`"

    return _MATH.sub(replaced, markdown)


def to_html(markdown: str, inline: bool = False) -> str:
    """Render markdown that the project wrote; a learner's text is never markdown."""
    made = parser()
    return str(made.renderInline(markdown) if inline else made.render(markdown))
