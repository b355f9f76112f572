"""Layer normalization: over the last axis, with the biased variance, accurate far from zero."""

from __future__ import annotations

import math

import numpy as np

from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=14,
    title="Layer normalization",
    kind="numpy",
    part="Attention from scratch",
    implements=["layer_norm"],
    lesson="05_positions#layer-normalization",
    minutes=15,
    difficulty=1,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Which numbers share one mean: those of one vector, or those of the whole batch? That decides "
        "the axis.",
        "Take mean and variance over the last axis with keepdims=True, so that they broadcast against "
        "x. Subtract the mean first and square what is left: mean(x^2) - mean(x)^2 loses its digits "
        "when the mean is large.",
        "centred = x - mean; variance = mean of centred * centred; return gamma * centred / "
        "np.sqrt(variance + epsilon) + beta.",
    ],
)
NAME = "layer_norm"
EPSILON = 1e-6
# What a two-pass variance costs (1e-12) lies below, what mean(x^2) - mean(x)^2 loses (1e-8) between.
SHARP, BLUNT = 2e-10, 1e-5


@exercise.oracle(NAME)
def layer_norm(x, gamma, beta, epsilon=EPSILON):
    """The right answer: one vector at a time, with exact sums."""
    rows = np.asarray(x, np.float64).reshape(-1, x.shape[-1])
    result = np.empty(rows.shape)
    for number, row in enumerate(rows):
        mean = math.fsum(row) / len(row)
        variance = math.fsum((value - mean) ** 2 for value in row) / len(row)
        result[number] = (row - mean) / math.sqrt(variance + epsilon)
    return result.reshape(x.shape) * gamma + beta


@exercise.misconception(
    "normalised-over-batch",
    "Mean and variance run over the first axis (batch normalization); each vector is normalised on its "
    "own, over the last axis.",
    wrong={
        "np.mean(x, axis=-1,": "np.mean(x, axis=0,",
        "np.mean(centred * centred, axis=-1,": "np.mean(centred * centred, axis=0,",
    },
)
def normalised_over_batch(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=0, keepdims=True)
    return gamma * centred / np.sqrt(np.mean(centred**2, axis=0, keepdims=True) + epsilon) + beta


@exercise.misconception(
    "normalised-over-length",
    "Mean and variance run over the positions (axis -2); the features, the last axis, belong there.",
)
def normalised_over_length(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=-2, keepdims=True)
    return gamma * centred / np.sqrt(np.mean(centred**2, axis=-2, keepdims=True) + epsilon) + beta


@exercise.misconception(
    "normalised-over-everything",
    "One mean and one variance of the whole array are used; every vector has its own.",
)
def normalised_over_everything(x, gamma, beta, epsilon=1e-6):
    return gamma * (x - x.mean()) / np.sqrt(x.var() + epsilon) + beta


@exercise.misconception(
    "normalised-over-all-but-first",
    "Mean and variance run over all axes but the first; only the last axis belongs there.",
)
def normalised_over_all_but_first(x, gamma, beta, epsilon=1e-6):
    axes = tuple(range(1, x.ndim))
    centred = x - x.mean(axis=axes, keepdims=True)
    return gamma * centred / np.sqrt(np.mean(centred**2, axis=axes, keepdims=True) + epsilon) + beta


@exercise.misconception(
    "no-keepdims",
    "The mean or the variance is taken without keepdims=True, so it does not broadcast against x (or, "
    "worse, broadcasts along the wrong axis).",
    wrong={
        "np.mean(x, axis=-1, keepdims=True)": "np.mean(x, axis=-1)",
        "np.mean(centred * centred, axis=-1, keepdims=True)": "np.mean(centred * centred, axis=-1)",
    },
)
def no_keepdims(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=-1)
    return gamma * centred / np.sqrt(np.mean(centred**2, axis=-1) + epsilon) + beta


@exercise.misconception(
    "unbiased-variance",
    "The variance is divided by D - 1 (ddof=1); layer normalization divides by D.",
)
def unbiased_variance(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.sum(centred**2, axis=-1, keepdims=True) / np.float64(x.shape[-1] - 1)
    return gamma * centred / np.sqrt(variance + epsilon) + beta


@exercise.misconception(
    "epsilon-outside-root",
    "Epsilon is added to the standard deviation; add it to the variance, inside the square root.",
    wrong={"np.sqrt(variance + epsilon) +": "(np.sqrt(variance) + epsilon) +"},
)
def epsilon_outside_root(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / (x.std(axis=-1, keepdims=True) + epsilon) + beta


@exercise.misconception(
    "unbiased-std",
    "This divides by std + epsilon with the std of PyTorch's x.std(), which divides by D - 1. Divide the "
    "squares by D and add epsilon to the variance, inside the root.",
)
def unbiased_std(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.sum(centred**2, axis=-1, keepdims=True) / np.float64(x.shape[-1] - 1)
    return gamma * centred / (np.sqrt(variance) + epsilon) + beta


@exercise.misconception(
    "no-epsilon",
    "Epsilon is left out: a vector of equal numbers gives 0/0, and one of nearly equal numbers is "
    "blown up.",
    wrong={"np.sqrt(variance + epsilon) +": "np.sqrt(variance) +"},
)
def no_epsilon(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True)) + beta


@exercise.misconception(
    "epsilon-ignored",
    "The argument `epsilon` is ignored: the default is used whatever is passed.",
    wrong={"np.sqrt(variance + epsilon) +": "np.sqrt(variance + 1e-6) +"},
)
def epsilon_ignored(x, gamma, beta, epsilon=1e-6):
    return layer_norm_of(x, gamma, beta, 1e-6)


@exercise.misconception(
    "other-default-epsilon",
    "The default of epsilon is 1e-6 here; 1e-5 is PyTorch's.",
    wrong={"beta, epsilon=1e-6)": "beta, epsilon=1e-5)"},
)
def other_default_epsilon(x, gamma, beta, epsilon=1e-5):
    return layer_norm_of(x, gamma, beta, epsilon)


@exercise.misconception(
    "keras-default-epsilon",
    "The default of epsilon is 1e-6 here; 1e-3 is that of keras.layers.LayerNormalization.",
    wrong={"beta, epsilon=1e-6)": "beta, epsilon=1e-3)"},
)
def keras_default_epsilon(x, gamma, beta, epsilon=1e-3):
    return layer_norm_of(x, gamma, beta, epsilon)


@exercise.misconception(
    "no-square-root",
    "The vector is divided by the variance; divide by its square root, the standard deviation.",
    wrong={"np.sqrt(variance + epsilon) +": "(variance + epsilon) +"},
)
def no_square_root(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / (np.mean(centred**2, axis=-1, keepdims=True) + epsilon) + beta


@exercise.misconception(
    "not-divided",
    "The mean is subtracted, but nothing is divided by the standard deviation.",
)
def not_divided(x, gamma, beta, epsilon=1e-6):
    return gamma * (x - x.mean(axis=-1, keepdims=True)) + beta


@exercise.misconception(
    "mean-not-subtracted",
    "The numerator is x itself: subtract the mean from it too, not only inside the variance.",
    wrong={"gamma * centred /": "gamma * x /"},
)
def mean_not_subtracted(x, gamma, beta, epsilon=1e-6):
    return gamma * x / np.sqrt(x.var(axis=-1, keepdims=True) + epsilon) + beta


@exercise.misconception(
    "rms-norm",
    "This is RMSNorm: no mean is subtracted anywhere. Layer normalization centres the vector first.",
)
def rms_norm(x, gamma, beta, epsilon=1e-6):
    return gamma * x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + epsilon) + beta


@exercise.misconception(
    "variance-about-zero",
    "The variance is the mean of x^2; square what is left after subtracting the mean.",
    wrong={"np.mean(centred * centred,": "np.mean(x * x,"},
)
def variance_about_zero(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + epsilon) + beta


@exercise.misconception(
    "unit-length",
    "The vector is divided by its length (the root of the sum of squares); the mean of the squares "
    "belongs there, so that the variance becomes 1.",
    wrong={"np.mean(centred * centred,": "np.sum(centred * centred,"},
)
def unit_length(x, gamma, beta, epsilon=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt(np.sum(centred**2, axis=-1, keepdims=True) + epsilon) + beta


@exercise.misconception(
    "global-variance",
    "The mean is taken per vector but the variance over the whole array (axis is missing).",
    wrong={"np.mean(centred * centred, axis=-1, keepdims=True)": "np.var(x)"},
)
def global_variance(x, gamma, beta, epsilon=1e-6):
    return gamma * (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var() + epsilon) + beta


@exercise.misconception("gamma-ignored", "gamma has no effect.", wrong={"gamma * centred": "centred"})
def gamma_ignored(x, gamma, beta, epsilon=1e-6):
    return layer_norm_of(x, np.ones_like(gamma), beta, epsilon)


@exercise.misconception(
    "beta-ignored",
    "beta has no effect.",
    wrong={"np.sqrt(variance + epsilon) + beta": "np.sqrt(variance + epsilon)"},
)
def beta_ignored(x, gamma, beta, epsilon=1e-6):
    return layer_norm_of(x, gamma, np.zeros_like(beta), epsilon)


@exercise.misconception(
    "gamma-beta-ignored",
    "gamma and beta have no effect: only the normalised vector is returned.",
    wrong={
        "gamma * centred": "centred",
        "np.sqrt(variance + epsilon) + beta": "np.sqrt(variance + epsilon)",
    },
)
def gamma_beta_ignored(x, gamma, beta, epsilon=1e-6):
    return layer_norm_of(x, np.ones_like(gamma), np.zeros_like(beta), epsilon)


@exercise.misconception(
    "gamma-beta-swapped",
    "gamma and beta are swapped: gamma multiplies, beta is added.",
    wrong={
        "gamma * centred": "beta * centred",
        "np.sqrt(variance + epsilon) + beta": "np.sqrt(variance + epsilon) + gamma",
    },
)
def gamma_beta_swapped(x, gamma, beta, epsilon=1e-6):
    return layer_norm_of(x, beta, gamma, epsilon)


@exercise.misconception(
    "beta-before-gamma",
    "beta is added before the product with gamma; multiply first, then add.",
    wrong={
        "gamma * centred / np.sqrt(variance + epsilon) + beta": "gamma * "
        "(centred / np.sqrt(variance + epsilon) + beta)"
    },
)
def beta_before_gamma(x, gamma, beta, epsilon=1e-6):
    return layer_norm_of(x, gamma, gamma * beta, epsilon)


@exercise.misconception(
    "gamma-inside",
    "gamma scales x before the mean and the variance are taken; normalise first, then multiply.",
    wrong={
        "centred = x - np.mean(x, axis": "x = gamma * x\n    centred = x - np.mean(x, axis",
        "gamma * centred /": "centred /",
    },
)
def gamma_inside(x, gamma, beta, epsilon=1e-6):
    return layer_norm_of(gamma * x, np.ones_like(gamma), beta, epsilon)


@exercise.misconception(
    "integer-result",
    "Integers give integers: the fractions are cut off. Compute integers in float64.",
    wrong={
        "if x.dtype.kind": "kept = x.dtype\n    if x.dtype.kind",
        "return gamma * centred / np.sqrt(variance + epsilon) + beta": "return "
        "(gamma * centred / np.sqrt(variance + epsilon) + beta).astype(kept)",
    },
)
def integer_result(x, gamma, beta, epsilon=1e-6):
    return layer_norm_of(x, gamma, beta, epsilon).astype(x.dtype)


exercise.behaviour(
    "one-pass-variance",
    "The variance is computed as mean(x^2) - mean(x)^2: two large numbers that nearly cancel, and the "
    "digits are gone when the mean is large. Subtract the mean first, then square.",
    wrong={
        "variance = np.mean(centred * centred, axis=-1, keepdims=True)": "variance = "
        "np.mean(x * x, axis=-1, keepdims=True) - np.mean(x, axis=-1, keepdims=True) ** 2"
    },
)
exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place (for example by `x -= ...`). Make a new array.",
    on=["mutated"],
    wrong={
        "centred = x - np.mean(x, axis=-1, keepdims=True)": "x -= np.mean(x, axis=-1, keepdims=True)"
        "\n    centred = x"
    },
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 in must give float32 out (and float64 gives float64).",
    on=["dtype"],
    wrong={'if x.dtype.kind != "f":': "if True:"},
)


def layer_norm_of(x, gamma, beta, epsilon):
    """The right formula in one line, for mistakes that lie elsewhere."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt(x.var(axis=-1, keepdims=True) + epsilon) + beta


def draw(rng: np.random.Generator, *shape: int, dtype: type = np.float64, shift: float = 0.7) -> list:
    """Inputs off centre and of spread near 1, gamma and beta away from 1 and 0."""
    width = shape[-1]
    x = shift + rng.normal(size=shape) * 1.5
    gamma = rng.uniform(0.5, 2.0, size=width) * rng.choice([-1.0, 1.0], size=width)
    return [array.astype(dtype) for array in (x, gamma, rng.uniform(0.3, 1.0, size=width))]


@exercise.check("one vector of four numbers")
def one_vector(submission: Submission, rng: np.random.Generator) -> None:
    x = rng.permutation([1.0, 2.0, 4.0, 9.0])
    submission.expect(NAME, x, np.ones(4), np.zeros(4))
    submission.expect(NAME, x, np.array([1.0, 2.0, 0.5, -1.0]), np.array([0.5, 1.0, -2.0, 0.25]))


@exercise.check("every row on its own")
def rows(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 2, 3))
    submission.expect(NAME, *draw(rng, 4, 4))


@exercise.check("rows of very different size")
def mixed_sizes(submission: Submission, rng: np.random.Generator) -> None:
    x, gamma, beta = draw(rng, 3, 5)
    submission.expect(NAME, x * np.array([[0.1], [1.0], [30.0]]) + [[5.0], [0.0], [-40.0]], gamma, beta)


@exercise.check("a batch of sequences; two leading axes more")
def batches(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 2, 3, 5))
    submission.expect(NAME, *draw(rng, 2, 4, 3, 7))
    submission.expect(NAME, *draw(rng, 3, 3, 3))


@exercise.check("a small spread: epsilon stands inside the root")
def small_spread(submission: Submission, rng: np.random.Generator) -> None:
    x, gamma, beta = draw(rng, 3, 8, shift=0.0)
    submission.expect(NAME, x * 1e-3, gamma, beta)
    submission.expect(NAME, (x * 1e-3).astype(np.float32), *(a.astype(np.float32) for a in (gamma, beta)))


@exercise.check("another epsilon")
def other_epsilon(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 2, 6), epsilon=0.5)
    submission.expect(NAME, *draw(rng, 3, 5), 1e-2)


@exercise.check("vectors of equal numbers, zero vectors")
def constant(submission: Submission, rng: np.random.Generator) -> None:
    # Eight small integers: every mean is exact, so the spread is exactly zero.
    _, gamma, beta = draw(rng, 8)
    x = np.repeat([[3.0], [0.0], [-2.0]], 8, axis=1)
    submission.expect(NAME, x, gamma, beta)
    submission.expect(NAME, *(array.astype(np.float32) for array in (x, gamma, beta)))


@exercise.check("a mean of 10,000 times the spread")
def far_from_zero(submission: Submission, rng: np.random.Generator) -> None:
    x, gamma, beta = draw(rng, 4, 6, 16)
    # A spread of 1e5: no mistake about epsilon shows here.
    x = 1e5 * (x / x.std(axis=-1, keepdims=True) + 1e4)
    received = submission.call(NAME, x, gamma, beta)
    expected = layer_norm(x, gamma, beta)
    if isinstance(received, np.ndarray) and received.shape == expected.shape:
        error = float(np.max(np.abs(received - expected)) / np.max(np.abs(expected)))
        if received.dtype == np.float64 and SHARP < error < BLUNT:
            submission.fail(
                f"With a mean of 10,000 times the spread the result is off by {error:.1e} of its largest "
                f"number; in float64 it can be right to {SHARP:g}.",
                "one-pass-variance",
            )
    submission.expect(NAME, x, gamma, beta)


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 5, 32, dtype=np.float32))
    submission.expect(NAME, *draw(rng, 5, 32))
    x = rng.permuted([[0, 2, 5, 9], [1, -3, 4, 8]], axis=1)
    submission.expect(NAME, x, rng.permutation([3, 2, -1, 4]), rng.permutation([2, -2, 5, 1]))


@exercise.check("a width of 1; lengths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, np.array([[3.0], [-4.0]]), np.array([2.0]), np.array([0.5]))
    submission.expect(NAME, *draw(rng, 1, 5))
    submission.expect(NAME, *draw(rng, 2, 1, 3))


@exercise.check("the same call twice; the inputs stay as they were")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, 4, 6, dtype=np.float32)
    submission.expect(NAME, *arrays)
    submission.expect(NAME, arrays[0][:2], *arrays[1:])
    submission.expect(NAME, *arrays)
