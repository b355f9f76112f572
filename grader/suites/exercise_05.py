"""Additive (Bahdanau) attention with a mask."""

from __future__ import annotations

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=5,
    title="Additive attention",
    kind="numpy",
    part="Attention from scratch",
    implements=["additive_attention"],
    outputs={"additive_attention": ("context", "weights")},
    lesson="02_score_functions_and_masks#additive-attention",
    minutes=20,
    difficulty=2,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Every query is added to every key: Tq times Tk sums, each a vector of A numbers. Which shape "
        "holds them all, and how does broadcasting make it from (..., Tq, A) and (..., Tk, A)?",
        "Give the projected queries an axis for the keys, (..., Tq, 1, A), and the projected keys one for "
        "the queries, (..., 1, Tk, A). After the tanh the product with v sums the last axis away.",
        "hidden = np.tanh((query @ w_query)[..., :, np.newaxis, :] + (key @ w_key)[..., np.newaxis, "
        ":, :]); scores = hidden @ v; -inf where the mask is False; weights = _softmax(scores); "
        "return weights @ value, weights.",
    ],
)
NAME = "additive_attention"
SCORES = "np.tanh(queries + keys) @ v"
MASKED = "np.where(mask, scores, -np.inf)"
SOFTMAX = "weights = _softmax(scores)"


def hidden(query, key, w_query, w_key):
    """What goes into the tanh, (..., Tq, Tk, A)."""
    queries = np.einsum("...qd,da->...qa", query, w_query)
    keys = np.einsum("...kd,da->...ka", key, w_key)
    return np.expand_dims(queries, -2) + np.expand_dims(keys, -3)


def raw(query, key, w_query, w_key, v):
    """The right scores before the mask."""
    return np.sum(np.tanh(hidden(query, key, w_query, w_key)) * v, axis=-1)


def mix(weights, value):
    """Context and weights from weights."""
    return weights @ value, weights


def finish(scores, value, mask=None, axis=-1):
    """Context and weights from scores."""
    return mix(reference.softmax(reference.masked(scores, mask), axis), value)


def divide(powers):
    """Powers over their sum along the keys, zeros where it is 0."""
    total = powers.sum(axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


def full_mask(scores, mask):
    """The mask, which must have the scores' shape as an index must (IndexError)."""
    scores[~mask]
    return mask


def any_allowed(scores, mask):
    """Which queries may attend to anything, (..., Tq, 1)."""
    allowed = np.broadcast_to(True if mask is None else mask, scores.shape)
    return allowed.any(axis=-1, keepdims=True)


@exercise.oracle(NAME)
def attend(query, key, value, w_query, w_key, v, mask=None):
    """The right answer."""
    return finish(raw(query, key, w_query, w_key, v), value, mask)


def mistake(id, explanation, wrong, scores):
    """Register a misconception about the scores: scores(query, key, w_query, w_key, v)."""

    def mistaken(query, key, value, w_query, w_key, v, mask=None):
        return finish(scores(query, key, w_query, w_key, v), value, mask)

    exercise.misconception(id, explanation, wrong=wrong)(mistaken)


def late(id, explanation, wrong, result):
    """Register a misconception about what follows the scores: result(scores, value, mask, key)."""

    def mistaken(query, key, value, w_query, w_key, v, mask=None):
        return result(raw(query, key, w_query, w_key, v), value, mask, key)

    exercise.misconception(id, explanation, wrong=wrong)(mistaken)


mistake(
    "no-tanh",
    "The tanh is missing: v . (query w_query + key w_key). The query then shifts all scores of its row "
    "alike and has no effect at all.",
    {SCORES: "(queries + keys) @ v"},
    lambda query, key, w_query, w_key, v: hidden(query, key, w_query, w_key) @ v,
)
mistake(
    "tanh-after-v",
    "The tanh is taken of the finished score. It belongs inside: v . tanh(...).",
    {SCORES: "np.tanh((queries + keys) @ v)"},
    lambda query, key, w_query, w_key, v: np.tanh(hidden(query, key, w_query, w_key) @ v),
)
mistake(
    "tanh-before-sum",
    "Query and key go through tanh one by one; add them first, then take the tanh of the sum.",
    {SCORES: "(np.tanh(queries) + np.tanh(keys)) @ v"},
    lambda query, key, w_query, w_key, v: (
        (np.tanh(query @ w_query)[..., :, None, :] + np.tanh(key @ w_key)[..., None, :, :]) @ v
    ),
)
mistake(
    "sigmoid-for-tanh",
    "A sigmoid is used in the place of tanh.",
    {SCORES: "(1 / (1 + np.exp(-np.clip(queries + keys, -80, 80)))) @ v"},
    lambda query, key, w_query, w_key, v: (
        (1 / (1 + np.exp(-np.clip(hidden(query, key, w_query, w_key), -80, 80)))) @ v
    ),
)
mistake(
    "relu-for-tanh",
    "A ReLU is used in the place of tanh.",
    {SCORES: "np.maximum(queries + keys, 0) @ v"},
    lambda query, key, w_query, w_key, v: np.maximum(hidden(query, key, w_query, w_key), 0) @ v,
)
mistake(
    "v-ignored",
    "The hidden units are summed without v; v weighs them.",
    {SCORES: "np.tanh(queries + keys).sum(axis=-1)"},
    lambda query, key, w_query, w_key, v: np.tanh(hidden(query, key, w_query, w_key)).sum(axis=-1),
)
mistake(
    "product-for-sum",
    "The projected query and key are multiplied; additive attention adds them.",
    {SCORES: "np.tanh(queries * keys) @ v"},
    lambda query, key, w_query, w_key, v: (
        np.tanh((query @ w_query)[..., :, None, :] * (key @ w_key)[..., None, :, :]) @ v
    ),
)
mistake(
    "difference-for-sum",
    "The projected key is subtracted from the query; additive attention adds them.",
    {SCORES: "np.tanh(queries - keys) @ v"},
    lambda query, key, w_query, w_key, v: raw(query, -key, w_query, w_key, v),
)
mistake(
    "no-pairs",
    "Query i is added to key i only, which needs Tq = Tk and broadcasts to the wrong pairs. Every query "
    "meets every key: give the queries an axis for the keys, and the keys one for the queries.",
    {"[..., :, np.newaxis, :]": "", "[..., np.newaxis, :, :]": ""},
    lambda query, key, w_query, w_key, v: np.tanh(query @ w_query + key @ w_key) @ v,
)
mistake(
    "one-batch-axis-only",
    "The code works with exactly one leading axis (expand_dims at a fixed place); none or many must work. "
    "Count axes from the end: [..., :, np.newaxis, :] and [..., np.newaxis, :, :].",
    {
        "(query @ w_query)[..., :, np.newaxis, :]": "np.expand_dims(query @ w_query, 2)",
        "(key @ w_key)[..., np.newaxis, :, :]": "np.expand_dims(key @ w_key, 1)",
    },
    lambda query, key, w_query, w_key, v: (
        np.tanh(np.expand_dims(query @ w_query, 2) + np.expand_dims(key @ w_key, 1)) @ v
    ),
)
mistake(
    "scores-transposed",
    "The new axes are the wrong way round: the scores come out as (..., Tk, Tq). Queries are rows: "
    "(..., Tq, 1, A) + (..., 1, Tk, A).",
    {
        "[..., :, np.newaxis, :]": "[..., np.newaxis, :, :]",
        "[..., np.newaxis, :, :]  # (..., 1": "[..., :, np.newaxis, :]  # (..., 1",
    },
    lambda query, key, w_query, w_key, v: np.swapaxes(raw(query, key, w_query, w_key, v), -1, -2),
)
mistake(
    "w-transposed",
    "w_query and w_key are transposed (w x in the place of x w). Vectors are rows here: query @ w_query.",
    {"query @ w_query": "query @ w_query.T", "key @ w_key": "key @ w_key.T"},
    lambda query, key, w_query, w_key, v: raw(query, key, w_query.T, w_key.T, v),
)
mistake(
    "w-swapped",
    "w_query and w_key are swapped: each belongs to its own input.",
    {"query @ w_query": "query @ w_key", "key @ w_key": "key @ w_query"},
    lambda query, key, w_query, w_key, v: raw(query, key, w_key, w_query, v),
)
mistake(
    "one-projection",
    "Query and key share one projection; w_query is for the query, w_key for the key.",
    {"key @ w_key": "key @ w_query"},
    lambda query, key, w_query, w_key, v: raw(query, key, w_query, w_query, v),
)
mistake(
    "scaled",
    "The scores are divided by the square root of a width. Additive attention does not scale.",
    {SCORES: "np.tanh(queries + keys) @ v / np.sqrt(v.size).astype(queries.dtype)"},
    lambda query, key, w_query, w_key, v: raw(query, key, w_query, w_key, v) / np.sqrt(v.size),
)
mistake(
    "scaled-by-query-width",
    "The scores are divided by the square root of the query's width. Additive attention does not scale.",
    {SCORES: "np.tanh(queries + keys) @ v / np.sqrt(query.shape[-1]).astype(queries.dtype)"},
    lambda query, key, w_query, w_key, v: raw(query, key, w_query, w_key, v) / np.sqrt(query.shape[-1]),
)
mistake(
    "mean-over-units",
    "The hidden units are averaged; v . tanh(...) is their sum, weighed by v.",
    {SCORES: "np.tanh(queries + keys) @ v / v.size"},
    lambda query, key, w_query, w_key, v: raw(query, key, w_query, w_key, v) / v.size,
)
late(
    "softmax-over-queries",
    "The softmax runs over the queries (axis -2); each query's weights over the keys must sum to 1.",
    {SOFTMAX: "weights = _softmax(scores, axis=-2)"},
    lambda scores, value, mask, key: finish(scores, value, mask, axis=-2),
)
late(
    "softmax-over-batch",
    "The softmax runs over the first axis (the batch, where there is one); each query's weights over "
    "the keys (the last axis) must sum to 1.",
    {SOFTMAX: "weights = _softmax(scores, axis=0)"},
    lambda scores, value, mask, key: finish(scores, value, mask, axis=0),
)
late(
    "softmax-over-everything",
    "The softmax runs over the whole array: all weights together sum to 1, not those of each query.",
    {SOFTMAX: "weights = _softmax(scores, axis=None)"},
    lambda scores, value, mask, key: mix(
        reference.softmax(reference.masked(scores, mask).reshape(-1)).reshape(scores.shape), value
    ),
)
late(
    "no-max-subtraction",
    "The softmax overflows: large scores give NaN. Subtract each row's maximum before exp.",
    {"np.exp(scores - np.where(np.isneginf(largest), 0, largest))": "np.exp(scores)"},
    lambda scores, value, mask, key: mix(divide(np.exp(reference.masked(scores, mask))), value),
)
late(
    "mask-inverted",
    "The mask is read the other way round: True means may attend, False means hidden.",
    {MASKED: "np.where(mask, -np.inf, scores)"},
    lambda scores, value, mask, key: finish(scores, value, None if mask is None else ~mask),
)
late(
    "mask-ignored",
    "The mask has no effect.",
    {MASKED: "np.where(mask, scores, scores - 1e-9)"},
    lambda scores, value, mask, key: finish(scores, value),
)
late(
    "mask-added",
    "The raw mask (0 and 1) is added to the scores: forbidden keys lose 1, not everything.",
    {MASKED: "scores + mask.astype(scores.dtype)"},
    lambda scores, value, mask, key: finish(scores if mask is None else scores + mask, value),
)
late(
    "mask-multiplied",
    "The scores are multiplied by the mask: a score of 0 still gets weight. Use -inf.",
    {MASKED: "scores * mask"},
    lambda scores, value, mask, key: finish(scores if mask is None else scores * mask, value),
)
late(
    "mask-after-softmax",
    "The mask is applied to the weights after the softmax, so the rows no longer sum to 1. Put -inf into "
    "the scores before it.",
    {
        "if mask is not None:\n        scores = np.where(mask, scores, -np.inf)": "pass",
        SOFTMAX: "weights = _softmax(scores) * (1 if mask is None else mask)",
    },
    lambda scores, value, mask, key: mix(reference.softmax(scores) * (1 if mask is None else mask), value),
)
late(
    "mask-truth-value",
    "`if mask:` asks for the truth of a whole array and raises. Ask `mask is not None`.",
    {"if mask is not None:": "if mask:"},
    lambda scores, value, mask, key: finish(scores, value, mask if mask else None),
)
late(
    "mask-not-broadcast",
    "scores[~mask] needs a mask of the scores' own shape. A mask broadcasts: "
    "np.where(mask, scores, -np.inf).",
    {"scores = np.where(mask, scores, -np.inf)": "scores[~mask] = -np.inf"},
    lambda scores, value, mask, key: finish(
        scores, value, None if mask is None else full_mask(scores, mask)
    ),
)


@exercise.misconception(
    "mask-parameter-missing",
    "The function has no parameter `mask`: keep the signature of the exercise, mask=None at its end.",
    wrong={"w_key, v, mask=None):": "w_key, v):\n    mask = None"},
)
def mask_parameter_missing(query, key, value, w_query, w_key, v):
    return attend(query, key, value, w_query, w_key, v)


late(
    "fully-masked-nan",
    "A query that may attend to nothing gives NaN; its weights and its context must be zero.",
    {"np.where(np.isneginf(largest), 0, largest)": "largest", "np.where(total == 0, 1, total)": "total"},
    lambda scores, value, mask, key: tuple(
        np.where(any_allowed(scores, mask), array, np.nan) for array in finish(scores, value, mask)
    ),
)
late(
    "fully-masked-uniform",
    "A query that may attend to nothing gets equal weights (the effect of a large finite number in place "
    "of -inf); its weights and its context must be zero.",
    {MASKED: "np.where(mask, scores, scores.dtype.type(-1e9))"},
    lambda scores, value, mask, key: finish(
        scores if mask is None else np.where(mask, scores, -1e9), value
    ),
)
late(
    "values-from-keys",
    "The context is a weighted sum of the keys; the values belong there.",
    {"weights @ value": "weights @ key"},
    lambda scores, value, mask, key: finish(scores, key, mask),
)
late(
    "scores-returned",
    "The second result holds the raw scores; the weights (after the softmax) are asked for.",
    {"return context, weights": "return context, scores"},
    lambda scores, value, mask, key: (finish(scores, value, mask)[0], reference.masked(scores, mask)),
)
late(
    "results-swapped",
    "The results are swapped: (context, weights) is asked for, in this order.",
    {"return context, weights": "return weights, context"},
    lambda scores, value, mask, key: finish(scores, value, mask)[::-1],
)
late(
    "weights-missing",
    "Only the context is returned; return (context, weights).",
    {"return context, weights": "return context"},
    lambda scores, value, mask, key: finish(scores, value, mask)[0],
)
exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place. Make new arrays.",
    on=["mutated"],
    wrong={"context = weights @ value": "context = weights @ value\n    v *= 0"},
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 inputs must give float32 results (and float64 gives float64).",
    on=["dtype"],
    wrong={"weights = _softmax(scores)": "weights = _softmax(scores.astype(np.float64))"},
)


def draw(rng, lead=(), sizes=(3, 4, 5, 6, 2), units=7, dtype=np.float64):
    """All arguments but the mask; sizes are Tq, Tk, Dq, Dk, Dv, and every axis has its own length."""
    queries, keys, query_width, key_width, value_width = sizes
    shapes = [(*lead, queries, query_width), (*lead, keys, key_width), (*lead, keys, value_width)]
    shapes += [(query_width, units), (key_width, units), (units,)]
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@exercise.check("two queries, three keys, by hand")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *(np.round(array, 1) for array in draw(rng, sizes=(2, 3, 4, 5, 1), units=6)))


@exercise.check("queries and keys of one width, as many units")
def square_weights(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *(np.round(array, 1) for array in draw(rng, sizes=(2, 3, 4, 4, 1), units=4)))


@exercise.check("a batch")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(8,)))


@exercise.check("a batch in which all sizes are equal")
def square(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(3,), sizes=(3, 3, 3, 3, 3), units=3))


@exercise.check("no leading axis, two of them")
def leading_axes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng))
    submission.expect(NAME, *draw(rng, lead=(2, 8), sizes=(3, 4, 5, 6, 9)))


@exercise.check("one query, more keys; more queries than keys")
def unequal_lengths(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(8,), sizes=(1, 9, 5, 6, 2)))
    submission.expect(NAME, *draw(rng, lead=(8,), sizes=(9, 4, 5, 6, 2)))


@exercise.check("a mask")
def with_mask(submission: Submission, rng: np.random.Generator) -> None:
    arrays = [np.round(array, 1) for array in draw(rng, sizes=(2, 3, 4, 5, 1), units=6)]
    submission.expect(NAME, *arrays, mask=np.array([[True, False, True], [True, True, False]]))
    mask = rng.random(size=(3, 4)) < 0.6
    mask[:, 0], mask[0, 1] = True, False
    submission.expect(NAME, *draw(rng), mask=mask)


@exercise.check("masks that broadcast over batch, heads and queries")
def broadcast_masks(submission: Submission, rng: np.random.Generator) -> None:
    padding = np.arange(4) < np.array([3, 2])[:, None]  # (B, Tk)
    submission.expect(NAME, *draw(rng, lead=(2,)), mask=padding[:, None, :])
    submission.expect(NAME, *draw(rng, lead=(2, 8)), mask=padding[:, None, None, :])
    submission.expect(NAME, *draw(rng, lead=(2,)), mask=padding[0])


@exercise.check("a query that may attend to nothing")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    mask = np.array([[True, True, False, True], [False] * 4, [False, True, False, False]])
    submission.expect(NAME, *draw(rng), mask=mask)
    submission.expect(NAME, *draw(rng, lead=(8,), dtype=np.float32), mask=mask)


@exercise.check("large scores do not overflow")
def large(submission: Submission, rng: np.random.Generator) -> None:
    # Sums are 0 or beyond 30, where tanh is exactly 1, and v is whole: exact in float32 too.
    query, key, value, w_query, w_key, _ = draw(rng, lead=(8,))
    query, key, w_query, w_key = (np.rint(2 * array) for array in (query, key, 40 * w_query, 40 * w_key))
    v = np.array([4000.0, -3000.0, 2001.0, 999.0, 1.0, -1.0, 5000.0])
    arrays = [query, key, value, w_query - w_query % 64, w_key - w_key % 64, v]
    submission.expect(NAME, *arrays)
    submission.expect(NAME, *(array.astype(np.float32) for array in arrays))


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(8,), units=16, dtype=np.float32))
    submission.expect(NAME, *draw(rng, lead=(8,), units=16))
    submission.expect(NAME, *(np.rint(2 * array).astype(np.int64) for array in draw(rng)))


@exercise.check("lengths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(1,), sizes=(1, 1, 1, 2, 3), units=1), mask=None)
    submission.expect(NAME, *draw(rng, lead=(3, 1), sizes=(2, 1, 1, 1, 1), units=1))


@exercise.check("the same call twice; the inputs stay as they were")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, lead=(8,))
    submission.expect(NAME, *arrays, mask=np.arange(4) < 2)
    submission.expect(NAME, *arrays)
    submission.expect(NAME, *arrays)
