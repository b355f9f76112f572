"""Cross-attention: queries from one sequence, keys and values from another."""

from __future__ import annotations

import functools

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import Submission, describe_problem

exercise = Exercise(
    number=8,
    title="Cross-attention",
    kind="numpy",
    part="Attention from scratch",
    implements=["cross_attention"],
    outputs={"cross_attention": ("output", "weights")},
    lesson="03_self_and_cross_attention#cross-attention",
    minutes=20,
    difficulty=2,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Who asks, and who is asked? The output has as many positions as x; the weights of each sum to 1 "
        "over the positions of the memory.",
        "Only w_query meets x; w_key and w_value both meet the memory. After the three projections it is "
        "exercise 03, with the width Dk under the root. w_output comes last.",
        "query = x @ w_query; key = memory @ w_key; value = memory @ w_value; scores = query @ "
        "np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1]); -inf where the mask is False; softmax over "
        "the last axis; return weights @ value @ w_output, weights.",
    ],
)
NAME = "cross_attention"
SCALE = "/ query.dtype.type(np.sqrt(width))"
ROOT = "np.sqrt(width)"
HIDE = "np.where(mask, scores, -np.inf)"
RETURN = "return context @ w_output, weights"


def run(
    x,
    memory,
    w_query,
    w_key,
    w_value,
    w_output,
    mask=None,
    *,
    factor=None,
    values=None,
    hide=reference.masked,
    softmax=reference.softmax,
):
    """The oracle, with parts that a misconception replaces."""
    query, key = x @ w_query, memory @ w_key
    value = memory @ w_value if values is None else values
    scores = np.einsum("...qd,...kd->...qk", query, key)
    weights = softmax(hide(scores * (query.shape[-1] ** -0.5 if factor is None else factor), mask))
    return np.einsum("...qk,...kv,vo->...qo", weights, value, w_output), weights


@exercise.oracle(NAME)
def attend(x, memory, w_query, w_key, w_value, w_output, mask=None):
    """The right answer."""
    return run(x, memory, w_query, w_key, w_value, w_output, mask)


# Who attends to whom


@exercise.misconception(
    "roles-exchanged",
    "The roles are exchanged: the memory asks and x is asked. Queries come from x, keys and values from "
    "the memory.",
    wrong={"query = x @": "x, memory = memory, x\n    query = x @"},
)
def roles_exchanged(x, memory, *args, mask=None):
    return run(memory, x, *args, mask=mask)


@exercise.misconception(
    "self-attention",
    "This is self-attention: keys and values are projected from x. They come from the memory.",
    wrong={"memory @ w_key": "x @ w_key", "memory @ w_value": "x @ w_value"},
)
def self_attention(x, memory, *args, mask=None):
    return run(x, x, *args, mask=mask)


@exercise.misconception(
    "values-from-x",
    "The values are projected from x; keys and values both come from the memory.",
    wrong={"memory @ w_value": "x @ w_value"},
)
def values_from_x(x, memory, w_query, w_key, w_value, w_output, mask=None):
    return run(x, memory, w_query, w_key, w_value, w_output, mask, values=x @ w_value)


@exercise.misconception(
    "values-from-keys",
    "The output is made from the keys; the values (memory @ w_value) belong there.",
    wrong={"weights @ value": "weights @ key"},
)
def values_from_keys(x, memory, w_query, w_key, w_value, w_output, mask=None):
    return run(x, memory, w_query, w_key, w_value, w_output, mask, values=memory @ w_key)


@exercise.misconception(
    "values-not-projected",
    "The output is made from the memory itself; w_value projects it first.",
    wrong={"memory @ w_value": "memory"},
)
def values_not_projected(x, memory, *args, mask=None):
    return run(x, memory, *args, mask=mask, values=memory)


@exercise.misconception(
    "same-projection",
    "One projection is used for queries, keys and values. Each has its own matrix.",
    wrong={"memory @ w_key": "memory @ w_query", "memory @ w_value": "memory @ w_query"},
)
def same_projection(x, memory, w_query, w_key, w_value, w_output, mask=None):
    return run(x, memory, w_query, w_query, w_query, w_output, mask)


@exercise.misconception(
    "weights-transposed",
    "The projections multiply by the transposed matrices (as torch.nn.Linear stores them). Here w is "
    "(inputs, outputs): x @ w.",
    wrong={
        "x @ w_query": "x @ w_query.T",
        "memory @ w_key": "memory @ w_key.T",
        "memory @ w_value": "memory @ w_value.T",
        "context @ w_output": "context @ w_output.T",
    },
)
def weights_transposed(x, memory, w_query, w_key, w_value, w_output, mask=None):
    return run(x, memory, w_query.T, w_key.T, w_value.T, w_output.T, mask)


@exercise.misconception(
    "no-output-projection",
    "The context is returned without w_output, the last projection.",
    wrong={RETURN: "return context, weights"},
)
def no_output_projection(x, memory, w_query, w_key, w_value, w_output, mask=None):
    return run(x, memory, w_query, w_key, w_value, np.eye(len(w_output)), mask)


@exercise.misconception(
    "residual-added",
    "x is added to the output where the widths allow it. The residual connection belongs to the "
    "Transformer's layer, not to the attention.",
    wrong={
        RETURN: "output = context @ w_output\n    if output.shape == x.shape:\n"
        "        output = output + x\n"
        "    return output, weights"
    },
)
def residual_added(x, *args, mask=None):
    output, weights = run(x, *args, mask=mask)
    return (output + x if output.shape == x.shape else output), weights


@exercise.misconception(
    "memory-cut",
    "Memory beyond the length of x is ignored: the code assumes Tq = Tk.",
    wrong={
        "query = x @": "memory = memory[..., : x.shape[-2], :]\n"
        "    mask = mask if mask is None else mask[..., : x.shape[-2]]\n    query = x @"
    },
)
def memory_cut(x, memory, *args, mask=None):
    count = x.shape[-2]
    return run(x, memory[..., :count, :], *args, mask=None if mask is None else mask[..., :count])


@exercise.misconception(
    "causal",
    "A causal mask is applied. In cross-attention every query may look at all of the memory.",
    wrong={
        "if mask is not None:": "scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, "
        "-np.inf)\n    if mask is not None:"
    },
)
def causal(*args, mask=None):
    def hide(scores, mask):
        return reference.masked(reference.masked(scores, np.tril(np.ones(scores.shape[-2:], bool))), mask)

    return run(*args, mask=mask, hide=hide)


# Scale


@exercise.misconception("no-scaling", "The scores are not divided by sqrt(Dk).", wrong={SCALE: ""})
def no_scaling(*args, mask=None):
    return run(*args, mask=mask, factor=1.0)


@exercise.misconception(
    "scaled-by-width",
    "The scores are divided by Dk; its square root is asked for.",
    wrong={SCALE: "/ width"},
)
def scaled_by_width(*args, mask=None):
    return run(*args, mask=mask, factor=1 / args[2].shape[-1])


@exercise.misconception(
    "scaled-by-input-width",
    "The scores are divided by sqrt(D), the width of x before the projection. What is multiplied is "
    "Dk wide.",
    wrong={ROOT: "np.sqrt(x.shape[-1])"},
)
def scaled_by_input_width(*args, mask=None):
    return run(*args, mask=mask, factor=args[0].shape[-1] ** -0.5)


@exercise.misconception(
    "scaled-by-memory-width",
    "The scores are divided by sqrt(Dm), the width of the memory before the projection. What is multiplied "
    "is Dk wide.",
    wrong={ROOT: "np.sqrt(memory.shape[-1])"},
)
def scaled_by_memory_width(*args, mask=None):
    return run(*args, mask=mask, factor=args[1].shape[-1] ** -0.5)


@exercise.misconception(
    "scaled-by-value-width",
    "The scores are divided by sqrt(Dv), the width of the values; the width Dk of queries and keys belongs "
    "there.",
    wrong={ROOT: "np.sqrt(value.shape[-1])"},
)
def scaled_by_value_width(*args, mask=None):
    return run(*args, mask=mask, factor=args[4].shape[-1] ** -0.5)


@exercise.misconception(
    "scaled-by-length",
    "The scores are divided by the square root of the number of keys; the width Dk belongs there.",
    wrong={ROOT: "np.sqrt(key.shape[-2])"},
)
def scaled_by_length(*args, mask=None):
    return run(*args, mask=mask, factor=args[1].shape[-2] ** -0.5)


@exercise.misconception(
    "scaled-twice",
    "The scores are divided by the fourth root of Dk (the root is taken twice); divide by sqrt(Dk).",
    wrong={ROOT: "np.sqrt(np.sqrt(width))"},
)
def scaled_twice(*args, mask=None):
    return run(*args, mask=mask, factor=args[2].shape[-1] ** -0.25)


@exercise.misconception(
    "multiplied-by-scale",
    "The scores are multiplied by sqrt(Dk); they must be divided by it.",
    wrong={SCALE: "* query.dtype.type(np.sqrt(width))"},
)
def multiplied_by_scale(*args, mask=None):
    return run(*args, mask=mask, factor=args[2].shape[-1] ** 0.5)


# Softmax


@exercise.misconception(
    "softmax-over-queries",
    "The softmax runs over the queries (axis -2); each query's weights over the keys must sum to 1.",
    wrong={"np.max(scores, axis=-1,": "np.max(scores, axis=-2,", "(powers, axis=-1,": "(powers, axis=-2,"},
)
def softmax_over_queries(*args, mask=None):
    return run(*args, mask=mask, softmax=functools.partial(reference.softmax, axis=-2))


@exercise.misconception(
    "softmax-over-axis-1",
    "The softmax runs over axis 1, which is the keys only without a batch. The keys are the last axis: -1.",
    wrong={"np.max(scores, axis=-1,": "np.max(scores, axis=1,", "(powers, axis=-1,": "(powers, axis=1,"},
)
def softmax_over_axis_1(*args, mask=None):
    return run(*args, mask=mask, softmax=functools.partial(reference.softmax, axis=1))


@exercise.misconception(
    "softmax-over-batch",
    "The softmax runs over the first axis (the batch, where there is one).",
    wrong={"np.max(scores, axis=-1,": "np.max(scores, axis=0,", "(powers, axis=-1,": "(powers, axis=0,"},
)
def softmax_over_batch(*args, mask=None):
    return run(*args, mask=mask, softmax=functools.partial(reference.softmax, axis=0))


@exercise.misconception(
    "softmax-over-everything",
    "The softmax runs over the whole array: all weights together sum to 1, not those of each query.",
    wrong={
        "weights = _softmax(scores)": "weights = _softmax(scores.reshape(-1)).reshape(scores.shape)",
    },
)
def softmax_over_everything(*args, mask=None):
    def softmax(scores):
        return reference.softmax(scores.reshape(-1)).reshape(scores.shape)

    return run(*args, mask=mask, softmax=softmax)


@exercise.misconception(
    "no-max-subtraction",
    "The softmax overflows: large scores give NaN. Subtract each row's maximum before exp.",
    wrong={"np.exp(scores - np.where(np.isneginf(largest), 0, largest))": "np.exp(scores)"},
)
def no_max_subtraction(*args, mask=None):
    def softmax(scores):
        powers = np.exp(scores)
        total = powers.sum(axis=-1, keepdims=True)
        return powers / np.where(total == 0, 1, total)

    return run(*args, mask=mask, softmax=softmax)


@exercise.misconception(
    "full-transpose",
    "key.T reverses all axes; with a batch axis only the last two may be swapped.",
    wrong={"np.swapaxes(key, -1, -2)": "key.T"},
)
def full_transpose(x, memory, w_query, w_key, w_value, w_output, mask=None):
    scores = x @ w_query @ (memory @ w_key).T / np.sqrt(w_query.shape[-1])
    weights = reference.softmax(reference.masked(scores, mask))
    return weights @ (memory @ w_value) @ w_output, weights


# Masks


@exercise.misconception(
    "mask-inverted",
    "The mask is read the other way round: True means may attend, False means hidden.",
    wrong={HIDE: "np.where(mask, -np.inf, scores)"},
)
def mask_inverted(*args, mask=None):
    return run(*args, mask=None if mask is None else ~mask)


@exercise.misconception("mask-ignored", "The mask has no effect.", wrong={HIDE: "scores"})
def mask_ignored(*args, mask=None):
    return run(*args)


@exercise.misconception(
    "mask-added",
    "The raw mask (0 and 1) is added to the scores: forbidden keys lose 1, not everything.",
    wrong={HIDE: "scores + mask.astype(scores.dtype)"},
)
def mask_added(*args, mask=None):
    return run(*args, mask=mask, hide=lambda scores, m: scores if m is None else scores + m)


@exercise.misconception(
    "mask-multiplied",
    "The scores are multiplied by the mask: a score of 0 still gets weight. Use -inf.",
    wrong={HIDE: "scores * mask"},
)
def mask_multiplied(*args, mask=None):
    return run(*args, mask=mask, hide=lambda scores, m: scores if m is None else scores * m)


@exercise.misconception(
    "mask-after-softmax",
    "The mask is applied to the weights after the softmax, so the rows no longer sum to 1. Put -inf into "
    "the scores before it.",
    wrong={
        HIDE: "scores",
        "weights = _softmax(scores)": "weights = _softmax(scores) * (mask is None or mask)",
    },
)
def mask_after_softmax(*args, mask=None):
    keep = 1 if mask is None else mask
    return run(*args, softmax=lambda scores: reference.softmax(scores) * keep)


@exercise.misconception(
    "fully-masked-nan",
    "A query that may attend to nothing gives NaN; its weights and its output must be zero.",
    wrong={
        "np.where(np.isneginf(largest), 0, largest)": "largest",
        "np.where(total == 0, 1, total)": "total",
    },
)
def fully_masked_nan(*args, mask=None):
    def softmax(scores):
        empty = np.all(np.isneginf(scores), axis=-1, keepdims=True)
        return np.where(empty, np.nan, reference.softmax(scores))

    return run(*args, mask=mask, softmax=softmax)


@exercise.misconception(
    "fully-masked-uniform",
    "A query that may attend to nothing gets equal weights (the effect of a large finite number in place "
    "of -inf); its weights and its output must be zero.",
    wrong={HIDE: "np.where(mask, scores, scores.dtype.type(-1e9))"},
)
def fully_masked_uniform(*args, mask=None):
    return run(*args, mask=mask, hide=lambda scores, m: np.maximum(reference.masked(scores, m), -1e9))


# What is returned


@exercise.misconception(
    "scores-returned",
    "The second result holds the scores; the weights (after the softmax) are asked for.",
    wrong={RETURN: "return context @ w_output, scores"},
)
def scores_returned(*args, mask=None):
    _, scores = run(*args, mask=mask, softmax=lambda scores: scores)
    return run(*args, mask=mask)[0], scores


@exercise.misconception(
    "results-swapped",
    "The results are swapped: (output, weights) is asked for, in this order.",
    wrong={RETURN: "return weights, context @ w_output"},
)
def results_swapped(*args, mask=None):
    return run(*args, mask=mask)[::-1]


@exercise.misconception(
    "weights-missing",
    "Only the output is returned; return (output, weights).",
    wrong={RETURN: "return context @ w_output"},
)
def weights_missing(*args, mask=None):
    return run(*args, mask=mask)[0]


exercise.behaviour(
    "mask-truth-value",
    "`if mask:` asks for the truth of a whole array and raises. Ask `mask is not None`.",
    wrong={"if mask is not None:": "if mask:"},
)
exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place. Make new arrays.",
    on=["mutated"],
    wrong={"query = x @": "memory += 1\n    memory = memory - 1\n    query = x @"},
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 inputs must give float32 results (and float64 gives float64).",
    on=["dtype"],
    wrong={'if x.dtype.kind != "f":': "if True:"},
)
exercise.behaviour(
    "remembers-memory",
    "The keys and values of an earlier call are used again. Every call has its own memory.",
    wrong={
        "query = x @": "global _memory\n    if globals().get('_memory') is None or "
        "_memory.shape != memory.shape:\n        _memory = memory\n    memory = _memory\n    query = x @"
    },
)


def draw(rng, lead=(), queries=3, keys=4, inputs=(5, 6), width=7, values=8, outputs=9, dtype=np.float64):
    """The six arrays of a call, in which every axis has its own length."""
    arrays = [rng.normal(size=(*lead, queries, inputs[0])), rng.normal(size=(*lead, keys, inputs[1]))]
    shapes = ((inputs[0], width), (inputs[1], width), (inputs[1], values), (values, outputs))
    arrays += [rng.normal(size=shape) / np.sqrt(shape[0]) for shape in shapes]
    return [array.astype(dtype) for array in arrays]


def draw_large(rng):
    """Scores of many thousands that float32 holds exactly; in each row one is the largest by far."""
    while True:
        arrays = draw(rng, lead=(2,), width=16)
        arrays[:4] = [np.rint(4 * array) + 0.0 for array in arrays[:4]]
        arrays[0] *= 128
        _, scores = run(*arrays, softmax=np.sort)
        if np.all(scores[..., -1] - scores[..., -2] > 30):
            return arrays


def expect_masked(submission, args, mask):
    """Like `submission.expect`; tells what a mask's truth value raises from what else may raise."""
    problem = submission.request("call", name=NAME, args=args, kwargs={"mask": mask}).problem
    if problem is not None and "truth value of an array" in problem.message:
        submission.fail(describe_problem(problem), "mask-truth-value")
    submission.expect(NAME, *args, mask=mask)


def random_mask(rng, *shape):
    """A mask in which every row allows one key at least and forbids one at least."""
    mask = rng.random(size=shape) < 0.5
    mask[..., 0], mask[..., 1] = True, False
    return rng.permuted(mask, axis=-1)


@exercise.check("two queries, three keys")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, queries=2, keys=3, inputs=(4, 5), width=6, values=7, outputs=1)
    submission.expect(NAME, *(np.round(array, 1) for array in arrays))


@exercise.check("a batch")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,)))


@exercise.check("x and memory of one shape, of one width")
def square(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,), keys=3, inputs=(5, 5), width=5, values=5, outputs=5))
    submission.expect(NAME, *draw(rng, lead=(2,), inputs=(5, 5), width=6, values=6, outputs=5))
    submission.expect(NAME, *draw(rng, queries=4, inputs=(5, 5), width=7, values=5))


@exercise.check("one query, more keys; more queries than keys; no leading axis, two of them")
def shapes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,), queries=1, keys=10))
    submission.expect(NAME, *draw(rng, lead=(2,), queries=11, keys=4))
    submission.expect(NAME, *draw(rng))
    submission.expect(NAME, *draw(rng, lead=(2, 10)))


@exercise.check("a mask")
def with_mask(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, queries=2, keys=3, inputs=(4, 5), width=6, values=7, outputs=1)
    mask = np.array([[True, False, True], [True, True, False]])
    arrays = [np.round(array, 1) for array in arrays]
    expect_masked(submission, arrays, mask)
    expect_masked(submission, draw(rng, lead=(2,)), random_mask(rng, 2, 3, 4))


@exercise.check("masks that broadcast over the batch and the queries")
def broadcast_masks(submission: Submission, rng: np.random.Generator) -> None:
    padding = np.arange(4) < np.array([3, 2])[:, None]  # (B, Tk)
    expect_masked(submission, draw(rng, lead=(2,)), padding[:, None, :])
    expect_masked(submission, draw(rng, lead=(2, 10)), padding[:, None, None, :])
    expect_masked(submission, draw(rng, lead=(2,)), random_mask(rng, 3, 4))
    expect_masked(submission, draw(rng, lead=(2,)), random_mask(rng, 4))


@exercise.check("a query that may attend to nothing")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    mask = random_mask(rng, 3, 4)
    mask[1] = False
    expect_masked(submission, draw(rng), mask)
    expect_masked(submission, draw(rng, lead=(2,), dtype=np.float32), mask)
    empty = np.array([True, False])[:, None, None]  # the second memory is empty
    expect_masked(submission, draw(rng, lead=(2,)), empty)


@exercise.check("large scores do not overflow")
def large(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw_large(rng)
    submission.expect(NAME, *arrays)
    submission.expect(NAME, *(array.astype(np.float32) for array in arrays))


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,), width=16, dtype=np.float32))
    expect_masked(submission, draw(rng, lead=(2,), dtype=np.float32), random_mask(rng, 3, 4))
    submission.expect(NAME, *(np.rint(2 * array).astype(np.int64) for array in draw(rng, keys=10)))


@exercise.check("one call does not influence the next")
def independent_calls(submission: Submission, rng: np.random.Generator) -> None:
    first, second = draw(rng, lead=(2,), keys=13), draw(rng, lead=(2,), keys=13)
    submission.expect(NAME, *first)
    with submission.suspecting("remembers-memory"):
        submission.expect(NAME, *second)
    expect_masked(submission, first, random_mask(rng, 3, 13))
    submission.expect(NAME, *first)


@exercise.check("lengths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(1,), queries=1, keys=1))
    submission.expect(NAME, *draw(rng, lead=(3, 1), queries=2, keys=1, inputs=(1, 4), width=1, values=5))
