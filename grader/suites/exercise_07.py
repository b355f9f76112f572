"""Self-attention with projections, optionally causal."""

from __future__ import annotations

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=7,
    title="Self-attention",
    kind="numpy",
    part="Attention from scratch",
    implements=["self_attention"],
    outputs={"self_attention": ("context", "weights")},
    lesson="03_self_and_cross_attention#self-attention",
    minutes=20,
    difficulty=1,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "One sequence, three roles. Which weight matrix makes which role, and which width do queries and "
        "keys have once they are projected?",
        "Project x three times; the rest is exercise 03. Scale by the square root of the projected width "
        "Dk. np.tril(np.ones((T, T), bool)) is True where position i may see position j.",
        "query, key, value = x @ w_query, x @ w_key, x @ w_value; scores = query @ np.swapaxes(key, -1, "
        "-2) / np.sqrt(query.shape[-1]); if causal: np.where(past, scores, -np.inf); weights = "
        "_softmax(scores); return weights @ value, weights.",
    ],
)
NAME = "self_attention"
PROJECTED = "query, key, value = x @ w_query, x @ w_key, x @ w_value"
SCALE = "x.dtype.type(np.sqrt(query.shape[-1]))"
SOFTMAX = "weights = _softmax(scores)"
PAST = "np.tril(np.ones((length, length), bool))"
MASKED = "np.where(past, scores, -np.inf)"


def parts(x, w_query, w_key, w_value):
    """Right scores (before the mask), the values, and which pairs a causal mask allows."""
    query, key, value = (np.einsum("...td,de->...te", x, w) for w in (w_query, w_key, w_value))
    scores = np.einsum("...qd,...kd->...qk", query, key) / np.sqrt(w_key.shape[-1])
    places = np.arange(x.shape[-2])
    return scores, value, places <= places[:, None]


def mix(weights, value):
    """Context and weights from weights."""
    return weights @ value, weights


@exercise.oracle(NAME)
def attend(x, w_query, w_key, w_value, causal=False):
    """The right answer."""
    scores, value, past = parts(x, w_query, w_key, w_value)
    return mix(reference.softmax(reference.masked(scores, past if causal else None)), value)


def projected(id, explanation, wrong, arguments):
    """Register a misconception that is the right function of other projections."""

    def mistaken(x, w_query, w_key, w_value, causal=False):
        return attend(x, *arguments(x, w_query, w_key, w_value), causal)

    exercise.misconception(id, explanation, wrong=wrong)(mistaken)


def rescored(id, explanation, wrong, function):
    """Register a misconception about the scores: function(scores, x, w_query) gives others."""

    def mistaken(x, w_query, w_key, w_value, causal=False):
        scores, value, past = parts(x, w_query, w_key, w_value)
        scores = function(scores, x, w_query)
        return mix(reference.softmax(reference.masked(scores, past if causal else None)), value)

    exercise.misconception(id, explanation, wrong=wrong)(mistaken)


def late(id, explanation, wrong, result):
    """Register a misconception about what follows the scores: result(scores, value, past or None)."""

    def mistaken(x, w_query, w_key, w_value, causal=False):
        scores, value, past = parts(x, w_query, w_key, w_value)
        return result(scores, value, past if causal else None)

    exercise.misconception(id, explanation, wrong=wrong)(mistaken)


def finish(scores, value, mask=None, axis=-1):
    """Context and weights from scores."""
    return mix(reference.softmax(reference.masked(scores, mask), axis), value)


def divide(powers):
    """Powers over their sum along the keys, zeros where it is 0."""
    total = powers.sum(axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def blind_softmax(scores):
    """A softmax that subtracts one maximum of the whole array."""
    powers = np.exp(scores - np.max(scores))
    return powers / powers.sum(axis=-1, keepdims=True)


rescored(
    "no-scaling",
    "The scores are not divided by sqrt(Dk).",
    {SCALE: "x.dtype.type(1)"},
    lambda scores, x, w: scores * np.sqrt(w.shape[1]),
)
rescored(
    "scaled-by-model-width",
    "The scores are divided by the square root of D, the width of x. The width of the projected queries "
    "and keys, Dk, belongs there.",
    {SCALE: "x.dtype.type(np.sqrt(x.shape[-1]))"},
    lambda scores, x, w: scores * np.sqrt(w.shape[1] / w.shape[0]),
)
rescored(
    "scaled-by-width",
    "The scores are divided by Dk; the square root of Dk is asked for.",
    {SCALE: "x.dtype.type(query.shape[-1])"},
    lambda scores, x, w: scores / np.sqrt(w.shape[1]),
)
rescored(
    "scaled-by-length",
    "The scores are divided by the square root of the sequence length; the width Dk belongs there.",
    {SCALE: "x.dtype.type(np.sqrt(x.shape[-2]))"},
    lambda scores, x, w: scores * np.sqrt(w.shape[1] / x.shape[-2]),
)
rescored(
    "multiplied-by-scale",
    "The scores are multiplied by sqrt(Dk); they must be divided by it.",
    {SCALE: "1 / x.dtype.type(np.sqrt(query.shape[-1]))"},
    lambda scores, x, w: scores * w.shape[1],
)
projected(
    "not-projected",
    "x itself serves as query, key and value: the projections are missing.",
    {PROJECTED: "query = key = value = x"},
    lambda x, w_query, w_key, w_value: [np.eye(x.shape[-1])] * 3,
)
projected(
    "values-not-projected",
    "The context is a weighted sum of x itself; the values are x w_value.",
    {"x @ w_value": "x"},
    lambda x, w_query, w_key, w_value: (w_query, w_key, np.eye(x.shape[-1])),
)
projected(
    "one-projection",
    "Query and key share one projection; the keys are x w_key.",
    {"x @ w_key": "x @ w_query"},
    lambda x, w_query, w_key, w_value: (w_query, w_query, w_value),
)
projected(
    "one-projection-for-all",
    "Query, key and value all come from w_query; each has its own projection.",
    {PROJECTED: "query = key = value = x @ w_query"},
    lambda x, w_query, w_key, w_value: (w_query, w_query, w_query),
)
projected(
    "values-from-keys",
    "The context is a weighted sum of the keys; the values, x w_value, belong there.",
    {"weights @ value": "weights @ key"},
    lambda x, w_query, w_key, w_value: (w_query, w_key, w_key),
)
projected(
    "queries-keys-swapped",
    "w_query and w_key are swapped, or the scores are key query^T: rows belong to the queries.",
    {"x @ w_query, x @ w_key": "x @ w_key, x @ w_query"},
    lambda x, w_query, w_key, w_value: (w_key, w_query, w_value),
)
projected(
    "w-transposed",
    "The projections are transposed (w x in the place of x w). Positions are rows here: x @ w_query.",
    {PROJECTED: "query, key, value = x @ w_query.T, x @ w_key.T, x @ w_value.T"},
    lambda x, w_query, w_key, w_value: (w_query.T, w_key.T, w_value.T),
)
late(
    "softmax-over-queries",
    "The softmax runs over the queries (axis -2; dim=1 in a batch); each query's weights over the keys "
    "must sum to 1.",
    {SOFTMAX: "weights = _softmax(scores, axis=-2)"},
    lambda scores, value, past: finish(scores, value, past, axis=-2),
)
late(
    "softmax-over-axis-one",
    "The softmax runs over axis 1, which is the keys' only without a batch. Use axis=-1.",
    {SOFTMAX: "weights = _softmax(scores, axis=1)"},
    lambda scores, value, past: finish(scores, value, past, axis=1),
)
late(
    "softmax-over-batch",
    "The softmax runs over the first axis (the batch, where there is one); each query's weights over "
    "the keys (the last axis) must sum to 1.",
    {SOFTMAX: "weights = _softmax(scores, axis=0)"},
    lambda scores, value, past: finish(scores, value, past, axis=0),
)


late(
    "softmax-over-everything",
    "The softmax runs over the whole array: all weights together sum to 1, not those of each query.",
    {SOFTMAX: "weights = _softmax(scores, axis=None)"},
    lambda scores, value, past: mix(
        reference.softmax(reference.masked(scores, past).reshape(-1)).reshape(scores.shape), value
    ),
)


@exercise.misconception(
    "full-transpose",
    "key.T reverses all axes; with a batch axis only the last two may be swapped.",
    wrong={"np.swapaxes(key, -1, -2)": "key.T"},
)
def full_transpose(x, w_query, w_key, w_value, causal=False):
    _, value, past = parts(x, w_query, w_key, w_value)
    scores = (x @ w_query) @ (x @ w_key).T / np.sqrt(w_query.shape[1])
    return finish(scores, value, past if causal else None)


@exercise.misconception(
    "one-batch-axis-only",
    "The code works with exactly one leading axis, as transpose(0, 2, 1) does; none or many must work. "
    "np.swapaxes(key, -1, -2) swaps the last two, however many lead.",
    wrong={"np.swapaxes(key, -1, -2)": "key.transpose(0, 2, 1)"},
)
def one_batch_axis_only(x, w_query, w_key, w_value, causal=False):
    x.transpose(0, 2, 1)  # ValueError unless there are three axes
    return attend(x, w_query, w_key, w_value, causal)


@exercise.misconception(
    "np-dot",
    "np.dot of two batches pairs every matrix of one with every matrix of the other. Use `@` "
    "(np.matmul), which multiplies them one by one.",
    wrong={
        "query @ np.swapaxes(key, -1, -2)": "np.dot(query, np.swapaxes(key, -1, -2))",
        "weights @ value": "np.dot(weights, value)",
    },
)
def np_dot(x, w_query, w_key, w_value, causal=False):
    _, value, past = parts(x, w_query, w_key, w_value)
    scores = np.dot(x @ w_query, np.swapaxes(x @ w_key, -1, -2)) / np.sqrt(w_query.shape[1])
    if causal:
        scores = np.where(past, scores, -np.inf)
    weights = reference.softmax(scores)
    return np.dot(weights, value), weights


late(
    "global-max",
    "One maximum of the whole array is subtracted: rows with much smaller scores underflow to 0/0. "
    "Subtract each row's own maximum.",
    {
        "np.max(scores, axis=axis, keepdims=True)": "np.max(scores)",
        "np.where(total == 0, 1, total)": "total",
    },
    lambda scores, value, past: mix(blind_softmax(reference.masked(scores, past)), value),
)
late(
    "no-max-subtraction",
    "The softmax overflows: large scores give NaN. Subtract each row's maximum before exp.",
    {"np.exp(scores - np.where(np.isneginf(largest), 0, largest))": "np.exp(scores)"},
    lambda scores, value, past: mix(divide(np.exp(reference.masked(scores, past))), value),
)


late(
    "causal-ignored",
    "`causal=True` has no effect: positions see the future.",
    {"    if causal:": "    if False:"},
    lambda scores, value, past: finish(scores, value),
)
late(
    "always-causal",
    "The causal mask is there without causal=True; by default every position sees all.",
    {"    if causal:": "    if True:"},
    lambda scores, value, past: finish(scores, value, np.tril(np.ones(scores.shape[-2:], bool))),
)
late(
    "causal-excludes-itself",
    "With causal=True a position does not see itself. It may: position i attends to 0 to i, i included.",
    {PAST: "np.tril(np.ones((length, length), bool), k=-1)"},
    lambda scores, value, past: finish(scores, value, None if past is None else past & ~past.T),
)
late(
    "causal-off-by-one",
    "With causal=True a position sees one position too many: the next one, which it has to predict.",
    {PAST: "np.tril(np.ones((length, length), bool), k=1)"},
    lambda scores, value, past: finish(scores, value, None if past is None else np.tril(past | True, 1)),
)
late(
    "mask-inverted",
    "The causal mask is the other way round: a position sees only the future, or nothing but it.",
    {MASKED: "np.where(past, -np.inf, scores)"},
    lambda scores, value, past: finish(scores, value, None if past is None else ~past),
)
late(
    "sees-future-only",
    "With causal=True a position sees itself and what comes later (an upper triangle). It must see itself "
    "and what came before (np.tril).",
    {PAST: "np.triu(np.ones((length, length), bool))"},
    lambda scores, value, past: finish(scores, value, None if past is None else past.T),
)
late(
    "mask-after-softmax",
    "The causal mask is applied to the weights after the softmax, so the rows no longer sum to 1. Put -inf "
    "into the scores before it.",
    {
        MASKED: "scores",
        SOFTMAX: "weights = _softmax(scores) * (past if causal else 1)",
    },
    lambda scores, value, past: mix(reference.softmax(scores) * (1 if past is None else past), value),
)
late(
    "mask-multiplied",
    "The scores are multiplied by the mask: a score of 0 still gets weight. Use -inf.",
    {MASKED: "scores * past"},
    lambda scores, value, past: finish(scores * (1 if past is None else past), value),
)
late(
    "mask-added",
    "The raw mask (0 and 1) is added to the scores: the future loses 1, not everything.",
    {MASKED: "scores + past.astype(scores.dtype)"},
    lambda scores, value, past: finish(scores + (0 if past is None else past), value),
)
late(
    "zero-times-infinity",
    "The mask is multiplied by -inf, and 0 * -inf is NaN: every score is lost. Use np.where(past, scores, "
    "-np.inf).",
    {MASKED: "scores + ~past * scores.dtype.type(-np.inf)"},
    lambda scores, value, past: tuple(
        array * (1 if past is None else np.nan) for array in finish(scores, value)
    ),
)
late(
    "weights-transposed",
    "The context is made with the transposed weights. Row i of `weights` mixes the values for position i: "
    "weights value.",
    {"weights @ value": "np.swapaxes(weights, -1, -2) @ value"},
    lambda scores, value, past: (
        mix(np.swapaxes(finish(scores, value, past)[1], -1, -2), value)[0],
        finish(scores, value, past)[1],
    ),
)
late(
    "scores-returned",
    "The second result holds the raw scores; the weights (after the softmax) are asked for.",
    {"return context, weights": "return context, scores"},
    lambda scores, value, past: (finish(scores, value, past)[0], reference.masked(scores, past)),
)
late(
    "results-swapped",
    "The results are swapped: (context, weights) is asked for, in this order.",
    {"return context, weights": "return weights, context"},
    lambda scores, value, past: finish(scores, value, past)[::-1],
)
late(
    "weights-missing",
    "Only the context is returned; return (context, weights).",
    {"return context, weights": "return context"},
    lambda scores, value, past: finish(scores, value, past)[0],
)


@exercise.misconception(
    "residual-added",
    "x is added to the context. The residual connection belongs to the Transformer layer around it.",
    wrong={"return context, weights": "return context + x, weights"},
)
def residual_added(x, w_query, w_key, w_value, causal=False):
    context, weights = attend(x, w_query, w_key, w_value, causal)
    return context + x, weights


exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place. Make new arrays.",
    on=["mutated"],
    wrong={"context = weights @ value": "w_value *= 0; context = weights @ value"},
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 inputs must give float32 results (and float64 gives float64).",
    on=["dtype"],
    wrong={'if x.dtype.kind != "f":': "if True:"},
)


def draw(rng, lead=(), length=4, width=5, key_width=3, value_width=2, dtype=np.float64):
    """All arguments but causal, every axis with its own length."""
    shapes = [(*lead, length, width), (width, key_width), (width, key_width), (width, value_width)]
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@exercise.check("three positions, by hand")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, length=3, width=4, key_width=2, value_width=1)
    submission.expect(NAME, *(np.round(array, 1) for array in arrays))


@exercise.check("square projections")
def square_projections(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, length=2, width=3, key_width=3, value_width=3)
    submission.expect(NAME, *(np.round(array, 1) for array in arrays))


@exercise.check("a batch")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(6,)))


@exercise.check("a batch in which all sizes are equal")
def square(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(3,), length=3, width=3, key_width=3, value_width=3))


@exercise.check("causal: position i sees 0 to i")
def causal_small(submission: Submission, rng: np.random.Generator) -> None:
    arrays = [np.round(array, 1) for array in draw(rng, length=3, width=4, key_width=2, value_width=1)]
    submission.expect(NAME, *arrays, causal=True)
    submission.expect(NAME, *draw(rng, length=7), causal=True)


@exercise.check("causal: a batch, two leading axes")
def causal_batch(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(6,)), causal=True)
    submission.expect(NAME, *draw(rng, lead=(8, 6), dtype=np.float32), causal=True)


@exercise.check("no leading axis, two of them")
def leading_axes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, length=9, width=4, key_width=6))
    submission.expect(NAME, *draw(rng, lead=(2, 6), value_width=8))


@exercise.check("large scores do not overflow")
def large(submission: Submission, rng: np.random.Generator) -> None:
    # Whole numbers and Dk = 16: all scores are exact in float32 too.
    x, w_query, w_key, w_value = draw(rng, lead=(6,), key_width=16)
    x, w_query, w_key = np.rint(2 * x), np.rint(20 * w_query), np.rint(20 * w_key)
    arrays = [x, w_query, w_key, w_value]
    submission.expect(NAME, *arrays)
    submission.expect(NAME, *(array.astype(np.float32) for array in arrays), causal=True)


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(6,), key_width=16, dtype=np.float32))
    submission.expect(NAME, *draw(rng, lead=(6,), key_width=16))
    submission.expect(NAME, *(np.rint(array).astype(np.int64) for array in draw(rng)), causal=True)


@exercise.check("a sequence of one; widths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(6,), length=1), causal=True)
    submission.expect(NAME, *draw(rng, lead=(1, 3), length=2, width=1, key_width=1, value_width=1))


@exercise.check("the same call twice; the inputs stay as they were")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, lead=(6,))
    submission.expect(NAME, *arrays, causal=True)
    submission.expect(NAME, *arrays)
    submission.expect(NAME, *arrays, causal=False)
    submission.expect(NAME, *arrays)
