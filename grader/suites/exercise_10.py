"""Multi-head attention: projections, heads, masks with and without a head axis."""

from __future__ import annotations

import functools

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import Submission, describe_problem

exercise = Exercise(
    number=10,
    title="Multi-head attention",
    kind="numpy",
    part="Attention from scratch",
    implements=["multi_head_attention"],
    outputs={"multi_head_attention": ("output", "weights")},
    lesson="04_multi_head_attention#multi-head-attention",
    minutes=35,
    difficulty=3,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Write down the shape after every line. Between which two lines is there a head axis, and how wide "
        "is one head?",
        "Project first, then split into heads; from there it is exercise 03 with one more leading axis, "
        "where the width is D/H. A mask that has fewer axes than the scores needs a head axis of length 1 "
        "before its last two. Merge the heads before w_output.",
        "q, k, v = (_split_heads(x @ w, num_heads) for each pair); scores = q @ np.swapaxes(k, -1, -2) / "
        "np.sqrt(D // num_heads); if 2 < mask.ndim < scores.ndim: mask = np.expand_dims(mask, -3); -inf "
        "where the mask is False; softmax; _merge_heads(weights @ v) @ w_output.",
    ],
)
NAME = "multi_head_attention"
SCALE = "/ root  #"
HIDE = "np.where(mask, scores, -np.inf)"
RETURN = "return context @ w_output, weights"


def split(x, num_heads):
    return np.stack(np.split(x, num_heads, axis=-1), axis=-3)


def merge(x):
    return np.concatenate([x[..., h, :, :] for h in range(x.shape[-3])], axis=-1)


def for_heads(mask, scores):
    """The mask with a head axis, by the rule of the contract."""
    if mask.ndim == scores.ndim:
        return mask
    return np.broadcast_to(mask, (*scores.shape[:-3], *scores.shape[-2:]))[..., None, :, :]


def hide(scores, mask):
    return scores if mask is None else reference.masked(scores, for_heads(mask, scores))


def inner(split, query, key, value, w_query, w_key, w_value, w_output, num_heads, mask=None):
    """What every head works with: unscaled scores, values, the width of a head."""
    q, k = split(query @ w_query, num_heads), split(key @ w_key, num_heads)
    return np.einsum("...qd,...kd->...qk", q, k), split(value @ w_value, num_heads), q.shape[-1]


def run(*args, mask=None, factor=None, split=split, merge=merge, hide=hide, softmax=reference.softmax):
    """The oracle, with parts that a misconception replaces."""
    mask = args[8] if len(args) > 8 else mask
    scores, values, width = inner(split, *args[:8])
    scores = scores * (width**-0.5 if factor is None else factor)
    weights = softmax(hide(scores, mask))
    return merge(np.einsum("...qk,...kv->...qv", weights, values)) @ args[6], weights


@exercise.oracle(NAME)
def attend(query, key, value, w_query, w_key, w_value, w_output, num_heads, mask=None):
    """The right answer."""
    return run(query, key, value, w_query, w_key, w_value, w_output, num_heads, mask)


def head_width(args):
    return args[3].shape[-1] // args[7]


@exercise.misconception("no-scaling", "The scores are not divided by sqrt(D/H).", wrong={SCALE: "#"})
def no_scaling(*args, mask=None):
    return run(*args, mask=mask, factor=1.0)


@exercise.misconception(
    "scaled-by-model-width",
    "The scores are divided by sqrt(D), the width of all heads together. A head is D/H wide: sqrt(D/H).",
    wrong={"np.sqrt(width // num_heads)": "np.sqrt(width)"},
)
def scaled_by_model_width(*args, mask=None):
    return run(*args, mask=mask, factor=args[3].shape[-1] ** -0.5)


@exercise.misconception(
    "scaled-by-input-width",
    "The scores are divided by the square root of the query's width before the projection. What is "
    "multiplied is D/H wide: sqrt(D/H).",
    wrong={"np.sqrt(width // num_heads)": "np.sqrt(query.shape[-1])"},
)
def scaled_by_input_width(*args, mask=None):
    return run(*args, mask=mask, factor=args[0].shape[-1] ** -0.5)


@exercise.misconception(
    "scaled-by-length",
    "The scores are divided by the square root of the number of keys; the width of a head belongs there.",
    wrong={"np.sqrt(width // num_heads)": "np.sqrt(keys.shape[-2])"},
)
def scaled_by_length(*args, mask=None):
    return run(*args, mask=mask, factor=args[1].shape[-2] ** -0.5)


@exercise.misconception(
    "scaled-by-heads",
    "The scores are divided by the square root of the number of heads; the width of a head, D/H, belongs "
    "there.",
    wrong={"np.sqrt(width // num_heads)": "np.sqrt(num_heads)"},
)
def scaled_by_heads(*args, mask=None):
    return run(*args, mask=mask, factor=args[7] ** -0.5)


@exercise.misconception(
    "scaled-by-width",
    "The scores are divided by D/H; its square root is asked for.",
    wrong={"np.sqrt(width // num_heads)": "width // num_heads"},
)
def scaled_by_width(*args, mask=None):
    return run(*args, mask=mask, factor=1 / head_width(args))


@exercise.misconception(
    "scaled-twice",
    "The scores are divided by the fourth root of D/H (the root is taken twice); divide by sqrt(D/H).",
    wrong={"np.sqrt(width // num_heads)": "(width // num_heads) ** 0.25"},
)
def scaled_twice(*args, mask=None):
    return run(*args, mask=mask, factor=head_width(args) ** -0.25)


@exercise.misconception(
    "multiplied-by-scale",
    "The scores are multiplied by sqrt(D/H); they must be divided by it.",
    wrong={SCALE: "* root  #"},
)
def multiplied_by_scale(*args, mask=None):
    return run(*args, mask=mask, factor=head_width(args) ** 0.5)


@exercise.misconception(
    "split-by-reshape",
    "The heads are cut by a reshape alone: head 0 gets the first positions with all their features. Cut "
    "the last axis into (H, D/H), then swap H and T.",
    wrong={
        "np.swapaxes(x.reshape(*lead, length, num_heads, width // num_heads), -3, -2)": "x.reshape(*lead, "
        "num_heads, length, width // num_heads)"
    },
)
def split_by_reshape(*args, mask=None):
    def cut(x, num_heads):
        *lead, length, width = x.shape
        return x.reshape(*lead, num_heads, length, width // num_heads)

    return run(*args, mask=mask, split=cut)


@exercise.misconception(
    "interleaved-heads",
    "Head h works on the features h, h + H, h + 2H and so on; it owns D/H neighbouring ones.",
    wrong="""
        def _split_heads(x, num_heads):
            return np.stack([x[..., h::num_heads] for h in range(num_heads)], axis=-3)
    """,
)
def interleaved_heads(*args, mask=None):
    def cut(x, num_heads):
        return np.stack([x[..., h::num_heads] for h in range(num_heads)], axis=-3)

    return run(*args, mask=mask, split=cut)


@exercise.misconception(
    "merged-by-reshape",
    "The heads are merged by a reshape alone. Swap H and T back first, so that each position keeps its own "
    "features.",
    wrong={"np.swapaxes(x, -3, -2).reshape(": "x.reshape("},
)
def merged_by_reshape(*args, mask=None):
    def join(x):
        *lead, num_heads, length, width = x.shape
        return x.reshape(*lead, length, num_heads * width)

    return run(*args, mask=mask, merge=join)


@exercise.misconception(
    "one-head",
    "num_heads has no effect: there is one head as wide as D. Cut the projections into heads.",
    wrong={'    if query.dtype.kind != "f":': '    num_heads = 1\n    if query.dtype.kind != "f":'},
)
def one_head(*args, mask=None):
    return run(*args[:7], 1, mask=args[8] if len(args) > 8 else mask)


@exercise.misconception(
    "no-head-axis",
    "The weights lack the head axis: all of D is one head. Cut the projections into heads: "
    "(..., H, Tq, Tk).",
    wrong="""
        def _split_heads(x, num_heads):
            return x

        def _merge_heads(x):
            return x
    """,
)
def no_head_axis(*args, mask=None):
    def whole(x, num_heads):
        return x

    def keep(x):
        return x

    return run(*args, mask=mask, factor=head_width(args) ** -0.5, split=whole, merge=keep, hide=hide_as_is)


def hide_as_is(scores, mask):
    return reference.masked(scores, mask)


@exercise.misconception(
    "no-output-projection",
    "The merged heads are returned without w_output, the last projection.",
    wrong={RETURN: "return context, weights"},
)
def no_output_projection(*args, mask=None):
    return run(*args[:6], np.eye(args[6].shape[0]), args[7], mask=args[8] if len(args) > 8 else mask)


@exercise.misconception(
    "same-projection",
    "One projection is used for query, key and value. Each has its own matrix.",
    wrong={"key @ w_key": "key @ w_query", "value @ w_value": "value @ w_query"},
)
def same_projection(*args, mask=None):
    query, key, value, w_query, _, _, *rest = args
    return run(query, key, value, w_query, w_query, w_query, *rest, mask=mask)


@exercise.misconception(
    "weights-transposed",
    "The projections multiply by the transposed matrices (as torch.nn.Linear stores them). Here w is "
    "(inputs, outputs): x @ w.",
    wrong={
        "query @ w_query": "query @ w_query.T",
        "key @ w_key": "key @ w_key.T",
        "value @ w_value": "value @ w_value.T",
        "context @ w_output": "context @ w_output.T",
    },
)
def weights_transposed(*args, mask=None):
    return run(*args[:3], *(w.T for w in args[3:7]), *args[7:], mask=mask)


@exercise.misconception(
    "values-from-keys",
    "The heads average their keys; the projected values belong there.",
    wrong={"weights @ values": "weights @ keys"},
)
def values_from_keys(*args, mask=None):
    query, key, _, w_query, w_key, _, *rest = args
    return run(query, key, key, w_query, w_key, w_key, *rest, mask=mask)


@exercise.misconception(
    "value-argument-ignored",
    "The values are projected from `key`; project `value`.",
    wrong={"value @ w_value": "key @ w_value"},
)
def value_argument_ignored(*args, mask=None):
    query, key, _, *rest = args
    return run(query, key, key, *rest, mask=mask)


@exercise.misconception(
    "softmax-over-queries",
    "The softmax runs over the queries (axis -2); each query's weights over the keys must sum to 1.",
    wrong={"np.max(scores, axis=-1,": "np.max(scores, axis=-2,", "(powers, axis=-1,": "(powers, axis=-2,"},
)
def softmax_over_queries(*args, mask=None):
    return run(*args, mask=mask, softmax=functools.partial(reference.softmax, axis=-2))


@exercise.misconception(
    "softmax-over-heads",
    "The softmax runs over the heads (axis -3); each query's weights over the keys must sum to 1.",
    wrong={"np.max(scores, axis=-1,": "np.max(scores, axis=-3,", "(powers, axis=-1,": "(powers, axis=-3,"},
)
def softmax_over_heads(*args, mask=None):
    return run(*args, mask=mask, softmax=functools.partial(reference.softmax, axis=-3))


@exercise.misconception(
    "full-transpose",
    "keys.T reverses all axes, the head axis too; swap the last two only.",
    wrong={"np.swapaxes(keys, -1, -2)": "keys.T"},
)
def full_transpose(*args, mask=None):
    query, key, value, w_query, w_key, w_value, w_output, num_heads = args[:8]
    q, k = split(query @ w_query, num_heads), split(key @ w_key, num_heads)
    weights = reference.softmax(q @ k.T * head_width(args) ** -0.5)
    return merge(weights @ split(value @ w_value, num_heads)) @ w_output, weights


@exercise.misconception(
    "batch-axis-assumed",
    "The code works with exactly one batch axis (transpose(0, 2, 1, 3)). Count axes from the end.",
    wrong="""
        def _split_heads(x, num_heads):
            batch, length, width = x.shape
            return x.reshape(batch, length, num_heads, width // num_heads).transpose(0, 2, 1, 3)
    """,
)
def batch_axis_assumed(*args, mask=None):
    if args[0].ndim != 3:
        raise ValueError
    return run(*args, mask=mask)


@exercise.misconception(
    "no-batch-axis-assumed",
    "The code works without leading axes only. Count axes from the end and keep the leading ones.",
    wrong="""
        def _split_heads(x, num_heads):
            length, width = x.shape
            return x.reshape(length, num_heads, width // num_heads).transpose(1, 0, 2)
    """,
)
def no_batch_axis_assumed(*args, mask=None):
    if args[0].ndim != 2:
        raise ValueError
    return run(*args, mask=mask)


@exercise.misconception(
    "equal-lengths-assumed",
    "Keys and values are reshaped with the length of the query: the code assumes Tq = Tk.",
    wrong={
        "keys = _split_heads(key @ w_key, num_heads)": "keys = np.swapaxes((key @ w_key).reshape("
        "*query.shape[:-1], num_heads, -1), -3, -2)"
    },
)
def equal_lengths_assumed(*args, mask=None):
    if args[0].shape[-2] != args[1].shape[-2]:
        raise ValueError
    return run(*args, mask=mask)


# Masks


@exercise.misconception(
    "mask-inverted",
    "The mask is read the other way round: True means may attend, False means hidden.",
    wrong={HIDE: "np.where(mask, -np.inf, scores)"},
)
def mask_inverted(*args, mask=None):
    return run(*args, mask=mask, hide=lambda scores, m: hide(scores, None if m is None else ~m))


@exercise.misconception("mask-ignored", "The mask has no effect.", wrong={HIDE: "scores"})
def mask_ignored(*args, mask=None):
    return run(*args, mask=mask, hide=lambda scores, m: scores)


@exercise.misconception(
    "mask-added",
    "The raw mask (0 and 1) is added to the scores: forbidden keys lose 1, not everything.",
    wrong={HIDE: "scores + mask.astype(scores.dtype)"},
)
def mask_added(*args, mask=None):
    return run(
        *args, mask=mask, hide=lambda scores, m: scores if m is None else scores + for_heads(m, scores)
    )


@exercise.misconception(
    "mask-multiplied",
    "The scores are multiplied by the mask: a score of 0 still gets weight. Use -inf.",
    wrong={HIDE: "scores * mask"},
)
def mask_multiplied(*args, mask=None):
    return run(
        *args, mask=mask, hide=lambda scores, m: scores if m is None else scores * for_heads(m, scores)
    )


@exercise.misconception(
    "mask-after-softmax",
    "The mask is applied to the weights after the softmax, so the rows no longer sum to 1. Put -inf into "
    "the scores before it.",
    wrong={
        HIDE: "scores",
        "weights = _softmax(scores)": "weights = _softmax(scores) * (1 if mask is None else mask)",
    },
)
def mask_after_softmax(*args, mask=None):
    kept = []

    def remember(scores, m):
        kept.append(1 if m is None else for_heads(m, scores))
        return scores

    return run(*args, mask=mask, hide=remember, softmax=lambda scores: reference.softmax(scores) * kept[0])


@exercise.misconception(
    "mask-without-head-axis",
    "A mask (B, Tq, Tk) meets scores (B, H, Tq, Tk) as it is, so its batch axis lines up with the heads. "
    "Give it a head axis of length 1: (B, 1, Tq, Tk).",
    wrong={"if 2 < mask.ndim < scores.ndim:": "if False:"},
)
def mask_without_head_axis(*args, mask=None):
    return run(*args, mask=mask, hide=hide_as_is)


@exercise.misconception(
    "mask-always-expanded",
    "Every mask gets a new head axis, also one that has a head axis already (as many axes as the weights).",
    wrong={"if 2 < mask.ndim < scores.ndim:": "if mask.ndim >= 2:"},
)
def mask_always_expanded(*args, mask=None):
    def expand(scores, m):
        return hide_as_is(scores, m if m is None or m.ndim < 2 else m[..., None, :, :])

    return run(*args, mask=mask, hide=expand)


@exercise.misconception(
    "mask-rank-fixed",
    "Whether a mask has a head axis is read off its own rank (3 or 4). It has one exactly when its rank is "
    "that of the weights, which depends on the leading axes.",
    wrong={"if 2 < mask.ndim < scores.ndim:": "if mask.ndim == 3:"},
)
def mask_rank_fixed(*args, mask=None):
    def expand(scores, m):
        return hide_as_is(scores, m if m is None or m.ndim != 3 else m[..., None, :, :])

    return run(*args, mask=mask, hide=expand)


@exercise.misconception(
    "mask-of-keys-refused",
    "A mask of shape (Tk,) fails: it has no axis before its last two. It broadcasts as it is.",
    wrong={
        "if 2 < mask.ndim < scores.ndim:": "if mask.ndim < scores.ndim:",
        "np.expand_dims(mask, -3)": "mask[..., None, :, :]",
    },
)
def mask_of_keys_refused(*args, mask=None):
    if mask is not None and mask.ndim < 2:
        raise IndexError
    return run(*args, mask=mask)


@exercise.misconception(
    "fully-masked-nan",
    "A query that may attend to nothing gives NaN; its weights and its context must be zero.",
    wrong={
        "np.where(np.isneginf(largest), 0, largest)": "largest",
        "np.where(total == 0, 1, total)": "total",
    },
)
def fully_masked_nan(*args, mask=None):
    def softmax(scores):
        weights = reference.softmax(scores)
        return np.where(np.all(np.isneginf(scores), axis=-1, keepdims=True), np.nan, weights)

    return run(*args, mask=mask, softmax=softmax)


@exercise.misconception(
    "fully-masked-uniform",
    "A query that may attend to nothing gets equal weights (the effect of a large finite number in place "
    "of -inf); its weights and its context must be zero.",
    wrong={HIDE: "np.where(mask, scores, scores.dtype.type(-1e9))"},
)
def fully_masked_uniform(*args, mask=None):
    return run(*args, mask=mask, hide=lambda scores, m: np.maximum(hide(scores, m), -1e9))


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


# What is returned


@exercise.misconception(
    "weights-averaged",
    "The weights are averaged over the heads (PyTorch's habit). Return those of every head: "
    "(..., H, Tq, Tk).",
    wrong={RETURN: "return context @ w_output, np.mean(weights, axis=-3)"},
)
def weights_averaged(*args, mask=None):
    output, weights = run(*args, mask=mask)
    return output, weights.mean(axis=-3)


@exercise.misconception(
    "scores-returned",
    "The second result holds the scores; the weights (after the softmax) are asked for.",
    wrong={RETURN: "return context @ w_output, scores"},
)
def scores_returned(*args, mask=None):
    scores = run(*args, mask=mask, softmax=lambda scores: scores)[1]
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
    "features-dropped",
    "D is not divisible by num_heads and nothing is raised: features are dropped. Raise ValueError.",
    on=["no-error"],
    wrong="""
        _attend = multi_head_attention

        def multi_head_attention(query, key, value, w_q, w_k, w_v, w_output, num_heads, mask=None):
            used = w_q.shape[-1] // num_heads * num_heads
            cut = [w[:, :used] for w in (w_q, w_k, w_v)]
            return _attend(query, key, value, *cut, w_output[:used], num_heads, mask)
    """,
)
exercise.behaviour(
    "assert-for-value-error",
    "An `assert` raises AssertionError, and nothing at all under `python -O`. Write "
    "`if ...: raise ValueError(...)`.",
    wrong={"if width % num_heads != 0:\n": "assert width % num_heads == 0\n    if False:\n"},
)
exercise.behaviour(
    "mask-truth-value",
    "`if mask:` asks for the truth of a whole array and raises. Ask `mask is not None`.",
    wrong={"if mask is not None:": "if mask:"},
)
exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place. Make new arrays.",
    on=["mutated"],
    wrong={
        "width = w_query.shape[-1]\n": "width = w_query.shape[-1]\n    query += 1\n    query = query - 1\n"
    },
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 inputs must give float32 results (and float64 gives float64).",
    on=["dtype"],
    wrong={"queries.dtype.type(np.sqrt(width // num_heads))": "np.full(1, np.sqrt(width // num_heads))"},
)


def draw(rng, lead=(), heads=3, queries=4, keys=5, inputs=(7, 8, 9), head=6, outputs=10, dtype=np.float64):
    """The first eight arguments, in which every axis has its own length."""
    lengths, width = (queries, keys, keys), heads * head
    arrays = [rng.normal(size=(*lead, length, size)) for length, size in zip(lengths, inputs, strict=True)]
    arrays += [rng.normal(size=(size, width)) / np.sqrt(size) for size in inputs]
    arrays += [rng.normal(size=(width, outputs)) / np.sqrt(width)]
    return [*(array.astype(dtype) for array in arrays), heads]


def draw_large(rng):
    """Scores of many thousands that float32 holds exactly; in each row one is the largest by far."""
    while True:
        args = draw(rng, lead=(2,), head=16)
        for place in (0, 1, 3, 4):
            args[place] = np.rint(4 * args[place]) + 0.0
        args[0] *= 128
        _, scores = run(*args, softmax=np.sort)
        if np.all(scores[..., -1] - scores[..., -2] > 30):
            return args


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


@exercise.check("one query, four keys, two heads")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    args = draw(rng, heads=2, queries=1, keys=4, inputs=(5, 5, 5), head=3, outputs=5)
    submission.expect(NAME, *(np.round(array, 1) for array in args[:7]), 2)


@exercise.check("no leading axis, all sizes different")
def no_lead(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng))
    submission.expect(NAME, *draw(rng, queries=5, keys=4, head=2))


@exercise.check("a batch")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,)))
    submission.expect(NAME, *draw(rng, lead=(2,), keys=4, inputs=(7, 7, 7)))


@exercise.check("as many heads as keys, as wide as they are many")
def cubic(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, heads=3, head=3, queries=2, keys=3))


@exercise.check("two leading axes")
def two_leads(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2, 11)))


@exercise.check("self-attention in which all widths are equal")
def square(submission: Submission, rng: np.random.Generator) -> None:
    args = draw(rng, lead=(2,), queries=5, inputs=(12, 12, 12), head=4, outputs=12)
    submission.expect(NAME, args[0], args[0], args[0], *args[3:])


@exercise.check("a mask (Tq, Tk) holds for every head")
def plain_mask(submission: Submission, rng: np.random.Generator) -> None:
    args = draw(rng, heads=2, queries=2, keys=4, inputs=(5, 5, 5), head=3, outputs=5)
    args = [*(np.round(array, 1) for array in args[:7]), 2]
    mask = np.array([[True, False, True, False], [True, True, False, True]])
    expect_masked(submission, args, mask)
    expect_masked(submission, draw(rng, lead=(2,)), random_mask(rng, 4, 5))
    expect_masked(submission, draw(rng, lead=(2,), queries=5), np.tril(np.ones((5, 5), bool)))


@exercise.check("a mask (B, Tq, Tk) holds for every head, also when B = H")
def batch_mask(submission: Submission, rng: np.random.Generator) -> None:
    padding = np.arange(5) < np.array([4, 3, 1])[:, None, None]  # (B, 1, Tk)
    expect_masked(submission, draw(rng, lead=(3,)), padding)
    expect_masked(submission, draw(rng, lead=(3,)), random_mask(rng, 3, 4, 5))
    expect_masked(submission, draw(rng, lead=(2,)), random_mask(rng, 2, 4, 5))


@exercise.check("a mask with as many axes as the weights has a head axis")
def head_mask(submission: Submission, rng: np.random.Generator) -> None:
    expect_masked(submission, draw(rng, lead=(2,)), random_mask(rng, 2, 3, 4, 5))
    expect_masked(submission, draw(rng, lead=(2,)), random_mask(rng, 2, 1, 1, 5))
    expect_masked(submission, draw(rng), random_mask(rng, 3, 4, 5))
    expect_masked(submission, draw(rng, lead=(2, 7)), random_mask(rng, 2, 1, 3, 4, 5))


@exercise.check("masks and two leading axes; a mask (Tk,)")
def other_masks(submission: Submission, rng: np.random.Generator) -> None:
    expect_masked(submission, draw(rng, lead=(2, 3)), random_mask(rng, 2, 3, 4, 5))
    expect_masked(submission, draw(rng, lead=(2, 3)), random_mask(rng, 3, 1, 5))
    expect_masked(submission, draw(rng, lead=(2,)), random_mask(rng, 5))


@exercise.check("a query that may attend to nothing")
def nothing_allowed(submission: Submission, rng: np.random.Generator) -> None:
    mask = random_mask(rng, 4, 5)
    mask[2] = False
    expect_masked(submission, draw(rng), mask)
    per_head = random_mask(rng, 2, 3, 4, 5)
    per_head[0, 1, 3] = per_head[1, :, 0] = False
    expect_masked(submission, draw(rng, lead=(2,), dtype=np.float32), per_head)


@exercise.check("large scores do not overflow")
def large(submission: Submission, rng: np.random.Generator) -> None:
    args = draw_large(rng)
    submission.expect(NAME, *args)
    submission.expect(NAME, *(array.astype(np.float32) for array in args[:7]), 3)


@exercise.check("a width that the heads do not divide raises ValueError")
def not_divisible(submission: Submission, rng: np.random.Generator) -> None:
    for lead, heads in (((), 4), ((2,), 8)):
        args = [*draw(rng, lead=lead, heads=3, head=2)[:7], heads]
        problem = submission.request("call", name=NAME, args=args, kwargs={}).problem
        if problem is not None and "AssertionError" in problem.bases:
            submission.fail(describe_problem(problem), "assert-for-value-error")
        submission.expect_error(NAME, "ValueError", *args)


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,), head=16, dtype=np.float32))
    expect_masked(submission, draw(rng, lead=(2,), dtype=np.float32), random_mask(rng, 2, 4, 5))
    submission.expect(NAME, *(np.rint(array).astype(np.int64) for array in draw(rng)[:7]), 3)


@exercise.check("one head, heads of width 1, lengths of 1; the same call twice")
def ones(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, lead=(2,), heads=1))
    submission.expect(NAME, *draw(rng, lead=(1,), queries=1, keys=1))
    args = draw(rng, heads=5, head=1)
    submission.expect(NAME, *args)
    submission.expect(NAME, *args)
