"""The part of exercise 28 that is about mask_tokens: what holds for sure, and what holds on average."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from grader.exercise import Exercise, Function
from grader.messages import Call
from grader.submission import Submission
from grader.worker import wire

NAME = "mask_tokens"
# What one test of frequencies rejects a right answer with, at most; all together stay below 1e-6.
ERROR = 1e-8

SPECIAL = "special = np.isin(token_ids, list(special_ids))  # (B, T)"
CHOSEN = "chosen = ~special & (rng.random(token_ids.shape) < rate)  # (B, T)"
FATE = "fate = rng.random(token_ids.shape)  # (B, T), below 0.8 [MASK], below 0.9 a random id"
RANDOM = "random_ids = rng.integers(vocab_size, size=token_ids.shape)"
MASKED = "chosen & (fate < 0.8), mask_id,"
REPLACED = "chosen & (fate >= 0.8) & (fate < 0.9)"
RESULTS = 'return inputs.astype(token_ids.dtype), token_ids.copy(), chosen.astype("float32")'
LABELS, WEIGHTS = "token_ids.copy()", 'chosen.astype("float32")'

MISCONCEPTIONS: Sequence[tuple[str, str, dict[str, str]]] = (
    (
        "special-chosen",
        "A special token was chosen. Ids in special_ids ([CLS], [SEP], padding, [MASK]) are never to be "
        "guessed.",
        {SPECIAL: "special = token_ids == mask_id"},
    ),
    (
        "set-not-understood",
        "special_ids may be any collection: a list, a tuple, a set or an array. np.isin takes a set for "
        "one object and finds nothing in it: give it list(special_ids).",
        {SPECIAL: "special = np.isin(token_ids, special_ids)"},
    ),
    (
        "results-swapped",
        "The results are in another order; (inputs, labels, weights) is asked for.",
        {RESULTS: RESULTS.replace("token_ids.copy(), ", "") + ", token_ids.copy()"},
    ),
    (
        "weights-missing",
        "The weights are missing; (inputs, labels, weights) is asked for. They say where the loss counts.",
        {RESULTS: RESULTS.replace(', chosen.astype("float32")', "")},
    ),
    (
        "labels-marked",
        "Where nothing is chosen the labels hold another number (-100, -1 or 0). Here labels copy "
        "token_ids everywhere, and the weights say where the loss counts.",
        {LABELS: "np.where(chosen, token_ids, -100).astype(token_ids.dtype)"},
    ),
    (
        "labels-are-inputs",
        "The labels are the masked inputs; they are the tokens before masking, which the model must guess.",
        {LABELS: "inputs.astype(token_ids.dtype)"},
    ),
    (
        "weights-everywhere",
        "Every token (or every ordinary one) has weight 1; only the chosen ones count in the loss.",
        {WEIGHTS: '(~special).astype("float32")'},
    ),
    (
        "weights-inverted",
        "The weights are the wrong way round: 1 where a token is chosen.",
        {WEIGHTS: '(~chosen).astype("float32")'},
    ),
    (
        "weights-at-masks-only",
        "Only tokens that became [MASK] have weight 1. The random ones and those that stay are chosen too "
        "and must be guessed.",
        {WEIGHTS: '(inputs == mask_id).astype("float32")'},
    ),
    (
        "weights-at-changes-only",
        "Only tokens that were changed have weight 1. The 10% that stay as they are are chosen too and "
        "must be guessed.",
        {WEIGHTS: '(inputs != token_ids).astype("float32")'},
    ),
    (
        "changed-without-weight",
        "A token was changed that is not chosen: where the weight is 0, inputs must be token_ids.",
        {REPLACED: "~special & (fate >= 0.8) & (fate < 0.9)"},
    ),
    (
        "rate-ignored",
        "The argument rate has no effect: 15% are chosen whatever it is.",
        {CHOSEN: CHOSEN.replace("rate)", "0.15)")},
    ),
    (
        "rate-inverted",
        "rate is the share that is chosen, not the share that is left alone.",
        {CHOSEN: CHOSEN.replace("< rate", "> rate")},
    ),
    (
        "rate-over-all",
        "The number of chosen tokens is counted from all tokens; rate is a share of the ordinary ones.",
        {
            CHOSEN: "places = rng.permutation(np.flatnonzero(~special))\n"
            "    chosen = np.zeros(token_ids.shape, bool)\n"
            "    chosen.flat[places[: round(rate * token_ids.size)]] = True"
        },
    ),
    (
        "always-mask",
        "Every chosen token becomes [MASK]: 80% do, 10% become a random id, 10% stay.",
        {MASKED: "chosen, mask_id,", REPLACED: "False & chosen"},
    ),
    (
        "never-random",
        "No chosen token becomes a random id: 80% become [MASK], 10% a random id, 10% stay.",
        {REPLACED: "False & chosen"},
    ),
    (
        "never-kept",
        "No chosen token stays as it is: 80% become [MASK], 10% a random id, 10% stay.",
        {REPLACED: "chosen & (fate >= 0.8)"},
    ),
    (
        "shares-swapped",
        "The shares are swapped: 80% of the chosen tokens become [MASK], 10% a random id, 10% stay.",
        {REPLACED: "chosen & (fate < 0.8)", MASKED: "chosen & (fate >= 0.8) & (fate < 0.9), mask_id,"},
    ),
    (
        "shares-of-the-rest",
        "The second share is taken of what the first left over: 10% of the remaining 20% become a random "
        "id, not 10% of all chosen. One random number, compared with 0.8 and 0.9, gives both.",
        {REPLACED: "chosen & (fate >= 0.8) & (rng.random(token_ids.shape) < 0.1)"},
    ),
    (
        "fates-shared",
        "The tokens of a row share one random number, so they all become [MASK] or none does. Draw one for "
        "each token.",
        {FATE: "fate = rng.random((token_ids.shape[0], 1))"},
    ),
    (
        "batch-shares-choice",
        "The same positions are chosen in every row: draw one random number for each token of the batch.",
        {CHOSEN: CHOSEN.replace("token_ids.shape", "token_ids.shape[1]")},
    ),
    (
        "mask-id-ignored",
        "Masked tokens become another id than mask_id.",
        {MASKED: "chosen & (fate < 0.8), 103,"},
    ),
    (
        "random-range",
        "The random ids are 0 to vocab_size - 1, each equally often. rng.integers(a, b) leaves out b.",
        {RANDOM: RANDOM.replace("integers(", "integers(1, ")},
    ),
    (
        "one-random-id",
        "Every random id is the same one: draw one for each token (size=token_ids.shape).",
        {RANDOM: "random_ids = rng.integers(vocab_size)"},
    ),
    (
        "random-from-batch",
        "The random ids are drawn from the batch's own tokens; they are drawn from the whole vocabulary.",
        {RANDOM: "random_ids = rng.permuted(token_ids.ravel()).reshape(token_ids.shape)"},
    ),
    (
        "global-random",
        "The draw comes from NumPy's global random state (np.random.rand and its kind), or changes it. All "
        "randomness must come from `rng`.",
        {FATE: "fate = np.random.random(token_ids.shape)"},
    ),
    (
        "rng-ignored",
        "An equal generator gives another result: not all randomness comes from `rng`.",
        {RANDOM: RANDOM.replace("rng.", "np.random.default_rng().")},
    ),
    (
        "fixed-seed",
        "Every generator gives the same result: a seed is fixed in your code. Draw from `rng`.",
        {SPECIAL: f"{SPECIAL}\n    rng = np.random.default_rng(0)"},
    ),
    (
        "generator-copied",
        "The same generator gives the same result twice: you draw from a copy. Draw from `rng` itself, so "
        "that it moves on.",
        {SPECIAL: f"{SPECIAL}\n    import copy\n    rng = copy.deepcopy(rng)"},
    ),
    (
        "changes-input",
        "token_ids is changed in place. Make a new array, or copy it first.",
        {RESULTS: f"token_ids[...] = inputs\n    {RESULTS}"},
    ),
    (
        "wrong-dtype",
        "A result of mask_tokens has the wrong dtype: inputs and labels have that of token_ids, weights "
        "are float32.",
        {WEIGHTS: 'chosen.astype("int32")'},
    ),
)

_checks: list[tuple[str, Function]] = []


def check(title: str) -> Callable[[Function], Function]:
    """Note a check, which `register` adds to the exercise."""

    def note(function: Function) -> Function:
        _checks.append((f"{NAME}: {title}", function))
        return function

    return note


def register(exercise: Exercise) -> None:
    """Add the misconceptions and checks of mask_tokens."""
    for id, explanation, wrong in MISCONCEPTIONS:
        exercise.behaviour(id, explanation, wrong=wrong)
    for title, function in _checks:
        exercise.check(title)(function)


def bounds(count: int, low: float, high: float, error: float = ERROR) -> tuple[int, int]:
    """Where a binomial number of `count` trials lies, its chance between low and high, but for `error`.

    Its tails are summed exactly, in the logarithm.
    """
    numbers = np.arange(count + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    ways = factorials[-1] - factorials - factorials[::-1]

    def chances(p: float) -> np.ndarray:
        p = min(max(p, 1e-300), 1 - 1e-16)
        return np.exp(ways + numbers * math.log(p) + (count - numbers) * math.log1p(-p))

    below, above = np.cumsum(chances(low)), np.cumsum(chances(high)[::-1])[::-1]  # P(X <= k), P(X >= k)
    least = int(np.searchsorted(below, error / 2, side="right"))
    most = int(np.searchsorted(-above, -error / 2, side="right")) - 1
    return least, max(most, least)


class Task(NamedTuple):
    """What a call made: the tokens, the masked inputs, which were chosen, which are special."""

    tokens: np.ndarray
    inputs: np.ndarray
    chosen: np.ndarray
    special: np.ndarray


class Words(NamedTuple):
    """A vocabulary."""

    vocab: int
    mask: int
    special: tuple[int, ...]  # the mask among them

    @property
    def ordinary(self) -> np.ndarray:
        """All ids but the special ones."""
        return np.setdiff1d(np.arange(self.vocab), self.special)

    def tokens(self, rng: np.random.Generator, *shape: int, special: float = 0.25) -> np.ndarray:
        """Ordinary tokens, and a share of special ones."""
        return np.where(
            rng.random(shape) < special, rng.choice(self.special, shape), rng.choice(self.ordinary, shape)
        ).astype(np.int32)


LARGE = Words(500, 4, (0, 2, 3, 4))
SMALL = Words(30, 7, (3, 7, 11, 20))  # 0 and 29 are ordinary


def make(
    submission: Submission,
    rng: np.random.Generator,
    words: Words,
    tokens: np.ndarray,
    *,
    generator: wire.Generator | None = None,
    special: Any = None,
    otherwise: str = "special-chosen",
    **rate: float,
) -> Task:
    """Call mask_tokens; all that holds for sure is required of the results."""
    generator = generator or submission.generator(int(rng.integers(2**31)))
    special = list(words.special) if special is None else special
    args = [tokens, words.vocab, words.mask, special, generator]
    reply = submission.request("call", name=NAME, args=args, kwargs=rate)
    args[3] = words.special if isinstance(special, wire.Handle) else special
    names = ("token_ids", "vocab_size", "mask_id", "special_ids", "rng")
    if reply.problem is not None:
        submission.errored(reply.problem, Call(NAME, args, rate, names))
    if reply.mutated:
        submission.fail(f"Your code changed its input in place: {reply.mutated}.", "changes-input")
    inputs, weights = require_form(submission, reply.value, tokens, Call(NAME, args, rate, names))
    task = Task(tokens, inputs, weights == 1, np.isin(tokens, words.special))
    require_certain(submission, task, words, otherwise)
    return task


def require_form(submission: Submission, value: Any, tokens: np.ndarray, call: Call) -> list[np.ndarray]:
    """Require three arrays, the second of them the tokens; return the other two."""
    if isinstance(value, list) and len(value) == 2:
        submission.fail("Two results; expected (inputs, labels, weights).", "weights-missing")
    arrays = value if isinstance(value, list) and len(value) == 3 else []
    arrays = [item for item in arrays if isinstance(item, np.ndarray) and item.shape == tokens.shape]
    if len(arrays) == 3:
        inputs, labels, weights = arrays
        binary = bool(np.all((weights == 0) | (weights == 1)))
        if not np.array_equal(labels, tokens):
            if np.array_equal(weights, tokens) or np.array_equal(inputs, tokens):
                submission.fail("The labels stand elsewhere among the results.", "results-swapped")
            if np.array_equal(labels, inputs):
                submission.fail("The labels are equal to the inputs.", "labels-are-inputs")
            off = labels[labels != tokens]
            marked = binary and np.unique(off).size == 1 and np.array_equal(labels == tokens, weights == 1)
            if marked or np.isin(off, (-100, -1, 0)).all():
                submission.fail(f"The labels hold {off[0]} where token_ids do not.", "labels-marked")
        found = [item.dtype.name for item in arrays]
        wanted = [tokens.dtype.name, tokens.dtype.name, "float32"]
        if binary and found != wanted:
            submission.fail(f"Dtypes: expected {wanted}; received {found}.", "wrong-dtype")
        if np.array_equal(labels, tokens) and binary:
            return [inputs, weights]
        expected: Any = (inputs, tokens, np.where(weights == 1, 1.0, 0.0))
    else:
        expected = (tokens, tokens, np.zeros(tokens.shape))
    submission.judge_reply(
        NAME, wire.Reply(value=value), lambda _: expected, call, dtype="", expected=expected
    )
    return [expected[0], expected[2]]


def require_certain(submission: Submission, task: Task, words: Words, otherwise: str) -> None:
    """Require what holds whatever was drawn. `otherwise`: what it means that a special token was chosen."""
    tokens, inputs, chosen, special = task
    changed = inputs != tokens
    if np.all(chosen) or (np.array_equal(chosen, ~special) and np.mean(changed[~special]) < 0.8):
        submission.fail("All ordinary tokens have weight 1.", "weights-everywhere")
    if np.any(changed) and not np.any(changed & chosen):
        submission.fail("Tokens were changed only where the weight is 0.", "weights-inverted")
    at_masks = "weights-at-masks-only" if np.array_equal(chosen, inputs == words.mask) else ""
    if np.any(chosen & special):
        message = f"{np.sum(chosen & special)} special tokens have weight 1."
        submission.fail(message, at_masks or otherwise)
    if np.any(changed & special):
        submission.fail(
            f"{np.sum(changed & special)} special tokens were changed.", "changed-without-weight"
        )
    if np.any(changed & ~chosen):
        message = f"{np.sum(changed & ~chosen)} tokens were changed where the weight is 0."
        submission.fail(message, at_masks or "changed-without-weight")
    outside = inputs[(inputs < 0) | (inputs >= words.vocab)]
    if outside.size:
        message = f"inputs hold {outside[0]}; ids are 0 to {words.vocab - 1}."
        most = outside.size > np.sum(chosen) / 2
        submission.fail(message, "mask-id-ignored" if most else "random-range")


@check("inputs, labels and weights")
def small_batches(submission: Submission, rng: np.random.Generator) -> None:
    for dtype, rate in ((np.int32, 0.4), (np.int64, 0.6)):
        make(submission, rng, LARGE, LARGE.tokens(rng, 6, 50).astype(dtype), rate=rate)
    make(submission, rng, SMALL, SMALL.tokens(rng, 20, 9))


@check("special ids in any collection")
def collections(submission: Submission, rng: np.random.Generator) -> None:
    make(submission, rng, LARGE, LARGE.tokens(rng, 6, 50), rate=0.5)
    kinds: list[Any] = [
        submission.request("collection", kind=kind, items=list(LARGE.special)).value
        for kind in ("set", "tuple")
    ]
    for special in (*kinds, np.array(LARGE.special)):
        with submission.suspecting("set-not-understood"):
            tokens = LARGE.tokens(rng, 6, 50)
            make(submission, rng, LARGE, tokens, special=special, otherwise="set-not-understood", rate=0.5)


@check("the share that is chosen")
def share(submission: Submission, rng: np.random.Generator) -> None:
    for options in ({}, {"rate": 0.4}):
        rate = options.get("rate", 0.15)
        task = make(submission, rng, LARGE, LARGE.tokens(rng, 60, 600), **options)
        ordinary, count = int(np.sum(~task.special)), int(np.sum(task.chosen))
        least, most = bounds(ordinary, rate, rate)
        if least - 60 <= count <= most + 60:  # an exact count in each of 60 rows is rounded
            continue
        near = {
            "rate-over-all": rate * task.special.size / ordinary,
            "rate-ignored": 0.15,
            "rate-inverted": 1 - rate,
            "weights-at-changes-only": 0.9 * rate,
        }
        if np.any(task.chosen & (task.inputs == task.tokens)):
            del near["weights-at-changes-only"]
        name = min(near, key=lambda id: abs(near[id] - count / ordinary))
        message = (
            f"rate={rate}, {ordinary} ordinary tokens: {count} are chosen ({count / ordinary:.1%}); "
            f"expected {least} to {most}."
        )
        # Where one token of a column is chosen, all ordinary ones of it are.
        if np.array_equal(task.chosen, task.chosen.any(axis=0) & ~task.special):
            submission.fail(message, "batch-shares-choice")
        submission.fail(message, name if abs(near[name] - count / ordinary) < 0.01 else None)


SHARES = {
    "always-mask": [(1, 0, 0)],
    "never-random": [(0.8, 0, 0.2), (0.9, 0, 0.1)],
    "never-kept": [(0.8, 0.2, 0)],
    "weights-at-changes-only": [(8 / 9, 1 / 9, 0)],
    "shares-swapped": [(0.1, 0.8, 0.1), (0.1, 0.1, 0.8)],
    "shares-of-the-rest": [(0.8, 0.02, 0.18)],
}


@check("80% [MASK], 10% random, 10% as they are")
def fates(submission: Submission, rng: np.random.Generator) -> None:
    task = make(submission, rng, LARGE, LARGE.tokens(rng, 60, 600), rate=0.3)
    given, label = task.inputs[task.chosen], task.tokens[task.chosen]
    count, one = len(given), 1 / 400  # a random id may be any single one with this chance at most
    parts = np.array([np.sum(given == LARGE.mask), 0, np.sum(given == label)])
    parts[1] = count - parts.sum()
    ranges = [(0.8, 0.8 + 0.1 * one), (0.1 - 0.2 * one, 0.1), (0.1, 0.1 + 0.1 * one)]
    limits = [bounds(count, low, high) for low, high in ranges]
    # Exact counts in each of 60 rows are rounded, by up to two tokens a row.
    if all(least - 120 <= part <= most + 120 for part, (least, most) in zip(parts, limits, strict=True)):
        return
    found = np.array(parts) / count
    message = (
        f"Of {count} chosen tokens {found[0]:.1%} are [MASK], {found[1]:.1%} another id, "
        f"{found[2]:.1%} as before."
    )
    masked = [row[chosen] == LARGE.mask for row, chosen in zip(task.inputs, task.chosen, strict=True)]
    # A random id may happen to be [MASK]. Where hardly any token is, rows are alike for another reason.
    alike = np.mean([np.mean(row == (row.mean() > 0.5)) for row in masked if row.size])
    if alike > 0.98 and 0.2 < found[0] < 1:
        submission.fail(message, "fates-shared")
    replaced = np.bincount(given[given != label], minlength=LARGE.vocab)
    if replaced.max() > count / 2 and np.argmax(replaced) != LARGE.mask:
        submission.fail(f"{message} Most became {np.argmax(replaced)}.", "mask-id-ignored")
    near = {
        id: min(np.max(np.abs(np.subtract(found, one))) for one in several)
        for id, several in SHARES.items()
    }
    name = min(near, key=near.__getitem__)
    submission.fail(message, name if near[name] < 0.04 else None)


@check("random ids from the whole vocabulary")
def random_ids(submission: Submission, rng: np.random.Generator) -> None:
    ordinary = SMALL.ordinary
    half = SMALL._replace(special=(*SMALL.special, *map(int, rng.permutation(ordinary[1:-1])[:11])))
    task = make(submission, rng, SMALL, half.tokens(rng, 60, 600, special=0), rate=0.5)
    drawn = task.chosen & np.isin(task.inputs, ordinary) & (task.inputs != task.tokens)
    labels, found = task.tokens[drawn], np.bincount(task.inputs[drawn], minlength=SMALL.vocab)
    if np.count_nonzero(found) == 1:
        submission.fail("All random ids are the same.", "one-random-id")
    seen = np.isin(ordinary, task.tokens)
    if found[ordinary[seen]].any() and not found[ordinary[~seen]].any():
        submission.fail("No random id came up that is not a token of the batch.", "random-from-batch")
    chance, error = 1 / (len(ordinary) - 1), ERROR / len(ordinary)
    for id_ in ordinary:
        trials = int(np.sum(labels != id_))  # a random id that is the label cannot be seen
        least, most = bounds(trials, chance, chance, error)
        if not least <= found[id_] <= most:
            message = f"The random id {id_} came up {found[id_]} times; expected {least} to {most}."
            submission.fail(message, None if found[id_] else "random-range")


@check("every token is drawn for itself")
def independent(submission: Submission, rng: np.random.Generator) -> None:
    # A quarter of 20 tokens is a whole number, so that an exact count is the same in every row.
    task = make(submission, rng, LARGE, LARGE.tokens(rng, 400, 20, special=0), rate=0.25)
    chosen, masked = task.chosen, task.inputs == LARGE.mask
    if np.all(chosen == chosen[0]):
        submission.fail("The same positions are chosen in all 400 rows.", "batch-shares-choice")
    least, most = bounds(400, 0.25, 0.25, ERROR / 20)
    counts = chosen.sum(axis=0)
    if np.any((counts < least) | (counts > most)):
        message = (
            f"In 400 rows the positions are chosen {counts.tolist()} times; expected {least} to {most}."
        )
        submission.fail(message)
    became = float(np.mean(masked[chosen]))
    chance = min(1.0, 0.05 + max(0.68, became**2 + (1 - became) ** 2))
    for axis, what in ((1, "row"), (0, "column")):
        # Pairs of chosen tokens, each token in one pair at most: both or neither became [MASK] in 68%, or
        # more where other shares are taken, which is another mistake.
        rows = zip(np.moveaxis(chosen, axis, -1), np.moveaxis(masked, axis, -1), strict=True)
        pairs = [row[place][: place.sum() // 2 * 2].reshape(-1, 2) for place, row in rows]
        agree = np.concatenate([pair[:, 0] == pair[:, 1] for pair in pairs])
        if agree.sum() > bounds(agree.size, 0.68, chance)[1]:
            message = (
                f"Of two chosen tokens in a {what} both or neither became [MASK] in {agree.mean():.0%}."
            )
            submission.fail(message, "fates-shared")


@check("all randomness comes from the generator")
def reproducible(submission: Submission, rng: np.random.Generator) -> None:
    tokens, seed = LARGE.tokens(rng, 8, 60), int(rng.integers(2**31))

    def made(generator: wire.Generator) -> np.ndarray:
        return make(submission, rng, LARGE, tokens, generator=generator, rate=0.5).inputs

    before, generator = submission.global_random_state(), submission.generator(seed)
    first = made(generator)
    if submission.global_random_state() != before:
        submission.fail("The call changed NumPy's global random state.", "global-random")
    if np.any(made(submission.generator(seed)) != first):
        message = f"Two calls with a new numpy.random.default_rng({seed}) each gave different inputs."
        submission.fail(message, "rng-ignored")
    if np.all(made(submission.generator(seed + 1)) == first):
        submission.fail("Generators of different seeds gave the same inputs.", "fixed-seed")
    if np.all(made(generator) == first):
        submission.fail("Two calls with one generator gave the same inputs.", "generator-copied")
