"""Dot-product attention without scaling and without a mask."""

from __future__ import annotations

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=2,
    title="Dot-product attention",
    kind="numpy",
    part="Attention from scratch",
    implements=["dot_product_attention"],
    outputs={"dot_product_attention": ("context", "weights")},
    lesson="01_softmax_attention#attention",
    minutes=15,
    difficulty=1,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Write the shapes down: query (Tq, D), key (Tk, D), scores (Tq, Tk). Over which axis does the "
        "product sum, and which axis of the scores belongs to the keys?",
        "np.swapaxes(key, -1, -2) swaps the last two axes only, however many lead; `@` multiplies the "
        "matrices of a batch one by one (np.dot does not). The softmax runs along the keys.",
        "scores = query @ np.swapaxes(key, -1, -2); weights = _softmax(scores, axis=-1); "
        "return weights @ value, weights.",
    ],
)
NAME = "dot_product_attention"
SOFTMAX = "weights = _softmax(scores)"


@exercise.oracle(NAME)
def attend(query, key, value):
    """The right answer."""
    return reference.attend(query, key, value)


@exercise.misconception(
    "scaled",
    "The scores are divided by sqrt(D). Plain dot products are asked for here; scaling is exercise 03.",
    wrong={SOFTMAX: "weights = _softmax(scores / np.sqrt(query.shape[-1]).astype(scores.dtype))"},
)
def scaled(query, key, value):
    return reference.attend(query, key, value, scale=query.shape[-1] ** -0.5)


@exercise.misconception("scaled-by-width", "The scores are divided by D. Plain dot products are asked for.")
def scaled_by_width(query, key, value):
    return reference.attend(query, key, value, scale=1 / query.shape[-1])


@exercise.misconception(
    "softmax-over-queries",
    "The softmax runs over the queries (axis -2); each query's weights over the keys must sum to 1.",
    wrong={SOFTMAX: "weights = _softmax(scores, axis=-2)"},
)
def softmax_over_queries(query, key, value):
    weights = reference.softmax(query @ np.swapaxes(key, -1, -2), axis=-2)
    return weights @ value, weights


@exercise.misconception(
    "softmax-over-batch",
    "The softmax runs over the first axis (the batch, where there is one); each query's weights over "
    "the keys (the last axis) must sum to 1.",
    wrong={SOFTMAX: "weights = _softmax(scores, axis=0)"},
)
def softmax_over_batch(query, key, value):
    weights = reference.softmax(query @ np.swapaxes(key, -1, -2), axis=0)
    return weights @ value, weights


@exercise.misconception(
    "softmax-over-axis-one",
    "The softmax runs over axis 1, which is the keys' only without a batch. Use axis=-1.",
    wrong={SOFTMAX: "weights = _softmax(scores, axis=1)"},
)
def softmax_over_axis_one(query, key, value):
    weights = reference.softmax(query @ np.swapaxes(key, -1, -2), axis=1)
    return weights @ value, weights


@exercise.misconception(
    "softmax-over-everything",
    "The softmax runs over the whole array: all weights together sum to 1, not those of each query.",
    wrong={SOFTMAX: "weights = _softmax(scores, axis=None)"},
)
def softmax_over_everything(query, key, value):
    scores = query @ np.swapaxes(key, -1, -2)
    weights = reference.softmax(scores.reshape(-1)).reshape(scores.shape)
    return weights @ value, weights


@exercise.misconception(
    "softmax-missing",
    "The values are mixed with the raw scores: the softmax is missing.",
    wrong={SOFTMAX: "weights = scores"},
)
def softmax_missing(query, key, value):
    scores = query @ np.swapaxes(key, -1, -2)
    return scores @ value, scores


@exercise.misconception(
    "no-exponential",
    "The scores are divided by their sum, without exp. Softmax exponentiates first.",
    wrong={SOFTMAX: "weights = scores / np.sum(scores, axis=-1, keepdims=True)"},
)
def no_exponential(query, key, value):
    scores = query @ np.swapaxes(key, -1, -2)
    weights = scores / np.sum(scores, axis=-1, keepdims=True)
    return weights @ value, weights


@exercise.misconception(
    "no-max-subtraction",
    "The softmax overflows: large scores give NaN. Subtract each row's maximum before exp.",
    wrong={"np.exp(scores - largest)": "np.exp(scores)"},
)
def no_max_subtraction(query, key, value):
    powers = np.exp(query @ np.swapaxes(key, -1, -2))
    weights = powers / powers.sum(axis=-1, keepdims=True)
    return weights @ value, weights


@exercise.misconception(
    "global-max",
    "One maximum of the whole array is subtracted: rows with much smaller scores underflow to 0/0. "
    "Subtract each row's own maximum.",
    wrong={"np.max(scores, axis=axis, keepdims=True)": "np.max(scores)"},
)
def global_max(query, key, value):
    scores = query @ np.swapaxes(key, -1, -2)
    powers = np.exp(scores - np.max(scores))
    weights = powers / powers.sum(axis=-1, keepdims=True)
    return weights @ value, weights


@exercise.misconception(
    "full-transpose",
    "key.T reverses all axes; with a batch axis only the last two may be swapped.",
    wrong={"np.swapaxes(key, -1, -2)": "key.T"},
)
def full_transpose(query, key, value):
    weights = reference.softmax(query @ key.T)
    return weights @ value, weights


@exercise.misconception(
    "np-dot",
    "np.dot of two batches pairs every matrix of one with every matrix of the other. Use `@` "
    "(np.matmul), which multiplies them one by one.",
    wrong={
        "query @ np.swapaxes(key, -1, -2)": "np.dot(query, np.swapaxes(key, -1, -2))",
        "weights @ value": "np.dot(weights, value)",
    },
)
def np_dot(query, key, value):
    weights = reference.softmax(np.dot(query, np.swapaxes(key, -1, -2)))
    return np.dot(weights, value), weights


@exercise.misconception(
    "two-dimensions-only",
    "The code works for single matrices only; any number of leading (batch) axes must work.",
    wrong={"query @ np.swapaxes(key, -1, -2)": 'np.einsum("qd,kd->qk", query, key)'},
)
def two_dimensions_only(query, key, value):
    weights = reference.softmax(np.einsum("qd,kd->qk", query, key))
    return weights @ value, weights


@exercise.misconception(
    "one-batch-axis-only",
    "The code works with exactly one leading axis, as transpose(0, 2, 1) does; none or many must work. "
    "np.swapaxes(key, -1, -2) swaps the last two, however many lead.",
    wrong={"np.swapaxes(key, -1, -2)": "key.transpose(0, 2, 1)"},
)
def one_batch_axis_only(query, key, value):
    weights = reference.softmax(query @ key.transpose(0, 2, 1))
    return weights @ value, weights


@exercise.misconception(
    "queries-keys-swapped",
    "Query and key are swapped: key query^T has a row per key. query key^T is asked for, a row per query.",
    wrong={"query @ np.swapaxes(key, -1, -2)": "key @ np.swapaxes(query, -1, -2)"},
)
def queries_keys_swapped(query, key, value):
    weights = reference.softmax(key @ np.swapaxes(query, -1, -2))
    return weights @ value, weights


@exercise.misconception(
    "weights-transposed",
    "The context is made with the transposed weights. Row i of `weights` mixes the values for query i: "
    "weights value.",
    wrong={"weights @ value": "np.swapaxes(weights, -1, -2) @ value"},
)
def weights_transposed(query, key, value):
    _, weights = attend(query, key, value)
    return np.swapaxes(weights, -1, -2) @ value, weights


@exercise.misconception(
    "key-not-transposed",
    "The key is not transposed, or reshaped instead of transposed: swap its last two axes.",
    wrong={"np.swapaxes(key, -1, -2)": "key.reshape(*key.shape[:-2], key.shape[-1], key.shape[-2])"},
)
def key_not_transposed(query, key, value):
    key = key.reshape(*key.shape[:-2], key.shape[-1], key.shape[-2])
    weights = reference.softmax(query @ key)
    return weights @ value, weights


@exercise.misconception(
    "no-keepdims",
    "The maximum or the sum is taken without keepdims=True, so it broadcasts along the wrong axis.",
    wrong={
        "np.max(scores, axis=axis, keepdims=True)": "np.max(scores, axis=axis)",
        "np.sum(powers, axis=axis, keepdims=True)": "np.sum(powers, axis=axis)",
    },
)
def no_keepdims(query, key, value):
    scores = query @ np.swapaxes(key, -1, -2)
    powers = np.exp(scores - np.max(scores, axis=-1))
    weights = powers / np.sum(powers, axis=-1)
    return weights @ value, weights


@exercise.misconception(
    "values-from-keys",
    "The context is a weighted sum of the keys; the values belong there.",
    wrong={"weights @ value": "weights @ key"},
)
def values_from_keys(query, key, value):
    _, weights = attend(query, key, value)
    return weights @ key, weights


@exercise.misconception(
    "scores-returned",
    "The second result holds the raw scores; the weights (after the softmax) are asked for.",
    wrong={"return context, weights": "return context, scores"},
)
def scores_returned(query, key, value):
    context, _ = attend(query, key, value)
    return context, query @ np.swapaxes(key, -1, -2)


@exercise.misconception(
    "results-swapped",
    "The results are swapped: (context, weights) is asked for, in this order.",
    wrong={"return context, weights": "return weights, context"},
)
def results_swapped(query, key, value):
    context, weights = attend(query, key, value)
    return weights, context


@exercise.misconception(
    "weights-missing",
    "Only the context is returned; return (context, weights).",
    wrong={"return context, weights": "return context"},
)
def weights_missing(query, key, value):
    return attend(query, key, value)[0]


@exercise.misconception(
    "keys-beyond-queries-dropped",
    "Keys beyond the number of queries are ignored: the code assumes Tq = Tk.",
    wrong={
        "scores = query @": "key, value = key[..., : query.shape[-2], :], value[..., : query.shape[-2], :]"
        "\n    scores = query @"
    },
)
def keys_beyond_queries_dropped(query, key, value):
    count = query.shape[-2]
    return attend(query, key[..., :count, :], value[..., :count, :])


@exercise.misconception(
    "integer-result",
    "Integer inputs give integer results: the fractions are cut off. Compute integers in float64.",
    wrong={"return context, weights": "return context.astype(value.dtype), weights.astype(value.dtype)"},
)
def integer_result(query, key, value):
    context, weights = attend(query, key, value)
    return context.astype(value.dtype), weights.astype(value.dtype)


exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place. Make new arrays.",
    on=["mutated"],
    wrong={"context = weights @ value": "context = weights @ value\n    value *= 0"},
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 inputs must give float32 results (and float64 gives float64).",
    on=["dtype"],
    wrong={'if scores.dtype.kind != "f":': "if True:"},
)


def draw(rng, lead=(), queries=3, keys=4, width=5, value_width=2, dtype=np.float64):
    """Query, key and value in which every axis has its own length."""
    shapes = ((*lead, queries, width), (*lead, keys, width), (*lead, keys, value_width))
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@exercise.check("two queries, three keys, by hand")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, queries=2, keys=3, width=4, value_width=1)
    submission.expect(NAME, *(np.round(array, 1) for array in arrays))


@exercise.check("a batch")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(6,)))


@exercise.check("a batch in which all sizes are equal")
def square(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(3,), queries=3, keys=3, width=3, value_width=3))


@exercise.check("no leading axis, two of them")
def leading_axes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, width=7))
    submission.expect(NAME, *draw(rng, lead=(2, 6), width=7, keys=5, value_width=8))


@exercise.check("one query, more keys; more queries than keys")
def unequal_lengths(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(6,), queries=1, keys=9))
    submission.expect(NAME, *draw(rng, lead=(6,), queries=7, keys=4, width=3))


@exercise.check("large scores do not overflow")
def large(submission: Submission, rng: np.random.Generator) -> None:
    # Small integers times 100: all scores are exact in float32 too.
    query, key, value = draw(rng, lead=(6,))
    query, key = np.rint(query) * 100 + 2, np.rint(key) * 100 + 2
    submission.expect(NAME, query, key, value)
    submission.expect(NAME, *(array.astype(np.float32) for array in (query, key, value)))


@exercise.check("queries with large scores beside queries with small ones")
def mixed_sizes(submission: Submission, rng: np.random.Generator) -> None:
    query, key, value = draw(rng)
    query = rng.integers(-1, 2, size=query.shape) + np.array([[4000.0], [0.0], [-4000.0]])
    key = np.abs(np.rint(2 * key))
    submission.expect(NAME, query, key, value)
    submission.expect(NAME, *(array.astype(np.float32) for array in (query, key, value)))


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(6,), width=16, dtype=np.float32))
    submission.expect(NAME, *draw(rng, lead=(6,), width=16))
    submission.expect(NAME, *(np.rint(2 * array).astype(np.int64) for array in draw(rng)))


@exercise.check("lengths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(1,), queries=1, keys=1, width=1, value_width=3))
    submission.expect(NAME, *draw(rng, lead=(3, 1), queries=2, keys=1, width=1, value_width=1))


@exercise.check("the same call twice; the inputs stay as they were")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, lead=(6,))
    submission.expect(NAME, *arrays)
    submission.expect(NAME, *arrays)
