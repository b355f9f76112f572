"""Hard attention: the best key or a drawn one; randomness comes from the given generator alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.messages import Call
from grader.submission import Submission, wide
from grader.worker import wire

exercise = Exercise(
    number=12,
    title="Hard attention",
    kind="numpy",
    part="Attention from scratch",
    implements=["hard_attention"],
    outputs={"hard_attention": ("context", "index")},
    lesson="06_soft_hard_local#hard-attention",
    minutes=25,
    difficulty=2,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Once you know which key each query takes, both modes are the same. How do you get one row of "
        "value per query when there are leading axes?",
        "np.argmax finds the first maximum; np.take_along_axis(value, index[..., None], axis=-2) gathers. "
        "To draw key j with probability p[j], draw u = rng.random() once per row and take the first key "
        "whose cumulative probability exceeds u.",
        "cumulative = np.cumsum(_softmax(scores), axis=-1); u = rng.random(size=scores.shape[:-1]); "
        "index = np.argmax(cumulative > u[..., None] * cumulative[..., -1:], axis=-1); at the end zero the "
        "context where all scores of a row are -inf.",
    ],
)
NAME = "hard_attention"
ARGMAX = "index = np.argmax(scores, axis=-1)  # (..., Tq)"
GATHER = "context = np.take_along_axis(value, index[..., None], axis=-2)  # (..., Tq, Dv)"
RETURN = "return np.where(empty, 0, context), index"
UNIFORMS = "rng.random(size=scores.shape[:-1])[..., None]"
CHOOSE = "index = np.argmax(cumulative > drawn, axis=-1)  # the first key that passes the draw"
FRESH = "if rng is None:\n            rng = np.random.default_rng()"
WEIGHTS = "weights = _softmax(scores)"
# What a test of frequencies rejects a right answer with, at most (Hoeffding's inequality); all together
# stay below 1e-6.
ERROR = 1e-8


def taken(scores: np.ndarray, value: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Context and index when each row takes `index`, rows of -inf aside."""
    empty = np.all(np.isneginf(scores), axis=-1)
    index = np.where(empty, 0, index)
    context = np.zeros((*index.shape, value.shape[-1]))
    for place in np.ndindex(index.shape):
        if not empty[place]:
            context[place] = value[(*place[:-1], index[place])]
    return context, index


@exercise.oracle(NAME)
def hard_attention(scores, value, mode="greedy", rng=None):
    """The right answer of greedy attention; draws are judged by `drawn`."""
    first = np.array([row.tolist().index(row.max()) for row in scores.reshape(-1, scores.shape[-1])])
    return taken(scores, value, first.reshape(scores.shape[:-1]))


@exercise.misconception(
    "soft-attention",
    "The context is the weighted sum of all values (soft attention); hard attention takes one value.",
    wrong={GATHER: "context = _softmax(scores).astype(value.dtype) @ value"},
)
def soft_attention(scores, value, mode="greedy", rng=None):
    return reference.softmax(scores) @ value, hard_attention(scores, value)[1]


@exercise.misconception(
    "weighted-choice",
    "The chosen value is multiplied by its weight; hard attention takes it as it is.",
    wrong={
        GATHER: GATHER.partition("  #")[0] + " * np.take_along_axis(_softmax(scores), index[..., None], "
        "axis=-1).astype(value.dtype)"
    },
)
def weighted_choice(scores, value, mode="greedy", rng=None):
    context, index = hard_attention(scores, value)
    return context * reference.softmax(scores).max(axis=-1, keepdims=True), index


@exercise.misconception(
    "last-maximum",
    "Among equal scores the last key is taken; the first one is asked for.",
    wrong={
        ARGMAX: "index = scores.shape[-1] - 1 - np.argmax(scores[..., ::-1], axis=-1)\n"
        "        index = np.where(np.all(np.isneginf(scores), axis=-1), 0, index)"
    },
)
def last_maximum(scores, value, mode="greedy", rng=None):
    return taken(scores, value, scores.shape[-1] - 1 - np.argmax(scores[..., ::-1], axis=-1))


@exercise.misconception(
    "smallest-score",
    "The key with the smallest score is taken; take the largest.",
    wrong={ARGMAX: "index = np.argmin(scores, axis=-1)"},
)
def smallest_score(scores, value, mode="greedy", rng=None):
    return taken(scores, value, np.argmin(scores, axis=-1))


@exercise.misconception(
    "largest-magnitude",
    "The key with the largest absolute score is taken; a very negative score means: not this one.",
    wrong={ARGMAX: "index = np.argmax(np.where(np.isneginf(scores), -1, np.abs(scores)), axis=-1)"},
)
def largest_magnitude(scores, value, mode="greedy", rng=None):
    return taken(scores, value, np.argmax(np.where(np.isneginf(scores), -1, np.abs(scores)), axis=-1))


@exercise.misconception(
    "argmax-over-queries",
    "The maximum is searched along the queries (axis -2): each query chooses among its keys (axis -1).",
    wrong={ARGMAX: "index = np.argmax(scores, axis=-2)"},
)
def argmax_over_queries(scores, value, mode="greedy", rng=None):
    index = np.argmax(scores, axis=-2)
    context = np.take_along_axis(value, index[..., None], axis=-2)
    return np.where(np.all(np.isneginf(scores), axis=-1, keepdims=True), 0, context), index


@exercise.misconception(
    "argmax-of-everything",
    "np.argmax without an axis finds one key for the whole array; every query has its own.",
    wrong={ARGMAX: "index = np.broadcast_to(np.argmax(scores), scores.shape[:-1])"},
)
def argmax_of_everything(scores, value, mode="greedy", rng=None):
    index = np.broadcast_to(np.argmax(scores), scores.shape[:-1])
    return np.take_along_axis(value, index[..., None], axis=-2), index


@exercise.misconception(
    "index-keeps-axis",
    "index has an axis of length 1 too many (keepdims); its shape is (..., Tq).",
    wrong={RETURN: "return np.where(empty, 0, context), index[..., None]"},
)
def index_keeps_axis(scores, value, mode="greedy", rng=None):
    context, index = hard_attention(scores, value)
    return context, index[..., None]


@exercise.misconception(
    "one-hot-index",
    "The second result is a one-hot row per query; the number of the chosen key is asked for.",
    wrong={
        RETURN: "return np.where(empty, 0, context), (np.arange(scores.shape[-1]) == index[..., None])"
        ".astype(int)"
    },
)
def one_hot_index(scores, value, mode="greedy", rng=None):
    context, index = hard_attention(scores, value)
    return context, (np.arange(scores.shape[-1]) == index[..., None]).astype(int)


@exercise.misconception(
    "value-first-axis",
    "value[index] picks along the first axis, which is the batch when there is one. Pick along the keys "
    "(axis -2) with np.take_along_axis.",
    wrong={GATHER: "context = value[index]"},
)
def value_first_axis(scores, value, mode="greedy", rng=None):
    empty = np.all(np.isneginf(scores), axis=-1, keepdims=True)
    index = np.argmax(scores, axis=-1)
    return np.where(empty, 0, value[index]), index


@exercise.misconception(
    "results-swapped",
    "The results are swapped: (context, index) is asked for, in this order.",
    wrong={RETURN: "return index, np.where(empty, 0, context)"},
)
def results_swapped(scores, value, mode="greedy", rng=None):
    context, index = hard_attention(scores, value)
    return index, context


@exercise.misconception(
    "index-missing",
    "Only the context is returned; return (context, index).",
    wrong={RETURN: "return np.where(empty, 0, context)"},
)
def index_missing(scores, value, mode="greedy", rng=None):
    return hard_attention(scores, value)[0]


@exercise.misconception(
    "fully-masked-first-value",
    "A query whose scores are all -inf takes the value of key 0; its context must be zero.",
    wrong={RETURN: "return context, index"},
)
def fully_masked_first_value(scores, value, mode="greedy", rng=None):
    index = np.argmax(scores, axis=-1)
    return np.take_along_axis(value, index[..., None], axis=-2), index


@exercise.misconception(
    "fully-masked-nan",
    "A query whose scores are all -inf gives NaN; its context must be zero.",
    wrong={RETURN: "return np.where(empty, np.nan, context).astype(value.dtype), index"},
)
def fully_masked_nan(scores, value, mode="greedy", rng=None):
    context, index = hard_attention(scores, value)
    return np.where(np.all(np.isneginf(scores), axis=-1, keepdims=True), np.nan, context), index


@exercise.misconception(
    "fully-masked-index",
    "A query whose scores are all -inf gets the index -1; 0 is asked for.",
    wrong={RETURN: "return np.where(empty, 0, context), np.where(empty[..., 0], -1, index)"},
)
def fully_masked_index(scores, value, mode="greedy", rng=None):
    context, index = hard_attention(scores, value)
    return context, np.where(np.all(np.isneginf(scores), axis=-1), -1, index)


exercise.behaviour(
    "sample-is-greedy",
    'mode="sample" takes the largest score every time; it must draw.',
    wrong={CHOOSE: "index = np.argmax(scores, axis=-1)"},
)
exercise.behaviour(
    "uniform-sampling",
    "Every key is drawn equally often: the scores have no effect, or the softmax has the wrong axis.",
    wrong={WEIGHTS: "weights = np.where(np.isneginf(scores), 0.0, 1.0)"},
)
exercise.behaviour(
    "reversed-sampling",
    "Keys with small scores are drawn most often: the sign is reversed.",
    wrong={WEIGHTS: "weights = _softmax(np.where(np.isneginf(scores), scores, -scores))"},
)
exercise.behaviour(
    "scaled-sampling",
    "The scores are divided by the square root of the number of keys before the softmax; draw from "
    "softmax(scores) itself.",
    wrong={WEIGHTS: "weights = _softmax(scores / np.sqrt(scores.shape[-1]))"},
)
exercise.behaviour(
    "softmax-twice",
    "The softmax is applied twice, so the probabilities are nearly equal; once is right.",
    wrong={WEIGHTS: "weights = _softmax(np.where(np.isneginf(scores), scores, _softmax(scores)))"},
)
exercise.behaviour(
    "noise-not-gumbel",
    "Noise is added to the scores before the argmax, but not Gumbel noise: only -log(-log(u)), added, "
    "draws from the softmax in this way.",
    wrong={CHOOSE: "index = np.argmax(scores + rng.normal(size=scores.shape), axis=-1)"},
)
exercise.behaviour(
    "no-softmax",
    "The probabilities are the scores themselves, divided by their sum: negative ones make no sense. Draw "
    "from softmax(scores).",
    wrong={
        CHOOSE: "index = np.zeros(scores.shape[:-1], int)\n"
        "        for place in np.ndindex(index.shape):\n"
        "            row = np.float64(scores[place])\n"
        "            index[place] = rng.choice(scores.shape[-1], p=row / row.sum())"
    },
)
exercise.behaviour(
    "rows-share-draw",
    "Several rows share one random number, so they all fall on the same side. Draw one per row: "
    "rng.random(size=scores.shape[:-1]).",
    wrong={UNIFORMS: "rng.random()"},
)
exercise.behaviour(
    "batch-shares-draw",
    "All sequences of a batch share their random numbers. Draw one per row: "
    "rng.random(size=scores.shape[:-1]).",
    wrong={UNIFORMS: "rng.random(size=scores.shape[-2:-1])[..., None]"},
)
exercise.behaviour(
    "global-random",
    "The draw comes from NumPy's global random state (np.random.choice and its kind), or changes it. All "
    "randomness must come from `rng`.",
    wrong={UNIFORMS: "np.random.random(size=scores.shape[:-1])[..., None]"},
)
exercise.behaviour(
    "rng-ignored",
    "An equal generator gives another result: the draw does not come from `rng`.",
    wrong={FRESH: "rng = np.random.default_rng()"},
)
exercise.behaviour(
    "fixed-seed",
    "Every generator gives the same draw: a seed is fixed in your code. Draw from `rng`.",
    wrong={FRESH: "rng = np.random.default_rng(0)"},
)
exercise.behaviour(
    "generator-restarted",
    "The same generator gives the same draw twice: you draw from a copy. Draw from `rng` itself, "
    "so that it moves on.",
    wrong={FRESH: FRESH + "\n        import copy\n        rng = copy.deepcopy(rng)"},
)
exercise.behaviour(
    "generator-required",
    "rng=None must work: draw from a fresh numpy.random.default_rng() then.",
    wrong={FRESH: ""},
)
exercise.behaviour(
    "default-seed-fixed",
    "rng=None must be a fresh generator, another one in each call; yours starts from a fixed seed.",
    wrong={FRESH: FRESH.replace("default_rng()", "default_rng(0)")},
)
exercise.behaviour(
    "masked-drawn",
    "A key with a score of -inf was drawn; its probability is zero.",
    wrong={WEIGHTS: "weights = _softmax(np.nan_to_num(scores, neginf=-3))"},
)
exercise.behaviour(
    "fully-masked-raises",
    "Drawing raises when all scores of a row are -inf (no probabilities to draw from). Such a row gets the "
    "index 0 and a context of zero.",
    wrong={
        CHOOSE: "index = np.zeros(scores.shape[:-1], int)\n"
        "        for place in np.ndindex(index.shape):\n"
        "            index[place] = rng.choice(scores.shape[-1], p=np.float64(weights[place]))"
    },
)
exercise.behaviour(
    "fully-masked-drawn",
    "A row of scores that are all -inf was given a drawn index; its index is 0, its context zero.",
    wrong={WEIGHTS: "weights = _softmax(np.maximum(scores, -1e9))"},
)
exercise.behaviour(
    "no-max-subtraction",
    "Large scores overflow in exp and the draw goes wrong. Subtract each row's maximum first, as "
    "`_softmax` does.",
    wrong={
        WEIGHTS: "powers = np.exp(scores)\n        total = powers.sum(axis=-1, keepdims=True)\n"
        "        weights = powers / np.where(total == 0, 1, total)"
    },
)
exercise.behaviour(
    "unknown-mode-accepted",
    'An unknown mode must raise a ValueError; only "greedy" and "sample" exist.',
    on=["no-error"],
    wrong={'elif mode == "sample":': "elif True:"},
)
exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place. Make new arrays.",
    on=["mutated"],
    wrong={GATHER: GATHER.partition("  #")[0] + "\n    value[...] = 0"},
)
exercise.behaviour(
    "wrong-precision",
    "A result has the wrong dtype: context has that of the value (float32 stays float32, integers give "
    "float64), index holds integers.",
    on=["dtype"],
    wrong={'if value.dtype.kind != "f":': "if True:"},
)


def possible_index(scores: np.ndarray, received: Any) -> np.ndarray | None:
    """The index that was received, None when its form or a number in it cannot be right."""
    index = received[1] if isinstance(received, list) and len(received) == 2 else None
    if not isinstance(index, np.ndarray) or index.dtype.kind not in "iu":
        return None
    if index.shape != scores.shape[:-1]:
        return None
    return index.astype(int) if np.all((index >= 0) & (index < scores.shape[-1])) else None


def drawn(
    submission: Submission,
    scores: np.ndarray,
    value: np.ndarray,
    rng: wire.Generator | None,
    raising: tuple[str, str] = ("", ""),
) -> np.ndarray:
    """Draw, require that context and index fit together, return the index.

    `raising` is a word in an exception's message or bases, and the misconception that it means.
    """
    kwargs = {"mode": "sample", "rng": rng}
    reply = submission.request("call", name=NAME, args=[scores, value], kwargs=kwargs)
    word, misconception = raising
    if word and reply.problem and word in f"{reply.problem.message} {reply.problem.bases}".lower():
        submission.fail(f"{reply.problem.type}: {reply.problem.message}", misconception)
    index = possible_index(scores, reply.value)
    if index is not None:
        hidden = np.isneginf(np.take_along_axis(scores, index[..., None], axis=-1)[..., 0])
        empty = np.all(np.isneginf(scores), axis=-1)
        if np.any(hidden & ~empty):
            submission.fail("The index points at a key whose score is -inf.", "masked-drawn")
        if np.any(empty & (index > 0)):
            submission.fail("All scores of the row are -inf; its index is not 0.", "fully-masked-drawn")
    # What cannot be an index differs from zeros in form, or is out of range.
    expected = taken(scores, wide(value), np.zeros(scores.shape[:-1], int) if index is None else index)
    call = Call(NAME, [scores, value], kwargs, submission.parameters(NAME))
    submission.judge_reply(NAME, reply, lambda _: expected, call, dtype=value.dtype.name)
    return expected[1]


def wrong_distributions(row: np.ndarray) -> dict[str, list[np.ndarray]]:
    """How often each key comes up under the mistakes that can be told by it."""
    rng, size, count = np.random.default_rng(0), (50_000, len(row)), len(row)
    noises = (
        rng.normal(size=size),
        -rng.gumbel(size=size),
        rng.exponential(size=size),
        rng.random(size=size),
    )
    noisy = [np.bincount(np.argmax(row + noise, axis=-1), minlength=count) / len(noise) for noise in noises]
    return {
        "uniform-sampling": [np.full(count, 1 / count)],
        "sample-is-greedy": [np.eye(count)[np.argmax(row)]],
        "reversed-sampling": [reference.softmax(-row)],
        "scaled-sampling": [reference.softmax(row / math.sqrt(count))],
        "softmax-twice": [reference.softmax(reference.softmax(row))],
        "noise-not-gumbel": noisy,
    }


def require_frequencies(
    submission: Submission, index: np.ndarray, row: np.ndarray, otherwise: str | None = None
) -> None:
    """Require that the draws in `index`, all from scores `row`, follow softmax(row)."""
    found = np.bincount(index, minlength=len(row)) / len(index)
    allowed = math.sqrt(math.log(2 * len(row) / ERROR) / (2 * len(index)))
    expected = reference.softmax(row)
    if np.max(np.abs(found - expected)) <= allowed:
        return
    near = {
        name: min(float(np.max(np.abs(found - chances))) for chances in several)
        for name, several in wrong_distributions(row).items()
    }
    name = min(near, key=near.__getitem__)
    lines = [
        f"{len(index)} draws from one row of scores. Keys came up with these frequencies:",
        f"Expected: {np.round(expected, 3)} (each within {allowed:.3f})",
        f"Received: {np.round(found, 3)}",
    ]
    submission.fail("\n".join(lines), name if near[name] <= allowed else otherwise)


def require_varied(submission: Submission, rng: np.random.Generator) -> None:
    """Require that rows of one call differ; tell one shared number from no randomness at all."""
    scores, value = np.zeros((2, 20, 8)), rng.normal(size=(2, 8, 3))
    indices = [drawn(submission, scores, value, seeded(submission, rng)) for _ in range(12)]
    if all(np.all(index == index[..., :1]) for index in indices):
        varied = len({int(index[0, 0]) for index in indices}) > 1
        message = "Eight equal scores, 20 rows: every row drew the same key."
        submission.fail(message, "rows-share-draw" if varied else "sample-is-greedy")


def seeded(submission: Submission, rng: np.random.Generator) -> wire.Generator:
    """Return a new generator of the worker."""
    return submission.generator(int(rng.integers(2**31)))


def draw(
    rng: np.random.Generator,
    lead: tuple[int, ...] = (),
    queries: int = 3,
    keys: int = 4,
    width: int = 5,
    dtype: type = np.float64,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and value; every axis has its own length. The largest score is not the largest magnitude."""
    scores = rng.normal(size=(*lead, queries, keys)) - 0.5
    return scores.astype(dtype), rng.normal(size=(*lead, keys, width)).astype(dtype)


@exercise.check("greedy: two queries, three keys")
def two_queries(submission: Submission, rng: np.random.Generator) -> None:
    scores = np.array([rng.permutation([0.5, -2.0, 1.0]), rng.permutation([-1.0, -0.5, -3.0])])
    submission.expect(NAME, scores, np.round(rng.normal(size=(3, 1)), 1))
    submission.expect(NAME, scores, np.round(rng.normal(size=(3, 4)), 1), mode="greedy")


@exercise.check("greedy: leading axes, other lengths")
def leading_axes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng))
    submission.expect(NAME, *draw(rng, lead=(2,)))
    submission.expect(NAME, *draw(rng, lead=(2, 3), queries=6, keys=5, width=4))
    submission.expect(NAME, *draw(rng, lead=(4,), queries=4, keys=4, width=4))


@exercise.check("greedy: the first of equal scores")
def ties(submission: Submission, rng: np.random.Generator) -> None:
    scores = np.array([[1.0, 3.0, 3.0, 0.0], [2.0, -5.0, 2.0, 2.0], [-1.0, -1.0, -1.0, -1.0]])
    submission.expect(NAME, scores, rng.normal(size=(4, 2)))


@exercise.check("greedy: scores of -inf, whole rows too")
def masked_greedy(submission: Submission, rng: np.random.Generator) -> None:
    scores, value = draw(rng, lead=(2,))
    scores[0, 1] = scores[1, 0, :3] = scores[1, 2, 0] = -np.inf
    submission.expect(NAME, scores, value)
    submission.expect(NAME, *(array.astype(np.float32) for array in (scores[0], value[0])))


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    scores, value = draw(rng, lead=(2,), dtype=np.float32)
    submission.expect(NAME, scores, value)
    drawn(submission, scores, value, seeded(submission, rng))
    submission.expect(NAME, *draw(rng))
    submission.expect(NAME, rng.integers(-9, 9, size=(3, 4)), rng.integers(-9, 9, size=(4, 2)))


@exercise.check("lengths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, queries=1, keys=1, width=3))
    submission.expect(NAME, *draw(rng, lead=(1, 3), queries=1, keys=2, width=1))
    drawn(submission, *draw(rng, lead=(2,), queries=1, keys=1, width=1), seeded(submission, rng))


@exercise.check("an unknown mode raises ValueError")
def unknown_mode(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect_error(NAME, "ValueError", *draw(rng), mode="soft")
    submission.expect_error(NAME, "ValueError", *draw(rng), "beam", rng=seeded(submission, rng))


@exercise.check("sample: keys come up as often as softmax(scores) says")
def frequencies(submission: Submission, rng: np.random.Generator) -> None:
    rows = np.array([rng.permutation([1.5, 0.5, -0.5, -1.5]), rng.permutation([2.0, 0.0, -0.25, 1.0])])
    scores, value = np.repeat(rows[:, None], 6000, axis=1), rng.normal(size=(2, 4, 3))
    raising = ("probabilities", "no-softmax")
    index = drawn(submission, scores, value, seeded(submission, rng), raising)
    require_varied(submission, rng)
    for number, row in enumerate(rows):
        require_frequencies(submission, index[number], row)


@exercise.check("sample: rows are drawn independently")
def independent(submission: Submission, rng: np.random.Generator) -> None:
    require_varied(submission, rng)
    scores = np.zeros((70, 60, 8))
    index = drawn(submission, scores, rng.normal(size=(70, 8, 2)), seeded(submission, rng))
    excess = {}
    for axis, name in ((1, "rows-share-draw"), (0, "batch-shares-draw")):
        pairs = np.moveaxis(index, axis, 0)
        agree = pairs[::2] == pairs[1::2]  # disjoint pairs: each agrees with probability 1/8
        excess[name] = np.mean(agree) - 1 / 8 - math.sqrt(math.log(1 / ERROR) / (2 * agree.size))
    worst = max(excess, key=excess.__getitem__)
    if excess[worst] > 0:
        submission.fail("70 sequences of 60 rows, 8 equal scores: neighbours agree too often.", worst)


@exercise.check("sample: scores of -inf, whole rows too")
def masked_sample(submission: Submission, rng: np.random.Generator) -> None:
    scores, value = rng.normal(size=(3000, 6)), rng.normal(size=(6, 2))
    scores[:, 0], scores[:, 5] = -np.inf, -np.inf
    drawn(submission, scores, value, seeded(submission, rng))
    scores[::50] = -np.inf
    drawn(submission, scores, value, seeded(submission, rng), ("valueerror", "fully-masked-raises"))


@exercise.check("sample: large scores do not overflow")
def large(submission: Submission, rng: np.random.Generator) -> None:
    require_varied(submission, rng)
    row = np.concatenate([[-1.0], rng.permutation([1.5, 0.0]), [-0.5]])
    for shift in (0.0, 10_000.0, -10_000.0):
        scores = np.repeat(row[None], 2000, axis=0) + shift
        index = drawn(
            submission,
            scores,
            rng.normal(size=(4, 3)),
            seeded(submission, rng),
            ("nan", "no-max-subtraction"),
        )
        require_frequencies(submission, index, row, "no-max-subtraction" if shift else None)


@exercise.check("sample: all randomness comes from the generator")
def reproducible(submission: Submission, rng: np.random.Generator) -> None:
    require_varied(submission, rng)
    scores, value = rng.normal(size=(2, 60, 5)), rng.normal(size=(2, 5, 3))
    seed = int(rng.integers(2**31))
    before = submission.global_random_state()
    generator = submission.generator(seed)
    first = drawn(submission, scores, value, generator)
    if submission.global_random_state() != before:
        submission.fail("The call changed NumPy's global random state.", "global-random")
    if np.any(drawn(submission, scores, value, submission.generator(seed)) != first):
        message = f"Two calls with a new numpy.random.default_rng({seed}) each gave different draws."
        submission.fail(message, "rng-ignored")
    if np.all(drawn(submission, scores, value, submission.generator(seed + 1)) == first):
        submission.fail("Generators of different seeds gave 120 equal draws.", "fixed-seed")
    if np.all(drawn(submission, scores, value, generator) == first):
        submission.fail("Two calls with one generator gave 120 equal draws.", "generator-restarted")


@exercise.check("sample: rng=None")
def fresh_generator(submission: Submission, rng: np.random.Generator) -> None:
    scores, value = np.zeros((2, 60, 5)), rng.normal(size=(2, 5, 3))
    before = submission.global_random_state()
    first = drawn(submission, scores, value, None, ("nonetype", "generator-required"))
    if submission.global_random_state() != before:
        submission.fail("The call changed NumPy's global random state.", "global-random")
    if np.all(drawn(submission, scores, value, None) == first) and np.unique(first).size > 1:
        given = [drawn(submission, scores, value, seeded(submission, rng)) for _ in range(2)]
        name = "fixed-seed" if np.all(given[0] == given[1]) else "default-seed-fixed"
        submission.fail("Two calls without a generator gave 120 equal draws.", name)


@exercise.check("the same call twice; the inputs stay as they were")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, lead=(2,), dtype=np.float32)
    submission.expect(NAME, *arrays)
    submission.expect(NAME, *draw(rng, lead=(2,), keys=3))
    submission.expect(NAME, *arrays)
    drawn(submission, *arrays, seeded(submission, rng))
