"""Softmax: stable, along any axis, with masked scores."""

from __future__ import annotations

import math

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=1,
    title="Softmax",
    kind="numpy",
    part="Attention from scratch",
    implements=["softmax"],
    lesson="01_softmax_attention#softmax",
    minutes=15,
    difficulty=1,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "exp(1000) is infinite. Which number can you subtract from all scores of a slice without "
        "changing the result?",
        "softmax(scores) = softmax(scores - c) for any c, so take the maximum of each slice along "
        "`axis`. With keepdims=True the maximum and the sum broadcast back against the scores.",
        "largest = max along axis, 0 where it is -inf; powers = exp(scores - largest); "
        "total = sum along axis; divide by total, or by 1 where total is 0.",
    ],
)


@exercise.oracle("softmax")
def softmax(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """The right answer."""
    return reference.softmax(scores, axis)


@exercise.misconception(
    "no-max-subtraction",
    "The maximum is not subtracted before exp, so large scores overflow to infinity and give NaN.",
    wrong="""
        def softmax(scores, axis=-1):
            powers = np.exp(scores if scores.dtype.kind == "f" else scores.astype(float))
            total = powers.sum(axis=axis, keepdims=True)
            return powers / np.where(total == 0, 1, total)
    """,
)
def no_max_subtraction(scores, axis=-1):
    powers = np.exp(scores)
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0, 1, total)


@exercise.misconception(
    "last-axis-always",
    "The argument `axis` is ignored: the softmax always runs along the last axis.",
    wrong={
        "np.max(scores, axis=axis,": "np.max(scores, axis=-1,",
        "np.sum(powers, axis=axis,": "np.sum(powers, axis=-1,",
    },
)
def last_axis_always(scores, axis=-1):
    return reference.softmax(scores, -1)


@exercise.misconception(
    "first-axis-always",
    "The softmax always runs along the first axis (columns of a matrix), whatever `axis` says.",
)
def first_axis_always(scores, axis=-1):
    return reference.softmax(scores, 0)


@exercise.misconception(
    "whole-array",
    "The sum runs over the whole array, so all weights together sum to 1, not those of each slice.",
)
def whole_array(scores, axis=-1):
    return reference.softmax(scores.reshape(-1)).reshape(scores.shape)


@exercise.misconception(
    "one-dimensional-only",
    "The code works for a single list of scores only; it must take arrays with any number of axes.",
    wrong="""
        import math

        def softmax(scores, axis=-1):
            largest = max(scores)
            powers = [math.exp(s - largest) if s > -math.inf else 0.0 for s in scores]
            total = sum(powers) or 1.0
            dtype = scores.dtype if scores.dtype.kind == "f" else float
            return np.array([p / total for p in powers], dtype)
    """,
)
def one_dimensional_only(scores, axis=-1):
    largest = max(scores)  # ValueError on an array of rows, as for the learner
    powers = [math.exp(s - largest) if s > -math.inf else 0.0 for s in scores]
    total = sum(powers) or 1.0
    return np.array([p / total for p in powers])


@exercise.misconception(
    "no-keepdims",
    "The maximum or the sum is taken without keepdims=True, so it broadcasts along the wrong axis.",
    wrong={
        "np.max(scores, axis=axis, keepdims=True)": "np.max(scores, axis=axis)",
        "np.sum(powers, axis=axis, keepdims=True)": "np.sum(powers, axis=axis)",
    },
)
def no_keepdims(scores, axis=-1):
    largest = np.max(scores, axis=axis)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = np.sum(powers, axis=axis)
    return powers / np.where(total == 0, 1, total)


@exercise.misconception(
    "fully-masked-nan",
    "A slice in which every score is -inf gives NaN (0/0 or -inf minus -inf); it must give zeros.",
    wrong={
        "np.where(np.isneginf(largest), 0, largest)": "largest",
        "np.where(total == 0, 1, total)": "total",
    },
)
def fully_masked_nan(scores, axis=-1):
    powers = np.exp(scores - np.max(scores, axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


@exercise.misconception(
    "fully-masked-uniform",
    "A slice in which every score is -inf gives equal weights; nothing may be attended to: zeros.",
)
def fully_masked_uniform(scores, axis=-1):
    empty = np.all(np.isneginf(scores), axis=axis, keepdims=True)
    return reference.softmax(np.where(empty, 0.0, scores), axis)


@exercise.misconception(
    "global-max",
    "One maximum of the whole array is subtracted: slices with much smaller scores underflow to 0. "
    "Subtract each slice's own maximum.",
    wrong={"np.max(scores, axis=axis, keepdims=True)": "np.max(scores)"},
)
def global_max(scores, axis=-1):
    largest = np.max(scores)
    powers = np.exp(scores - (0 if np.isneginf(largest) else largest))
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0, 1, total)


@exercise.misconception(
    "max-along-wrong-axis",
    "The maximum is taken along the last axis, the sum along `axis`: scores of one slice are shifted "
    "by different amounts.",
    wrong={"np.max(scores, axis=axis,": "np.max(scores, axis=-1,"},
)
def max_along_wrong_axis(scores, axis=-1):
    largest = np.max(scores, axis=-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0, 1, total)


@exercise.misconception(
    "log-softmax",
    "These are the logarithms of the weights (log-softmax); exp of them is asked for.",
)
def log_softmax(scores, axis=-1):
    return np.log(reference.softmax(scores, axis))


@exercise.misconception(
    "no-exponential",
    "The scores are divided by their sum, without exp. Softmax exponentiates first.",
)
def no_exponential(scores, axis=-1):
    return scores / np.sum(scores, axis=axis, keepdims=True)


@exercise.misconception(
    "sigmoid",
    "This is the sigmoid of each score. Softmax makes the weights of a slice compete: they sum to 1.",
)
def sigmoid(scores, axis=-1):
    return 0.5 * (1 + np.tanh(scores / 2))


@exercise.misconception(
    "not-normalised",
    "The exponentials are not divided by their sum, so the weights do not sum to 1.",
    wrong={"return powers / np.where(total == 0, 1, total)": "return powers"},
)
def not_normalised(scores, axis=-1):
    largest = np.max(scores, axis=axis, keepdims=True)
    return np.exp(scores - np.where(np.isneginf(largest), 0, largest))


@exercise.misconception(
    "reversed-sign",
    "The sign is reversed: the largest score gets the smallest weight.",
)
def reversed_sign(scores, axis=-1):
    return reference.softmax(np.where(np.isneginf(scores), scores, -scores), axis)


@exercise.misconception(
    "integer-result",
    "Integer scores give integer weights: the fractions are cut off. Compute integers in float64.",
    wrong={
        "return powers / np.where(total == 0, 1, total)": "return (powers / np.where(total == 0, 1, "
        "total)).astype(kept)",
        "scores = np.asarray(scores)\n": "scores = np.asarray(scores)\n    kept = scores.dtype\n",
    },
)
def integer_result(scores, axis=-1):
    return reference.softmax(scores, axis).astype(scores.dtype)


exercise.behaviour(
    "changes-input",
    "The scores are changed in place (for example by `scores -= ...`). Make a new array.",
    on=["mutated"],
    wrong={
        "scores = np.asarray(scores)\n": "if scores.dtype.kind == 'f':\n"
        "        scores -= np.where(np.isneginf(scores.max(axis=axis, keepdims=True)), 0, "
        "scores.max(axis=axis, keepdims=True))\n",
    },
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 scores must give float32 weights (and float64 gives float64).",
    on=["dtype"],
    wrong={'if scores.dtype.kind != "f":': "if True:"},
)


@exercise.check("three scores")
def three_scores(submission: Submission, rng: np.random.Generator) -> None:
    scores = np.round(rng.uniform(-2, 2, size=3), 1)
    submission.expect("softmax", scores)


@exercise.check("a matrix: every row on its own")
def rows(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("softmax", np.round(rng.normal(size=(2, 3)), 1))
    submission.expect("softmax", np.round(rng.normal(size=(3, 3)), 1))


@exercise.check("a matrix: every column on its own (axis=0)")
def columns(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("softmax", np.round(rng.normal(size=(2, 3)), 1), axis=0)
    submission.expect("softmax", np.round(rng.normal(size=(3, 3)), 1), axis=0)


@exercise.check("four axes, along each of them")
def every_axis(submission: Submission, rng: np.random.Generator) -> None:
    scores = rng.normal(scale=2, size=(2, 3, 4, 5))
    for axis in (0, 1, 2, 3, -2, -4):
        submission.expect("softmax", scores, axis=axis)


@exercise.check("large scores do not overflow")
def large(submission: Submission, rng: np.random.Generator) -> None:
    small = rng.integers(0, 4, size=(2, 3)).astype(np.float64)
    submission.expect("softmax", small + 10_000)
    submission.expect("softmax", (small + 10_000).astype(np.float32))


@exercise.check("rows of very different size")
def mixed_sizes(submission: Submission, rng: np.random.Generator) -> None:
    scores = rng.integers(0, 4, size=(3, 4)) + np.array([[10_000.0], [0.0], [-10_000.0]])
    submission.expect("softmax", scores)
    submission.expect("softmax", np.ascontiguousarray(scores.T), axis=0)
    submission.expect("softmax", scores.astype(np.float32))


@exercise.check("-inf scores get weight 0")
def some_masked(submission: Submission, rng: np.random.Generator) -> None:
    scores = np.round(rng.normal(size=(3, 4)), 1)
    scores[0, 1] = scores[1, 0] = scores[1, 3] = scores[2, 2] = -np.inf
    submission.expect("softmax", scores)
    submission.expect("softmax", scores.astype(np.float32), axis=0)


@exercise.check("a slice that is all -inf gives zeros")
def all_masked(submission: Submission, rng: np.random.Generator) -> None:
    scores = np.round(rng.normal(size=(3, 2)), 1)
    scores[1] = -np.inf
    submission.expect("softmax", scores)
    submission.expect("softmax", np.ascontiguousarray(scores.T), axis=0)
    submission.expect("softmax", np.full(3, -np.inf))


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    scores = rng.normal(size=(4, 7))
    submission.expect("softmax", scores.astype(np.float32))
    submission.expect("softmax", scores)
    submission.expect("softmax", rng.integers(-3, 4, size=(2, 3)))


@exercise.check("axes of length 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    scores = rng.normal(size=(1, 3))
    submission.expect("softmax", scores, axis=0)
    submission.expect("softmax", scores, axis=1)
    submission.expect("softmax", rng.normal(size=(1,)))


@exercise.check("the same call twice; the input stays as it was")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    scores = rng.normal(size=(5, 6)).astype(np.float32)
    submission.expect("softmax", scores, axis=1)
    submission.expect("softmax", scores[:, ::-1], axis=0)
    submission.expect("softmax", scores, axis=1)
