"""Greedy decoding and beam search: who competes with whom, by which score, and whose state is whose.

`step` is a function of the judge, which the submission calls over the wire. Its models remember everything
read so far in the state, so a state or a token in the wrong place gives other log probabilities.
"""

from __future__ import annotations

import functools
import itertools
import reprlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from grader.exercise import Exercise
from grader.messages import Call
from grader.submission import CheckEnded, Submission

exercise = Exercise(
    number=20,
    title="Greedy decoding and beam search",
    kind="numpy",
    part="Recurrent attention",
    implements=["greedy_decode", "beam_search"],
    outputs={"beam_search": ("tokens", "score")},
    lesson="08_lstm_attention_seq2seq#decoding",
    minutes=40,
    difficulty=3,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "What has to be remembered of one hypothesis, so that it can be continued later and compared with "
        "others? In the beam each has its own.",
        "Keep (tokens, sum of log probabilities, state) for each hypothesis. In a round, put the finished "
        "ones as they are and every extension of the others into one list, sort it by score, keep "
        "beam_width.",
        "for tokens, total, before in beam: a finished one goes to candidates as it is; for another, "
        "log_probs, after = step(tokens[-1] if tokens else bos, before) gives one candidate (with `after`) "
        "for each token. Then beam = sorted(candidates, key=score, reverse=True)[:beam_width].",
    ],
)
GREEDY, BEAM = "greedy_decode", "beam_search"
LONGEST = 40  # tokens that a state may hold
Table = Mapping[tuple[int, ...], list[float]]


# The models


class Model:
    """A decoder: log probabilities of the next token after all tokens before, which are its state."""

    def __init__(
        self, after: Callable[[tuple[int, ...]], np.ndarray], size: int, kind: str, label: str
    ) -> None:
        self.after = functools.lru_cache(maxsize=4096)(after)
        self.size = size
        self.kind = kind
        self.label = label
        self.problem: tuple[str, str | None] | None = None
        self.deepest = 0

    def __repr__(self) -> str:
        return self.label

    def pack(self, seen: tuple[int, ...]) -> Any:
        """The state after the tokens `seen`, bos included."""
        if self.kind == "array":
            return np.array(seen, dtype=np.int64)
        if self.kind == "dict":
            return {"seen": list(seen), "note": None}
        return ",".join(map(str, seen)) if seen else None

    def unpack(self, state: Any) -> tuple[int, ...] | None:
        """The tokens in a state, None when it is none. Trusts nothing: states come back from outside."""
        seen: Any = None
        if self.kind == "array" and isinstance(state, np.ndarray) and state.dtype.kind == "i":
            seen = state.tolist() if state.ndim == 1 and state.size <= LONGEST else None
        elif self.kind == "dict" and isinstance(state, dict) and set(state) == {"seen", "note"}:
            seen = state["seen"]
        elif self.kind == "text" and isinstance(state, str) and len(state) <= 4 * LONGEST:
            parts = state.split(",")
            seen = [int(part) for part in parts] if all(map(str.isdecimal, parts)) else None
        elif self.kind == "text" and state is None:
            seen = []
        if not isinstance(seen, list) or len(seen) > LONGEST:
            return None
        fine = all(type(token) is int and 0 <= token < self.size for token in seen)
        return tuple(seen) if fine else None

    def step(self, token: int, state: Any) -> tuple[np.ndarray, Any]:
        """What oracles call: as the contract has it."""
        seen = (*(self.unpack(state) or ()), int(token))
        return self.after(seen).copy(), self.pack(seen)

    def remote(self, eos: int) -> Callable[..., Any]:
        """What the submission calls, with anything; the first wrong call is noted and ends the decoding."""

        def step(*args: Any) -> Any:
            if self.problem is None:
                self.problem = self.refuse(*args)
            if self.problem is None:
                return list(self.step(*args))
            ending = np.full(self.size, -np.inf)
            ending[eos] = 0.0
            return [ending, self.pack(())]

        return step

    def refuse(self, *args: Any) -> tuple[str, str | None] | None:
        """What is wrong with a call of step, and the misconception that it is; None when nothing is."""
        if len(args) != 2:
            return f"step takes a token and a state; it was called with {len(args)} argument(s).", None
        token, state = args
        if isinstance(token, list) or (isinstance(token, np.ndarray) and token.ndim):
            return "step was called with several tokens; it reads one, an int.", "prefix-passed"
        whole = type(token) is int or (isinstance(token, np.ndarray) and token.dtype.kind in "iu")
        if not whole or not 0 <= int(token) < self.size:
            return f"step was called with a token that is none: expected an int below {self.size}.", None
        seen = self.unpack(state)
        if seen is None:
            return "step was called with a state that it did not return.", None
        self.deepest = max(self.deepest, len(seen) + 1)
        if self.deepest > LONGEST:
            return f"step was called again and again, {LONGEST} times after another.", None
        return None


def drawn(rng, size=5, kind="array", eos=1, ending=0.0, impossible=()) -> Model:
    """A model with random log probabilities; `ending` makes eos more likely."""
    seed = int(rng.integers(2**31))

    def after(seen: tuple[int, ...]) -> np.ndarray:
        logits = 1.5 * np.random.default_rng([seed, *seen]).normal(size=size)
        logits[eos] += ending
        logits[[0, *impossible]] = -np.inf  # 0 is bos
        return logits - np.log(np.exp(logits).sum())

    return Model(after, size, kind, f"a random step with V={size}")


def tabled(table: Table, kind: str = "array", exact: bool = False) -> Model:
    """A model from probabilities after some prefixes (bos left out), eos being certain after others.

    With `exact` the table holds log probabilities.
    """
    size = len(next(iter(table.values())))
    certain = [-np.inf, 0.0] if exact else [0.0, 1.0]

    def after(seen: tuple[int, ...]) -> np.ndarray:
        row = np.array(table.get(seen[1:], [*certain, *[certain[0]] * (size - 2)]), dtype=float)
        with np.errstate(divide="ignore"):
            return row if exact else np.log(row)

    lines = [f"\n        {list(prefix)}: {row}" for prefix, row in table.items()]
    what = "log probabilities" if exact else "probabilities"
    rest = "\n        otherwise eos is certain"
    return Model(after, size, kind, f"step with these {what} after:{''.join(lines)}{rest}")


class Case(NamedTuple):
    """A model and the other arguments of beam_search; bos is 0."""

    model: Model
    width: int = 2
    limit: int = 4
    penalty: float = 0.0
    eos: int = 1

    @property
    def start(self) -> Any:
        """The first state."""
        return self.model.pack(())

    def greedy(self, function: Callable[..., Any]) -> Any:
        """Run an implementation of greedy_decode in this process."""
        return function(self.model.step, self.start, 0, self.eos, self.limit)

    def beam(self, function: Callable[..., Any]) -> Any:
        """Run an implementation of beam_search in this process."""
        args = (self.model.step, self.start, 0, self.eos, self.width, self.limit)
        return function(*args, length_penalty=self.penalty)

    def expect(self, submission: Submission, name: str, positional: bool = False) -> None:
        """Call the submission and compare with the oracle."""
        rest: list[Any] = [self.start, 0, self.eos, *([self.width] if name == BEAM else []), self.limit]
        rest += [self.penalty] if positional else []
        given = name == BEAM and self.penalty and not positional
        kwargs = {"length_penalty": self.penalty} if given else {}
        self.model.problem, self.model.deepest = None, 0
        callback = submission.callback(self.model.remote(self.eos))
        reply = submission.request("call", name=name, args=[callback, *rest], kwargs=kwargs)
        if self.model.problem is not None:
            message, found = self.model.problem
            endless = name == GREEDY and self.model.deepest > LONGEST
            submission.fail(message, "max-length-ignored" if endless else found)
        call = Call(name, [self.model, *rest], kwargs, submission.parameters(name))
        compute = self.greedy if name == GREEDY else self.beam
        try:
            submission.judge_reply(name, reply, compute, call, dtype="")
        except CheckEnded as ended:
            if ended.status != "failed":
                raise
            right, received = compute(submission.exercise.oracles[name]), reprlib.repr(reply.value)[:300]
            message = f"{ended.message}\nIn full: expected {right}; received {received}."
            raise CheckEnded("failed", message, comparison=ended.comparison) from None
        if self.model.deepest > self.limit:
            submission.fail(
                f"The tokens are right, but step was called {self.model.deepest} times along a hypothesis "
                f"(or was given a state of another one); max_length is {self.limit}."
            )


# The right answers


class Hypothesis(NamedTuple):
    """Tokens with eos, their log probabilities, the state after them."""

    tokens: tuple[int, ...]
    logs: tuple[float, ...]
    state: Any

    def ended(self, eos: int) -> bool:
        """Whether eos is its last token."""
        return self.tokens[-1:] == (eos,)


def by_count(hypothesis: Hypothesis, penalty: float) -> float:
    return sum(hypothesis.logs) / len(hypothesis.logs) ** penalty


def extensions(step, bos: int, hypothesis: Hypothesis) -> list[Hypothesis]:
    tokens, logs, state = hypothesis
    log_probs, after = step(tokens[-1] if tokens else bos, state)
    return [Hypothesis((*tokens, t), (*logs, float(p)), after) for t, p in enumerate(log_probs)]


def search(
    step,
    state,
    bos,
    eos,
    width,
    limit,
    penalty,
    score=by_count,
    extend=extensions,
    stops=True,
    per=None,
    tie=1,
) -> list[Hypothesis]:
    """The beam at the end, best first; misconceptions replace parts."""

    def rank(hypothesis: Hypothesis) -> tuple[float, tuple[int, ...]]:
        return -score(hypothesis, penalty), tuple(tie * token for token in hypothesis.tokens)

    beam = [Hypothesis((), (), state)]
    for _ in range(limit):
        grown = []
        for hypothesis in beam:
            if stops and hypothesis.ended(eos):
                grown.append(hypothesis)
            else:
                grown += sorted(extend(step, bos, hypothesis), key=rank)[:per]
        beam = sorted(grown, key=rank)[:width]
    return beam


def written(hypothesis: Hypothesis, eos: int) -> list[int]:
    return [token for token in hypothesis.tokens if token != eos]


def winner(eos: int, penalty: float, beam: list[Hypothesis], score=by_count) -> tuple[list[int], float]:
    return written(beam[0], eos), score(beam[0], penalty)


@exercise.oracle(GREEDY)
def greedy_decode(step, state, bos, eos, max_length):
    """The right answer."""
    tokens = [bos]
    while len(tokens) <= max_length and (tokens[-1] != eos or len(tokens) == 1):
        log_probs, state = step(tokens[-1], state)
        tokens.append(log_probs.tolist().index(max(log_probs)))
    return [token for token in tokens[1:] if token != eos]


@exercise.oracle(BEAM)
def beam_search(step, state, bos, eos, beam_width, max_length, length_penalty=0.0):
    """The right answer."""
    beam = search(step, state, bos, eos, beam_width, max_length, length_penalty)
    return winner(eos, length_penalty, beam)


def unambiguous(case: Case) -> bool:
    """Whether it makes no difference that a finished hypothesis may be pushed out, or what orders the beam.

    In published beam searches finished hypotheses are safe, or the sum orders the beam; no check is to
    depend on that.
    """

    def variant(by_sum: bool, safe: bool):
        def decode(step, state, bos, eos, width, limit, length_penalty=0.0):
            def rank(h):
                return -by_count(h, 0.0 if by_sum else length_penalty)

            beam = [Hypothesis((), (), state)]
            for _ in range(limit):
                ended = [h for h in beam if h.ended(eos)]
                grown = [new for h in beam if not h.ended(eos) for new in extensions(step, bos, h)]
                if safe:
                    beam = [*ended, *sorted(grown, key=rank)[: width - len(ended)]]
                else:
                    beam = sorted([*ended, *grown], key=rank)[:width]
            return winner(eos, length_penalty, sorted(beam, key=lambda h: -by_count(h, length_penalty)))

        return decode

    right = case.beam(beam_search)
    return all(case.beam(variant(by_sum, safe)) == right for by_sum in (0, 1) for safe in (0, 1))


# Mistakes of greedy decoding

GREEDY_LOOP = "for _ in range(max_length):\n        log_probs"
GREEDY_STEP = "log_probs, state = step(current, state)"
GREEDY_STOP = "if current == eos:\n            break\n"
ARGMAX = "int(np.argmax(log_probs))"


@exercise.misconception(
    "greedy-eos-included",
    "greedy_decode leaves eos in its result; the tokens exclude it.",
    target=GREEDY,
    wrong={
        GREEDY_STOP + "        written.append(current)": "written.append(current)\n        " + GREEDY_STOP
    },
)
def greedy_eos_included(step, state, bos, eos, max_length):
    tokens, token = [], bos
    while len(tokens) < max_length and eos not in tokens:
        log_probs, state = step(token, state)
        token = int(log_probs.argmax())
        tokens.append(token)
    return tokens


@exercise.misconception(
    "greedy-bos-included",
    "greedy_decode begins its result with bos; the tokens exclude it.",
    target=GREEDY,
    wrong={"written, current = [], bos": "written, current = [bos], bos"},
)
def greedy_bos_included(step, state, bos, eos, max_length):
    return [bos, *greedy_decode(step, state, bos, eos, max_length)]


@exercise.misconception(
    "greedy-never-stops",
    "greedy_decode writes on after eos; eos ends the hypothesis.",
    target=GREEDY,
    wrong={GREEDY_STOP: "pass\n"},
)
def greedy_never_stops(step, state, bos, eos, max_length):
    return greedy_decode(step, state, bos, None, max_length)


@exercise.misconception(
    "greedy-bos-every-time",
    "Every call of step in greedy_decode reads bos; each reads the token that was written last.",
    target=GREEDY,
    wrong={GREEDY_STEP: "log_probs, state = step(bos, state)"},
)
def greedy_bos_every_time(step, state, bos, eos, max_length):
    return greedy_decode(lambda token, state: step(bos, state), state, bos, eos, max_length)


@exercise.misconception(
    "greedy-state-not-kept",
    "Every call of step in greedy_decode gets the first state; each gets the one returned before.",
    target=GREEDY,
    wrong={GREEDY_STEP: "log_probs, _ = step(current, state)"},
)
def greedy_state_not_kept(step, state, bos, eos, max_length):
    return greedy_decode(lambda token, _: step(token, state), state, bos, eos, max_length)


@exercise.misconception(
    "greedy-last-of-equals",
    "Among equally probable tokens greedy_decode takes the highest id; take the lowest.",
    target=GREEDY,
    wrong={ARGMAX: "len(log_probs) - 1 - int(np.argmax(log_probs[::-1]))"},
)
def greedy_last_of_equals(step, state, bos, eos, max_length):
    tokens = [bos]
    while len(tokens) <= max_length and (tokens[-1] != eos or len(tokens) == 1):
        log_probs, state = step(tokens[-1], state)
        tokens.append(int(np.flatnonzero(log_probs == log_probs.max())[-1]))
    return [token for token in tokens[1:] if token != eos]


@exercise.misconception(
    "greedy-least-probable",
    "greedy_decode takes the least probable token; log probabilities are negative, the largest is wanted.",
    target=GREEDY,
    wrong={ARGMAX: "int(np.argmin(log_probs))"},
)
def greedy_least_probable(step, state, bos, eos, max_length):
    def reversed_step(token, state):
        log_probs, state = step(token, state)
        return -log_probs, state

    return greedy_decode(reversed_step, state, bos, eos, max_length)


@exercise.misconception(
    "greedy-one-short",
    "greedy_decode calls step max_length - 1 times at most; max_length calls are allowed.",
    target=GREEDY,
    wrong={GREEDY_LOOP: GREEDY_LOOP.replace("length", "length - 1")},
)
def greedy_one_short(step, state, bos, eos, max_length):
    return greedy_decode(step, state, bos, eos, max_length - 1)


@exercise.misconception(
    "greedy-one-more",
    "greedy_decode calls step max_length + 1 times; max_length calls are allowed, the one that writes eos "
    "included.",
    target=GREEDY,
    wrong={GREEDY_LOOP: GREEDY_LOOP.replace("length", "length + 1")},
)
def greedy_one_more(step, state, bos, eos, max_length):
    return greedy_decode(step, state, bos, eos, max_length + 1)


@exercise.misconception(
    "max-length-ignored",
    "greedy_decode goes on until eos, however long that takes; stop after max_length calls of step.",
    target=GREEDY,
    wrong={GREEDY_LOOP: "while True:\n        log_probs"},
)
def max_length_ignored(step, state, bos, eos, max_length):
    return greedy_decode(step, state, bos, eos, LONGEST)


@exercise.misconception(
    "greedy-array-returned",
    "greedy_decode returns an array; a list of ints is asked for.",
    target=GREEDY,
    wrong={"return written": "return np.array(written)"},
)
def greedy_array_returned(*args):
    return np.array(greedy_decode(*args))


@exercise.misconception(
    "greedy-score-returned",
    "greedy_decode returns a score too; the list of tokens is asked for.",
    target=GREEDY,
    wrong={
        "written, current = [], bos": "written, current, total = [], bos, 0.0",
        "  # the first of equals": "\n        total += float(log_probs[current])",
        "return written": "return written, total",
    },
)
def greedy_score_returned(*args):
    return beam_search(*args[:4], 1, args[4])


# Mistakes of beam search: what a hypothesis is

BEAM_STEP = "log_probs, after = step(tokens[-1] if tokens else bos, before)  # (V,)"
LIKELY = 'likely = np.argsort(-log_probs, kind="stable")[:beam_width]'
APPEND = "candidates.append(([*tokens, int(token)], total + float(log_probs[token]), after))"
FINISHED = "if tokens and tokens[-1] == eos:"
PRUNE = "beam = sorted(candidates, key=score, reverse=True)[:beam_width]"
SCORE = "return total / len(tokens) ** length_penalty"
RETURN = "return tokens, score(best)"
STRIP = "tokens = best[0][:-1] if best[0][-1] == eos else best[0]"
beam_mistake = functools.partial(exercise.misconception, target=BEAM)


@beam_mistake(
    "state-shared",
    "All hypotheses share one state, the one that the last call of step returned. Keep a state for each.",
    wrong={
        BEAM_STEP: "log_probs, after = step(tokens[-1] if tokens else bos, state)\n"
        "            state = after"
    },
)
def state_shared(step, state, *args, length_penalty=0.0):
    held = [state]

    def shared(token, _):
        log_probs, held[0] = step(token, held[0])
        return log_probs, None

    return beam_search(shared, state, *args, length_penalty)


@beam_mistake(
    "state-not-kept",
    "The state that step returns is thrown away: every call gets the first one. Keep one per hypothesis.",
    wrong={BEAM_STEP: BEAM_STEP.replace("after", "_").partition("  #")[0] + "\n            after = before"},
)
def state_not_kept(step, state, *args, length_penalty=0.0):
    return beam_search(lambda token, _: step(token, state), state, *args, length_penalty)


@beam_mistake(
    "bos-every-time",
    "Every call of step reads bos; each reads the last token of the hypothesis that it continues.",
    wrong={"step(tokens[-1] if tokens else bos, before)": "step(bos, before)"},
)
def bos_every_time(step, state, bos, *args, length_penalty=0.0):
    return beam_search(lambda token, state: step(bos, state), state, bos, *args, length_penalty)


@beam_mistake(
    "tokens-shared",
    "All extensions append to one and the same list of tokens. Make a new list for each: [*tokens, token].",
    wrong={
        APPEND: "tokens.append(int(token))\n                "
        + APPEND.replace("[*tokens, int(token)]", "tokens")
    },
)
def tokens_shared(step, state, bos, eos, width, limit, length_penalty=0.0):
    def score(hypothesis):
        return hypothesis[1] / len(hypothesis[0]) ** length_penalty

    beam: list[Any] = [([], 0.0, state)]
    for _ in range(limit):
        grown = []
        for tokens, total, before in beam:
            if tokens and tokens[-1] == eos:
                grown.append((tokens, total, before))
                continue
            log_probs, after = step(tokens[-1] if tokens else bos, before)
            for token in np.argsort(-log_probs, kind="stable")[:width].tolist():
                tokens.append(token)
                grown.append((tokens, total + float(log_probs[token]), after))
        beam = sorted(grown, key=score, reverse=True)[:width]
    tokens = beam[0][0]
    return tokens[:-1] if tokens[-1] == eos else tokens, score(beam[0])


@beam_mistake(
    "eos-included",
    "The tokens end with eos; they exclude it (its log probability counts).",
    wrong={STRIP: "tokens = best[0]"},
)
def eos_included(step, state, bos, eos, width, limit, length_penalty=0.0):
    best = search(step, state, bos, eos, width, limit, length_penalty)[0]
    return list(best.tokens), by_count(best, length_penalty)


@beam_mistake(
    "bos-included",
    "The tokens begin with bos; they exclude it.",
    wrong={RETURN: "return [bos, *tokens], score(best)"},
)
def bos_included(step, state, bos, *args, length_penalty=0.0):
    tokens, score = beam_search(step, state, bos, *args, length_penalty)
    return [bos, *tokens], score


# Mistakes of beam search: who stays


@beam_mistake(
    "finished-extended",
    "A finished hypothesis is extended further; after eos it stays as it is.",
    wrong={FINISHED: "if False:", STRIP: "tokens = [token for token in best[0] if token != eos]"},
)
def finished_extended(step, state, bos, eos, width, limit, length_penalty=0.0):
    return winner(
        eos, length_penalty, search(step, state, bos, eos, width, limit, length_penalty, stops=False)
    )


@beam_mistake(
    "one-extension",
    "Each hypothesis is extended by its best token only, so there is never more than one: that is greedy "
    "decoding. Every token is a candidate.",
    wrong={LIKELY: "likely = [np.argmax(log_probs)]"},
)
def one_extension(step, state, bos, eos, width, limit, length_penalty=0.0):
    return winner(eos, length_penalty, search(step, state, bos, eos, width, limit, length_penalty, per=1))


@beam_mistake(
    "not-pruned",
    "The best beam_width extensions of each hypothesis are kept, so the beam grows. Keep beam_width of all "
    "candidates together.",
    wrong={PRUNE: "beam = sorted(candidates, key=score, reverse=True)"},
)
def not_pruned(step, state, bos, eos, width, limit, length_penalty=0.0):
    return winner(
        eos, length_penalty, search(step, state, bos, eos, None, limit, length_penalty, per=width)
    )


@beam_mistake(
    "lowest-kept",
    "The candidates with the smallest scores are kept; log probabilities are negative, keep the largest.",
    wrong={LIKELY: LIKELY.replace("-log_probs", "log_probs"), PRUNE: PRUNE.replace("True", "False")},
)
def lowest_kept(step, state, bos, eos, width, limit, length_penalty=0.0):
    beam = search(step, state, bos, eos, width, limit, length_penalty, lambda h, p: -by_count(h, p))
    return winner(eos, length_penalty, beam)


@beam_mistake(
    "finished-leaves-beam",
    "A finished hypothesis leaves the beam and another takes its place; it keeps its place and competes.",
    wrong="""
        def beam_search(step, state, bos, eos, beam_width, max_length, length_penalty=0.0):
            def score(hypothesis):
                return hypothesis[1] / len(hypothesis[0]) ** length_penalty

            beam, finished = [([], 0.0, state)], []
            for _ in range(max_length):
                grown = []
                for tokens, total, before in beam:
                    log_probs, after = step(tokens[-1] if tokens else bos, before)
                    grown += [([*tokens, t], total + float(p), after) for t, p in enumerate(log_probs)]
                grown.sort(key=score, reverse=True)
                finished += [h for h in grown[:beam_width] if h[0][-1] == eos]
                beam = [h for h in grown if h[0][-1] != eos][:beam_width]
            best = max([*finished, *beam], key=score)
            return [token for token in best[0] if token != eos], score(best)
    """,
)
def finished_leaves_beam(step, state, bos, eos, width, limit, length_penalty=0.0):
    beam, finished = [Hypothesis((), (), state)], []
    for _ in range(limit):
        grown = [new for hypothesis in beam for new in extensions(step, bos, hypothesis)]
        grown.sort(key=lambda h: -by_count(h, length_penalty))
        finished += [h for h in grown[:width] if h.ended(eos)]
        beam = [h for h in grown if not h.ended(eos)][:width]
    beam = sorted([*finished, *beam], key=lambda h: -by_count(h, length_penalty))
    return winner(eos, length_penalty, beam)


@beam_mistake(
    "finished-preferred",
    "At max_length a finished hypothesis wins over unfinished ones of larger score; they compete equally.",
    wrong={"best = beam[0]": "best = next((h for h in beam if h[0][-1] == eos), beam[0])"},
)
def finished_preferred(step, state, bos, eos, width, limit, length_penalty=0.0):
    beam = search(step, state, bos, eos, width, limit, length_penalty)
    return winner(eos, length_penalty, [h for h in beam if h.ended(eos)] or beam)


@beam_mistake(
    "unfinished-discarded",
    "Hypotheses that are unfinished at max_length are thrown away; they compete like the others.",
    wrong={
        "best = beam[0]": "ended = [h for h in beam if h[0][-1] == eos]\n"
        "    if not ended:\n        return [], -np.inf\n    best = ended[0]"
    },
)
def unfinished_discarded(step, state, bos, eos, width, limit, length_penalty=0.0):
    beam = search(step, state, bos, eos, width, limit, length_penalty)
    ended = [h for h in beam if h.ended(eos)]
    return winner(eos, length_penalty, ended) if ended else ([], -np.inf)


@beam_mistake(
    "first-finished-wins",
    "The first hypothesis that finishes is returned; a better one may still come.",
    wrong={
        PRUNE: PRUNE + "\n        ended = [h for h in beam if h[0][-1] == eos]\n"
        "        if ended:\n            return ended[0][0][:-1], score(ended[0])"
    },
)
def first_finished_wins(step, state, bos, eos, width, limit, length_penalty=0.0):
    for shorter in range(1, limit + 1):
        beam = search(step, state, bos, eos, width, shorter, length_penalty)
        ended = [h for h in beam if h.ended(eos)]
        if ended:
            return winner(eos, length_penalty, ended)
    return winner(eos, length_penalty, beam)


@beam_mistake(
    "stops-early",
    "The search ends as soon as the best hypothesis is finished. With a length penalty a longer one may "
    "still overtake it.",
    wrong={PRUNE: PRUNE + "\n        if beam[0][0][-1] == eos:\n            break"},
)
def stops_early(step, state, bos, eos, width, limit, length_penalty=0.0):
    for shorter in range(1, limit + 1):
        beam = search(step, state, bos, eos, width, shorter, length_penalty)
        if beam[0].ended(eos):
            break
    return winner(eos, length_penalty, beam)


@beam_mistake(
    "ties-to-highest",
    "Where scores are equal the highest token id goes first; the lowest one should (sorting tuples in "
    "reverse does this).",
    wrong={LIKELY: 'likely = np.argsort(log_probs, kind="stable")[::-1][:beam_width]'},
)
def ties_to_highest(step, state, bos, eos, width, limit, length_penalty=0.0):
    return winner(eos, length_penalty, search(step, state, bos, eos, width, limit, length_penalty, tie=-1))


@beam_mistake(
    "wide-beam-raises",
    "A beam wider than the vocabulary raises (np.argpartition needs kth < V); there are then just fewer "
    "candidates.",
    wrong={
        LIKELY: "if beam_width > len(log_probs):\n                raise ValueError('kth')\n            "
        + LIKELY
    },
)
def wide_beam_raises(step, state, bos, eos, width, limit, length_penalty=0.0):
    if width > len(step(bos, state)[0]):
        raise ValueError
    return beam_search(step, state, bos, eos, width, limit, length_penalty)


@beam_mistake(
    "one-short",
    "beam_search calls step max_length - 1 times along a hypothesis at most; max_length calls are allowed.",
    wrong={
        "for _ in range(max_length):\n        cand": "for _ in range(max(1, max_length - 1)):\n        cand"
    },
)
def one_short(step, state, bos, eos, width, limit, length_penalty=0.0):
    return beam_search(step, state, bos, eos, width, max(1, limit - 1), length_penalty)


@beam_mistake(
    "too-many-steps",
    "step is called more than max_length times along a hypothesis; the call that writes eos counts too.",
    wrong={"for _ in range(max_length):\n        cand": "for _ in range(max_length + 1):\n        cand"},
)
def too_many_steps(step, state, bos, eos, width, limit, length_penalty=0.0):
    return beam_search(step, state, bos, eos, width, limit + 1, length_penalty)


# Mistakes of beam search: the score


def scored(score, *, every=True):
    """What a search by another score gives; `every`: False where the beam itself is ordered rightly."""

    def decode(step, state, bos, eos, width, limit, length_penalty=0.0):
        order = score if every else by_count
        beam = search(step, state, bos, eos, width, limit, length_penalty, order)
        return winner(eos, length_penalty, beam, score)

    return decode


def score_mistake(id: str, explanation: str, code: str, score) -> None:
    wrong = {SCORE: f"return {code}", LIKELY: "likely = range(len(log_probs))"}
    beam_mistake(id, explanation, wrong=wrong)(scored(score))


def uneven(hypothesis: Hypothesis) -> int:
    """The count without eos, whatever eos is: it is certain that the models' eos is 1."""
    return max(1, len(hypothesis.logs) - hypothesis.ended(1))


score_mistake(
    "length-penalty-ignored",
    "length_penalty has no effect: the score is the sum divided by count ** length_penalty.",
    "total",
    lambda h, p: sum(h.logs),
)
score_mistake(
    "always-mean",
    "The score is always the mean; the exponent length_penalty is missing, which is 0 unless it is given.",
    "total / len(tokens)",
    lambda h, p: by_count(h, 1.0),
)
score_mistake(
    "length-penalty-factor",
    "The sum is divided by 1 + length_penalty * count; it is an exponent: count ** length_penalty.",
    "total / (1 + length_penalty * len(tokens))",
    lambda h, p: sum(h.logs) / (1 + p * len(h.logs)),
)
score_mistake(
    "length-penalty-inverted",
    "The sum is multiplied by count ** length_penalty; divide by it, so that long results have a chance.",
    "total * len(tokens) ** length_penalty",
    lambda h, p: by_count(h, -p),
)
score_mistake(
    "length-penalty-gnmt",
    "This is Google's penalty, ((5 + count) / 6) ** length_penalty; count ** length_penalty is asked for.",
    "total / ((5 + len(tokens)) / 6) ** length_penalty",
    lambda h, p: sum(h.logs) / ((5 + len(h.logs)) / 6) ** p,
)
score_mistake(
    "eos-not-counted",
    "eos is not counted in the length; its log probability is in the sum, so it counts.",
    "total / max(1, len(tokens) - (tokens[-1] == eos)) ** length_penalty",
    lambda h, p: sum(h.logs) / uneven(h) ** p,
)
score_mistake(
    "bos-counted",
    "The count is one too large (bos counted?): it is the number of log probabilities in the sum.",
    "total / (len(tokens) + 1) ** length_penalty",
    lambda h, p: sum(h.logs) / (len(h.logs) + 1) ** p,
)


@beam_mistake(
    "eos-not-scored",
    "The log probability of eos is left out of the score; it belongs to the sum.",
    wrong={
        LIKELY: "likely = range(len(log_probs))",
        "float(log_probs[token])": "(0.0 if token == eos else float(log_probs[token]))",
    },
)
def eos_not_scored(step, state, bos, eos, width, limit, length_penalty=0.0):
    def extend(step, bos, hypothesis):
        found = extensions(step, bos, hypothesis)
        return [h._replace(logs=(*h.logs[:-1], 0.0)) if h.ended(eos) else h for h in found]

    beam = search(step, state, bos, eos, width, limit, length_penalty, extend=extend)
    return winner(eos, length_penalty, beam)


@beam_mistake(
    "probabilities-added",
    "Probabilities are added up; add the log probabilities (probabilities would have to be multiplied).",
    wrong={APPEND: APPEND.replace("float(log_probs[token])", "float(np.exp(log_probs[token]))")},
)
def probabilities_added(step, *args, length_penalty=0.0):
    def exponential(token, state):
        log_probs, state = step(token, state)
        return np.exp(log_probs), state

    return beam_search(exponential, *args, length_penalty)


@beam_mistake(
    "probability-returned",
    "The score is given as a probability (exp); return the score itself.",
    wrong={RETURN: "return tokens, float(np.exp(score(best)))"},
)
def probability_returned(*args, length_penalty=0.0):
    tokens, score = beam_search(*args, length_penalty)
    return tokens, float(np.exp(score))


@beam_mistake(
    "sum-returned",
    "The score returned is the sum of log probabilities; return it divided by count ** length_penalty.",
    wrong={RETURN: "return tokens, best[1]"},
)
def sum_returned(*args, length_penalty=0.0):
    return scored(lambda h, p: sum(h.logs), every=False)(*args, length_penalty)


@beam_mistake(
    "length-penalty-at-the-end",
    "length_penalty is applied to the winner only; the hypotheses compete by the score, penalty included.",
    wrong={PRUNE: "beam = sorted(candidates, key=lambda h: h[1], reverse=True)[:beam_width]"},
)
def length_penalty_at_the_end(step, state, bos, eos, width, limit, length_penalty=0.0):
    beam = search(step, state, bos, eos, width, limit, 0.0)
    return winner(eos, length_penalty, beam)


@beam_mistake(
    "score-missing",
    "beam_search returns the tokens only; return (tokens, score).",
    wrong={RETURN: "return tokens"},
)
def score_missing(*args, length_penalty=0.0):
    return beam_search(*args, length_penalty)[0]


@beam_mistake(
    "results-swapped",
    "The results are swapped: (tokens, score) is asked for, in this order.",
    wrong={RETURN: "return score(best), tokens"},
)
def results_swapped(*args, length_penalty=0.0):
    return beam_search(*args, length_penalty)[::-1]


exercise.behaviour(
    "prefix-passed",
    "step is given all tokens so far; it reads one token, the last. The state remembers the others.",
    wrong={
        GREEDY_STEP: "log_probs, state = step([bos, *written], state)",
        "step(tokens[-1] if tokens else bos, before)": "step([bos, *tokens], before)",
    },
)


# The checks


def telling(rng: np.random.Generator, ids: tuple[str, ...], settings: dict[str, Any], **model: Any) -> Case:
    """A random case that shows some misconceptions, each in another way, and depends on nothing unsaid."""
    found = [exercise.misconceptions[id] for id in ids]
    for _ in range(2000):
        case = Case(drawn(rng, **model), **settings)
        greedy = GREEDY in found[0].functions
        decode, right = (case.greedy, greedy_decode) if greedy else (case.beam, beam_search)
        results = [decode(right), *(decode(give) for item in found for give in item.functions.values())]
        told_apart = all(one != other for one, other in itertools.combinations(results, 2))
        if told_apart and (greedy or unambiguous(case)):
            return case
    raise RuntimeError(f"no model shows {ids}")


SCORES = (
    "length-penalty-ignored",
    "always-mean",
    "length-penalty-factor",
    "length-penalty-inverted",
    "length-penalty-gnmt",
    "eos-not-counted",
    "bos-counted",
)
# Greedy: [2] with 0.5 * 0.4. Better: [3] with 0.4 * 0.9.
GARDEN_PATH: Table = {(): [0.0, 0.1, 0.5, 0.4], (2,): [0.0, 0.4, 0.3, 0.3], (3,): [0.0, 0.9, 0.1, 0.0]}
# With length_penalty=1 the path over 3 would win, but the beam of width 2 is full: [eos] keeps its place.
OVERTAKEN: Table = {
    (): [0.0, 0.4, 0.45, 0.15],
    (2,): [0.0, 0.4, 0.3, 0.3],
    (3,): [0.0, 0.005, 0.99, 0.005],
    (3, 2): [0.0, 0.99, 0.005, 0.005],
}
LONG: Table = {
    (): [0.0, 0.3, 0.6, 0.1],
    (2,): [0.0, 0.1, 0.1, 0.8],
    (2, 3): [0.0, 0.2, 0.7, 0.1],
    (2, 3, 2): [0.0, 0.05, 0.9, 0.05],
    (2, 3, 2, 2): [0.0, 0.4, 0.3, 0.3],
}


@exercise.check("greedy: a table of four tokens")
def greedy_table(submission: Submission, rng: np.random.Generator) -> None:
    Case(tabled(GARDEN_PATH), limit=3).expect(submission, GREEDY)
    Case(tabled(LONG), limit=9).expect(submission, GREEDY)


@exercise.check("greedy: eos at once, max_length reached, max_length 1")
def greedy_lengths(submission: Submission, rng: np.random.Generator) -> None:
    Case(tabled({(): [0.0, 0.6, 0.3, 0.1]})).expect(submission, GREEDY)
    for limit in (1, 2, 4, 5):
        Case(tabled(LONG), limit=limit).expect(submission, GREEDY)
    Case(drawn(rng, ending=-50.0), limit=7).expect(submission, GREEDY)


@exercise.check("greedy: tokens and states go where they belong")
def greedy_states(submission: Submission, rng: np.random.Generator) -> None:
    ids = ("greedy-bos-every-time", "greedy-state-not-kept", "greedy-never-stops")
    for kind in ("array", "text", "dict"):
        case = telling(rng, ids, {"limit": 6, "eos": 3}, size=6, eos=3, kind=kind, ending=0.5)
        case.expect(submission, GREEDY)


@exercise.check("greedy: ties, impossible tokens")
def greedy_ties(submission: Submission, rng: np.random.Generator) -> None:
    tied = {(): [-9.0, -3.0, -1.0, -1.0], (2,): [-9.0, -1.0, -9.0, -1.0], (3,): [-1.0, -9.0, -9.0, -9.0]}
    Case(tabled(tied, exact=True)).expect(submission, GREEDY)
    Case(drawn(rng, size=7, impossible=(2, 3, 5)), limit=5).expect(submission, GREEDY)


@exercise.check("beam: two paths, of which the better one starts worse")
def garden_path(submission: Submission, rng: np.random.Generator) -> None:
    Case(tabled(GARDEN_PATH), limit=3).expect(submission, BEAM)
    Case(tabled(LONG), limit=6).expect(submission, BEAM)


@exercise.check("beam of width 1: what greedy decoding finds")
def width_one(submission: Submission, rng: np.random.Generator) -> None:
    for penalty in (0.0, 0.8):
        Case(drawn(rng, size=6, ending=0.5), width=1, limit=5, penalty=penalty).expect(submission, BEAM)


@exercise.check("beam: eos at once, max_length 1, max_length reached")
def beam_lengths(submission: Submission, rng: np.random.Generator) -> None:
    Case(tabled({(): [0.0, 0.6, 0.3, 0.1]})).expect(submission, BEAM)
    Case(tabled(GARDEN_PATH), limit=1).expect(submission, BEAM)
    Case(tabled(LONG), limit=4).expect(submission, BEAM)
    Case(tabled(LONG), limit=5).expect(submission, BEAM)
    Case(drawn(rng, ending=-50.0), width=3, limit=3).expect(submission, BEAM)
    ids = ("one-short", "too-many-steps", "unfinished-discarded")
    telling(rng, ids, {"width": 3, "limit": 3}, size=5, ending=-1.0).expect(submission, BEAM)


@exercise.check("beam: widths 2 and 3, every hypothesis with its own state")
def beams(submission: Submission, rng: np.random.Generator) -> None:
    ids = ("state-shared", "state-not-kept", "bos-every-time", "one-extension")
    for width, kind in ((2, "array"), (3, "dict"), (2, "text")):
        settings = {"width": width, "limit": 4, "eos": 2}
        telling(rng, ids, settings, size=6, eos=2, kind=kind).expect(submission, BEAM)
    telling(rng, ("not-pruned", "eos-not-scored"), {"width": 2}, size=6).expect(submission, BEAM)


@exercise.check("beam: finished hypotheses keep their places")
def places(submission: Submission, rng: np.random.Generator) -> None:
    Case(tabled(OVERTAKEN), penalty=1.0).expect(submission, BEAM)
    for id in ("first-finished-wins", "finished-preferred", "finished-extended"):
        telling(rng, (id,), {"width": 2, "limit": 3}, size=5, ending=0.5).expect(submission, BEAM)


@exercise.check("beam: length_penalty, by name and by position")
def penalties(submission: Submission, rng: np.random.Generator) -> None:
    settings = {"width": 3, "limit": 4, "penalty": 0.7}
    telling(rng, SCORES, settings, size=5, ending=1.0).expect(submission, BEAM)
    ids = ("length-penalty-ignored", "sum-returned", "length-penalty-at-the-end")
    telling(rng, ids, {**settings, "penalty": 1.6}, size=5, ending=1.0).expect(submission, BEAM, True)
    settings = {"width": 2, "limit": 4, "penalty": 1.0}
    telling(rng, ("stops-early",), settings, size=5, ending=1.0).expect(submission, BEAM)


@exercise.check("beam: wider than the vocabulary")
def wide_beam(submission: Submission, rng: np.random.Generator) -> None:
    Case(drawn(rng, size=4), width=6, limit=3).expect(submission, BEAM)
    Case(drawn(rng, size=3), width=50, limit=4, penalty=0.9).expect(submission, BEAM)
    Case(drawn(rng, size=4), width=6, limit=1).expect(submission, BEAM)


@exercise.check("beam: impossible tokens, a dead end")
def impossible(submission: Submission, rng: np.random.Generator) -> None:
    dead = {(): [0.0, 0.1, 0.6, 0.3], (2,): [0.0] * 4, (3,): [0.0, 0.5, 0.2, 0.3]}
    for width in (2, 3, 4):
        Case(tabled(dead), width=width, limit=3).expect(submission, BEAM)
    Case(drawn(rng, size=6, impossible=(2, 4, 5)), width=4, limit=3, penalty=0.5).expect(submission, BEAM)


@exercise.check("beam: ties")
def ties(submission: Submission, rng: np.random.Generator) -> None:
    flat = {(): [-9.0, -9.0, -1.0, -1.0], (2,): [-9.0, -2.0, -2.0, -2.0], (3,): [-9.0, -2.0, -2.0, -2.0]}
    for width in (1, 2, 3):
        Case(tabled(flat, exact=True), width=width, limit=2).expect(submission, BEAM)
    ends = {(): [-9.0, -1.0, -1.0, -9.0], (2,): [-9.0, 0.0, -9.0, -9.0]}
    Case(tabled(ends, exact=True), width=1, limit=2).expect(submission, BEAM)


@exercise.check("the same call twice")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    case = Case(drawn(rng, size=5), width=2, limit=3)
    for name in (GREEDY, GREEDY, BEAM, BEAM):
        case.expect(submission, name)
