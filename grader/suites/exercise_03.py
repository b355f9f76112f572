"""Scaled dot-product attention with a mask."""

from __future__ import annotations

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=3,
    title="Scaled dot-product attention",
    kind="numpy",
    part="Attention from scratch",
    implements=["scaled_dot_product_attention"],
    outputs={"scaled_dot_product_attention": ("context", "weights")},
    lesson="01_softmax_attention#why-the-scores-are-scaled",
    minutes=20,
    difficulty=2,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Write down the three shapes: which axes does the product of query and key sum over, and "
        "which axis of the scores belongs to the keys?",
        "np.swapaxes(key, -1, -2) transposes the last two axes only, however many lead. Divide by "
        "the square root of the query's width, put -inf where the mask is False, then softmax "
        "along the last axis.",
        "scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(width); scores = np.where(mask, "
        "scores, -np.inf); softmax as in exercise 01 (rows of -inf give zeros); "
        "return weights @ value, weights.",
    ],
)
NAME = "scaled_dot_product_attention"
FIRST_WIDTH = 6  # of the first check; no other size of a check equals it
SCALE_LINE = "/ query.dtype.type(np.sqrt(width))"


@exercise.oracle(NAME)
def attend(query, key, value, mask=None):
    """The right answer."""
    return reference.attend(query, key, value, mask, scale=query.shape[-1] ** -0.5)


@exercise.misconception("no-scaling", "The scores are not divided by sqrt(D).", wrong={SCALE_LINE: ""})
def no_scaling(query, key, value, mask=None):
    return reference.attend(query, key, value, mask, scale=1.0)


@exercise.misconception(
    "scaled-by-width",
    "The scores are divided by D; the square root of D is asked for.",
    wrong={SCALE_LINE: "/ width"},
)
def scaled_by_width(query, key, value, mask=None):
    return reference.attend(query, key, value, mask, scale=1 / query.shape[-1])


@exercise.misconception(
    "scaled-by-length",
    "The scores are divided by the square root of the number of keys; the width D (the last axis) "
    "belongs there.",
    wrong={"width = query.shape[-1]": "width = key.shape[-2]"},
)
def scaled_by_length(query, key, value, mask=None):
    return reference.attend(query, key, value, mask, scale=key.shape[-2] ** -0.5)


@exercise.misconception(
    "multiplied-by-scale",
    "The scores are multiplied by sqrt(D); they must be divided by it.",
    wrong={SCALE_LINE: "* query.dtype.type(np.sqrt(width))"},
)
def multiplied_by_scale(query, key, value, mask=None):
    return reference.attend(query, key, value, mask, scale=query.shape[-1] ** 0.5)


@exercise.misconception(
    "scaled-twice",
    "The scores are divided by sqrt(D) twice (or by its square root once more).",
    wrong={"width = query.shape[-1]": "width = query.shape[-1] ** 0.5"},
)
def scaled_twice(query, key, value, mask=None):
    return reference.attend(query, key, value, mask, scale=query.shape[-1] ** -0.25)


@exercise.misconception(
    "scaled-after-softmax",
    "The weights are divided by sqrt(D) after the softmax; divide the scores before it.",
)
def scaled_after_softmax(query, key, value, mask=None):
    _, weights = reference.attend(query, key, value, mask)
    weights = weights / np.sqrt(query.shape[-1])
    return weights @ value, weights


@exercise.misconception(
    "softmax-over-queries",
    "The softmax runs over the queries (axis -2); each query's weights over the keys must sum to 1.",
    wrong={
        "np.max(scores, axis=-1,": "np.max(scores, axis=-2,",
        "np.sum(powers, axis=-1,": "np.sum(powers, axis=-2,",
    },
)
def softmax_over_queries(query, key, value, mask=None):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    weights = reference.softmax(reference.masked(scores, mask), axis=-2)
    return weights @ value, weights


@exercise.misconception(
    "softmax-over-batch",
    "The softmax runs over the first axis (the batch, where there is one).",
    wrong={
        "np.max(scores, axis=-1,": "np.max(scores, axis=0,",
        "np.sum(powers, axis=-1,": "np.sum(powers, axis=0,",
    },
)
def softmax_over_batch(query, key, value, mask=None):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    weights = reference.softmax(reference.masked(scores, mask), axis=0)
    return weights @ value, weights


@exercise.misconception(
    "softmax-over-everything",
    "The softmax runs over the whole array: all weights together sum to 1, not those of each query.",
)
def softmax_over_everything(query, key, value, mask=None):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    scores = reference.masked(scores, mask)
    weights = reference.softmax(scores.reshape(-1)).reshape(scores.shape)
    return weights @ value, weights


@exercise.misconception(
    "full-transpose",
    "key.T reverses all axes; with a batch axis only the last two may be swapped.",
    wrong={"np.swapaxes(key, -1, -2)": "key.T"},
)
def full_transpose(query, key, value, mask=None):
    scores = query @ key.T / np.sqrt(query.shape[-1])
    weights = reference.softmax(reference.masked(scores, mask))
    return weights @ value, weights


@exercise.misconception(
    "mask-inverted",
    "The mask is read the other way round: True means may attend, False means hidden.",
    wrong={"np.where(mask, scores, -np.inf)": "np.where(mask, -np.inf, scores)"},
)
def mask_inverted(query, key, value, mask=None):
    inverted = None if mask is None else ~mask
    return reference.attend(query, key, value, inverted, scale=query.shape[-1] ** -0.5)


@exercise.misconception(
    "mask-ignored",
    "The mask has no effect.",
    wrong={"np.where(mask, scores, -np.inf)": "np.where(mask, scores, scores - 1e-9)"},
)
def mask_ignored(query, key, value, mask=None):
    return reference.attend(query, key, value, None, scale=query.shape[-1] ** -0.5)


@exercise.misconception(
    "mask-after-softmax",
    "The mask is applied to the weights after the softmax, so the rows no longer sum to 1. Put -inf "
    "into the scores before it.",
)
def mask_after_softmax(query, key, value, mask=None):
    _, weights = reference.attend(query, key, value, None, scale=query.shape[-1] ** -0.5)
    weights = weights if mask is None else weights * mask
    return weights @ value, weights


@exercise.misconception(
    "mask-added",
    "The raw mask (0 and 1) is added to the scores: forbidden keys lose 1, not everything.",
    wrong={"np.where(mask, scores, -np.inf)": "scores + mask.astype(scores.dtype)"},
)
def mask_added(query, key, value, mask=None):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    weights = reference.softmax(scores if mask is None else scores + mask)
    return weights @ value, weights


@exercise.misconception(
    "mask-multiplied",
    "The scores are multiplied by the mask: a score of 0 still gets weight. Use -inf.",
    wrong={"np.where(mask, scores, -np.inf)": "scores * mask"},
)
def mask_multiplied(query, key, value, mask=None):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    weights = reference.softmax(scores if mask is None else scores * mask)
    return weights @ value, weights


@exercise.misconception(
    "mask-truth-value",
    "`if mask:` asks for the truth of a whole array and raises. Ask `mask is not None`.",
    wrong={"if mask is not None:": "if mask:"},
)
def mask_truth_value(query, key, value, mask=None):
    chosen = mask if mask else None  # ValueError for an array, as for the learner
    return reference.attend(query, key, value, chosen, scale=query.shape[-1] ** -0.5)


@exercise.misconception(
    "fully-masked-nan",
    "A query that may attend to nothing gives NaN; its weights and its context must be zero.",
    wrong={
        "np.where(np.isneginf(largest), 0, largest)": "largest",
        "np.where(total == 0, 1, total)": "total",
    },
)
def fully_masked_nan(query, key, value, mask=None):
    context, weights = attend(query, key, value, mask)
    empty = np.zeros_like(weights[..., :1], bool)
    if mask is not None:
        allowed = np.broadcast_to(mask, weights.shape)
        empty = ~np.any(allowed, axis=-1, keepdims=True)
    return np.where(empty, np.nan, context), np.where(empty, np.nan, weights)


@exercise.misconception(
    "fully-masked-uniform",
    "A query that may attend to nothing gets equal weights (the effect of a large finite number in "
    "place of -inf); its weights and its context must be zero.",
    wrong={"np.where(mask, scores, -np.inf)": "np.where(mask, scores, scores.dtype.type(-1e9))"},
)
def fully_masked_uniform(query, key, value, mask=None):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -1e9)
    weights = reference.softmax(scores)
    return weights @ value, weights


@exercise.misconception(
    "no-max-subtraction",
    "The softmax overflows: large scores give NaN. Subtract each row's maximum before exp.",
    wrong={"np.exp(scores - largest)": "np.exp(scores)"},
)
def no_max_subtraction(query, key, value, mask=None):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    powers = np.exp(reference.masked(scores, mask))
    total = powers.sum(axis=-1, keepdims=True)
    weights = powers / np.where(total == 0, 1, total)
    return weights @ value, weights


@exercise.misconception(
    "values-from-keys",
    "The context is a weighted sum of the keys; the values belong there.",
    wrong={"weights @ value": "weights @ key"},
)
def values_from_keys(query, key, value, mask=None):
    _, weights = attend(query, key, value, mask)
    return weights @ key, weights


@exercise.misconception(
    "scores-returned",
    "The second result holds the raw scores; the weights (after the softmax) are asked for.",
    wrong={"return context, weights": "return context, scores"},
)
def scores_returned(query, key, value, mask=None):
    context, _ = attend(query, key, value, mask)
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    return context, reference.masked(scores, mask)


@exercise.misconception(
    "results-swapped",
    "The results are swapped: (context, weights) is asked for, in this order.",
    wrong={"return context, weights": "return weights, context"},
)
def results_swapped(query, key, value, mask=None):
    context, weights = attend(query, key, value, mask)
    return weights, context


@exercise.misconception(
    "weights-missing",
    "Only the context is returned; return (context, weights).",
    wrong={"return context, weights": "return context"},
)
def weights_missing(query, key, value, mask=None):
    return attend(query, key, value, mask)[0]


@exercise.misconception(
    "keys-beyond-queries-dropped",
    "Keys beyond the number of queries are ignored: the code assumes Tq = Tk.",
    wrong={
        "width = query.shape[-1]": "width = query.shape[-1]\n"
        "    key, value = key[..., : query.shape[-2], :], value[..., : query.shape[-2], :]\n"
        "    mask = mask if mask is None else mask[..., : query.shape[-2]]"
    },
)
def keys_beyond_queries_dropped(query, key, value, mask=None):
    count = query.shape[-2]
    mask = None if mask is None else mask[..., :count]
    return attend(query, key[..., :count, :], value[..., :count, :], mask)


@exercise.misconception(
    "scale-fixed",
    "The scale does not follow the width: it is hard-coded, or remembered from an earlier call.",
    wrong="""
        _scales = []
        _attend = scaled_dot_product_attention

        def scaled_dot_product_attention(query, key, value, mask=None):
            width = query.shape[-1]
            _scales.append(width)
            factor = query.dtype.type(np.sqrt(width / _scales[0]))
            return _attend(query * factor, key, value, mask)
    """,
)
def scale_fixed(query, key, value, mask=None):
    return reference.attend(query, key, value, mask, scale=FIRST_WIDTH**-0.5)


exercise.behaviour(
    "remembers-mask",
    "The mask of an earlier call is still in force in a call without one.",
    wrong={
        "width = query.shape[-1]": "width = query.shape[-1]\n    global _mask\n"
        "    _mask = mask = globals().get('_mask') if mask is None else mask\n"
        "    try:\n        np.broadcast_to(mask, (*query.shape[:-1], key.shape[-2]))\n"
        "    except Exception:\n        mask = None",
    },
)
exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place. Make new arrays.",
    on=["mutated"],
    wrong={
        "width = query.shape[-1]": "width = query.shape[-1]\n    query -= 0 * query; query[...] *= 2"
        "\n    query = query / 2"
    },
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 inputs must give float32 results (and float64 gives float64).",
    on=["dtype"],
    wrong={'if query.dtype.kind != "f":': "if True:"},
)


def draw(rng, lead=(), queries=3, keys=4, width=5, value_width=2, dtype=np.float64):
    """Query, key and value in which every axis has its own length."""
    shapes = ((*lead, queries, width), (*lead, keys, width), (*lead, keys, value_width))
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


@exercise.check("two queries, three keys, by hand")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, queries=2, keys=3, width=FIRST_WIDTH, value_width=1)
    submission.expect(NAME, *(np.round(array, 1) for array in arrays))


@exercise.check("a batch")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,)))


@exercise.check("one query, more keys; more queries than keys")
def unequal_lengths(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,), queries=1, keys=9))
    submission.expect(NAME, *draw(rng, lead=(2,), queries=7, keys=2, width=3))


@exercise.check("no leading axis, two of them, square sizes")
def leading_axes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, width=7))
    submission.expect(NAME, *draw(rng, lead=(2, 3), width=3, keys=5))
    submission.expect(NAME, *draw(rng, lead=(4,), queries=4, keys=4, width=4, value_width=4))


@exercise.check("a mask")
def with_mask(submission: Submission, rng: np.random.Generator) -> None:
    arrays = [np.round(array, 1) for array in draw(rng, queries=2, keys=3, width=2, value_width=1)]
    submission.expect(NAME, *arrays, mask=np.array([[True, False, True], [True, True, False]]))
    mask = rng.random(size=(3, 4)) < 0.6
    mask[:, 0], mask[0, 1] = True, False
    submission.expect(NAME, *draw(rng), mask=mask)


@exercise.check("masks that broadcast over batch, heads and queries")
def broadcast_masks(submission: Submission, rng: np.random.Generator) -> None:
    padding = np.arange(4) < np.array([3, 2])[:, None]  # (B, Tk)
    submission.expect(NAME, *draw(rng, lead=(2,)), mask=padding[:, None, :])
    submission.expect(NAME, *draw(rng, lead=(2, 3)), mask=padding[:, None, None, :])
    causal = np.tril(np.ones((4, 4), bool))
    submission.expect(NAME, *draw(rng, lead=(2, 3), queries=4), mask=causal)


@exercise.check("a query that may attend to nothing")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    mask = np.array([[True, True, False, True], [False] * 4, [False, True, False, False]])
    submission.expect(NAME, *draw(rng), mask=mask)
    submission.expect(NAME, *draw(rng, lead=(2,), dtype=np.float32), mask=mask)


@exercise.check("large scores do not overflow")
def large(submission: Submission, rng: np.random.Generator) -> None:
    # Width 4 and small integers: all scores are exact in float32 too.
    query, key, value = draw(rng, lead=(2,), width=4)
    query, key = np.rint(query) * 100 + 2, np.rint(key) * 100 + 2
    submission.expect(NAME, query, key, value)
    submission.expect(NAME, *(array.astype(np.float32) for array in (query, key, value)))


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,), width=16, dtype=np.float32))
    submission.expect(NAME, *draw(rng, lead=(2,), width=16))
    submission.expect(NAME, *(np.rint(3 * array).astype(np.int64) for array in draw(rng)))


@exercise.check("one call does not influence the next")
def independent_calls(submission: Submission, rng: np.random.Generator) -> None:
    first = draw(rng, lead=(2,), width=2)
    submission.expect(NAME, *first, mask=np.arange(4) < 2)
    with submission.suspecting("remembers-mask"):
        submission.expect(NAME, *first)
    submission.expect(NAME, *draw(rng, lead=(2,), width=9))


@exercise.check("lengths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(1,), queries=1, keys=1, width=1, value_width=3))
    submission.expect(NAME, *draw(rng, lead=(3, 1), queries=2, keys=1, width=1, value_width=1))
