"""Sinusoidal positional encoding, odd widths and far positions included."""

from __future__ import annotations

import numpy as np

from grader.exercise import Exercise
from grader.submission import Call, Submission

exercise = Exercise(
    number=11,
    title="Sinusoidal positional encoding",
    kind="numpy",
    part="Attention from scratch",
    implements=["positional_encoding"],
    lesson="05_positions#sinusoids",
    minutes=15,
    difficulty=2,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Write down the exponents of the columns 0 to 4 for d_model = 5, as fractions. Which columns share "
        "one?",
        "Positions as a column (T, 1) divided by base**exponents as a row (D,) broadcast to all angles "
        "(T, D). The exponent is 2 * (j // 2) / d_model for column j, also where d_model is odd.",
        "columns = np.arange(d_model); angles = np.arange(length)[:, None] / base ** (2 * (columns // 2) / "
        "d_model); np.where(columns % 2 == 0, np.sin(angles), np.cos(angles)); then .astype(np.float32).",
    ],
)
NAME = "positional_encoding"
EXPONENTS = "2 * (columns // 2) / d_model"
WAVES = "np.where(columns % 2 == 0, np.sin(angles), np.cos(angles))"


@exercise.oracle(NAME)
def encode(length, d_model, base=10000.0):
    """The right answer, column by column."""
    return waves(length, d_model, base, lambda j: 2 * (j // 2) / d_model)


def waves(length, d_model, base, exponent, sine=lambda j: j % 2 == 0, first=0):
    """Sine or cosine of position / base^exponent(j)."""
    positions, rows = np.arange(first, first + length, dtype=np.float64), np.empty((length, d_model))
    for j in range(d_model):
        rows[:, j] = (np.sin if sine(j) else np.cos)(positions / base ** exponent(j))
    return rows


@exercise.misconception(
    "exponent-not-floored",
    "The exponent is j/d_model for every column j, so a sine and its cosine have different frequencies. "
    "The two of a pair share one: 2 floor(j/2) / d_model.",
    wrong={EXPONENTS: "columns / d_model"},
)
def exponent_not_floored(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: j / d_model)


@exercise.misconception(
    "column-for-pair",
    "The exponent is 2j/d_model with the column j; the formula counts pairs: 2 floor(j/2) / d_model.",
    wrong={EXPONENTS: "2 * columns / d_model"},
)
def column_for_pair(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: 2 * j / d_model)


@exercise.misconception(
    "exponent-doubled",
    "The exponents are twice as large as they should be. np.arange(0, d_model, 2) already holds the 2i of "
    "the formula: do not multiply it by 2 again.",
    wrong={EXPONENTS: "4 * (columns // 2) / d_model"},
)
def exponent_doubled(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: 4 * (j // 2) / d_model)


@exercise.misconception(
    "exponent-halved",
    "The exponents are half as large as they should be: floor(j/2) counts the pairs, and the formula takes "
    "twice that, over d_model.",
    wrong={EXPONENTS: "(columns // 2) / d_model"},
)
def exponent_halved(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: j // 2 / d_model)


@exercise.misconception(
    "integer-division",
    "The exponent is computed with //, which makes it 0 everywhere: all columns have one frequency. "
    "Use / for 2 floor(j/2) / d_model.",
    wrong={EXPONENTS: "2 * (columns // 2) // d_model"},
)
def integer_division(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: 0)


@exercise.misconception(
    "spread-to-the-base",
    "The frequencies run from 1 to 1/base (the exponent is divided by the number of pairs less 1, as in "
    "Tensor2Tensor). In the paper's formula it is divided by d_model.",
    wrong={EXPONENTS: "(columns // 2) / max((d_model + 1) // 2 - 1, 1)"},
)
def spread_to_the_base(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: j // 2 / max((d_model + 1) // 2 - 1, 1))


@exercise.misconception(
    "odd-width-rounded",
    "An odd d_model is rounded to an even number in the exponent. Divide by d_model as it is.",
    wrong={EXPONENTS: "(columns // 2) / ((d_model + 1) // 2)"},
)
def odd_width_rounded(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: j // 2 / ((d_model + 1) // 2))


@exercise.misconception(
    "odd-width-rounded-down",
    "An odd d_model is rounded down in the exponent (d_model // 2 pairs). Divide by d_model as it is.",
    wrong={EXPONENTS: "(columns // 2) / max(d_model // 2, 1)"},
)
def odd_width_rounded_down(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: j // 2 / max(d_model // 2, 1))


@exercise.misconception(
    "divided-by-length",
    "The exponent is divided by the number of positions; the width d_model belongs there.",
    wrong={EXPONENTS: "2 * (columns // 2) / length"},
)
def divided_by_length(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: 2 * (j // 2) / length)


@exercise.misconception(
    "multiplied",
    "The position is multiplied by base^(...); divide by it (or take exp with a minus sign).",
    wrong={"positions / base**exponents": "positions * base**exponents"},
)
def multiplied(length, d_model, base=10000.0):
    return waves(length, d_model, 1 / base, lambda j: 2 * (j // 2) / d_model)


@exercise.misconception(
    "base-1000",
    "The base is 1000 by default; it is 10000.",
    wrong={"base=10000.0": "base=1000.0"},
)
def base_1000(length, d_model, base=1000.0):
    return encode(length, d_model, base)


@exercise.misconception(
    "base-ignored",
    "The argument `base` is ignored: 10000 stands in the code.",
    wrong={"positions / base**exponents": "positions / 10000.0**exponents"},
)
def base_ignored(length, d_model, base=10000.0):
    return encode(length, d_model)


@exercise.misconception(
    "sin-cos-swapped",
    "Sine and cosine are swapped: sine belongs to the even columns (0, 2, ...), cosine to the odd ones.",
    wrong={"columns % 2 == 0": "columns % 2 == 1"},
)
def sin_cos_swapped(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: 2 * (j // 2) / d_model, sine=lambda j: j % 2 == 1)


@exercise.misconception(
    "sines-only",
    "All columns are sines. The odd columns are cosines of the same angle.",
    wrong={WAVES: "np.sin(angles)"},
)
def sines_only(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: 2 * (j // 2) / d_model, sine=lambda j: True)


@exercise.misconception(
    "concatenated",
    "All sines come first, then all cosines. That is a known variant, but here (as in the paper) they "
    "alternate: sine in even columns, cosine in odd ones.",
    wrong={WAVES: "np.concatenate([np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])], axis=1)"},
)
def concatenated(length, d_model, base=10000.0):
    rows = encode(length, d_model, base)
    return np.concatenate([rows[:, 0::2], rows[:, 1::2]], axis=1)


@exercise.misconception(
    "alternating-positions",
    "Sine and cosine alternate over the positions (rows). They alternate over the columns.",
    wrong={"columns % 2 == 0": "positions % 2 == 0"},
)
def alternating_positions(length, d_model, base=10000.0):
    rows = waves(length, d_model, base, lambda j: 2 * (j // 2) / d_model, sine=lambda j: True)
    rows[1::2] = waves(length, d_model, base, lambda j: 2 * (j // 2) / d_model, sine=lambda j: False)[1::2]
    return rows


@exercise.misconception(
    "positions-from-1",
    "The positions count from 1; the first one is 0.",
    wrong={"np.arange(length, dtype=np.float64)": "np.arange(1.0, length + 1)"},
)
def positions_from_1(length, d_model, base=10000.0):
    return waves(length, d_model, base, lambda j: 2 * (j // 2) / d_model, first=1)


@exercise.misconception(
    "positions-scaled",
    "The positions are divided by the length. They are the whole numbers 0, 1, 2, ...",
    wrong={"positions / base**exponents": "positions / length / base**exponents"},
)
def positions_scaled(length, d_model, base=10000.0):
    angles = np.arange(length)[:, None] / length / base ** (np.arange(d_model) // 2 * 2 / d_model)
    return np.where(np.arange(d_model) % 2 == 0, np.sin(angles), np.cos(angles))


@exercise.misconception(
    "angles-returned",
    "The angles are returned without their sine and cosine.",
    wrong={WAVES: "angles"},
)
def angles_returned(length, d_model, base=10000.0):
    return np.arange(length)[:, None] / base ** (np.arange(d_model) // 2 * 2 / d_model)


@exercise.misconception(
    "transposed",
    "The axes are swapped: one row per position, one column per feature, (length, d_model).",
    wrong={"return encoding": "return encoding.T"},
)
def transposed(length, d_model, base=10000.0):
    return encode(length, d_model, base).T


@exercise.misconception(
    "batch-axis-added",
    "The result has a batch axis, (1, length, d_model); (length, d_model) is asked for.",
    wrong={"return encoding": "return encoding[np.newaxis]"},
)
def batch_axis_added(length, d_model, base=10000.0):
    return encode(length, d_model, base)[np.newaxis]


@exercise.misconception(
    "odd-width-fails",
    "An odd d_model raises: there is one cosine less than sines. Cut the cosines to d_model // 2 columns.",
    wrong={
        WAVES: "np.empty((length, d_model))\n    encoding[:, 0::2] = np.sin(angles[:, 0::2])\n"
        "    encoding[:, 1::2] = np.cos(angles[:, 0::2])"
    },
)
def odd_width_fails(length, d_model, base=10000.0):
    if d_model % 2 and d_model > 1:  # NumPy accepts one column for none
        raise ValueError
    return encode(length, d_model, base)


@exercise.misconception(
    "odd-width-grows",
    "An odd d_model gives one column too many: the last sine has no cosine.",
    wrong={
        WAVES: "np.stack([np.sin(angles[:, 0::2]), np.cos(angles[:, 0::2])], axis=-1).reshape(length, -1)"
    },
)
def odd_width_grows(length, d_model, base=10000.0):
    width = d_model + d_model % 2
    return waves(length, width, base, lambda j: 2 * (j // 2) / d_model)


@exercise.misconception(
    "odd-width-shrinks",
    "An odd d_model gives one column too few: the last column is a sine without its cosine.",
    wrong={"return encoding": "return encoding[:, : d_model // 2 * 2]"},
)
def odd_width_shrinks(length, d_model, base=10000.0):
    return encode(length, d_model, base)[:, : d_model // 2 * 2]


@exercise.misconception(
    "odd-width-zero",
    "With an odd d_model the last column stays 0; it is a sine.",
    wrong={"encoding = np.where(": "angles[:, d_model // 2 * 2 :] = 0\n    encoding = np.where("},
)
def odd_width_zero(length, d_model, base=10000.0):
    rows = encode(length, d_model, base)
    rows[:, d_model // 2 * 2 :] = 0
    return rows


exercise.behaviour(
    "computed-in-float32",
    "Far positions are inaccurate: the angles were computed in float32, which has 7 digits. Compute in "
    "float64 and convert the result.",
    wrong={
        "positions / base**exponents": "(positions / base**exponents).astype(np.float32)",
    },
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, the dtype is not: compute in float64, then return float32.",
    wrong={".astype(np.float32)": ""},
)


def expect(submission: Submission, *args: int, **kwargs: float) -> None:
    """Compare a call with the oracle. The result is float32 whatever comes in."""
    reply = submission.request("call", name=NAME, args=args, kwargs=kwargs)

    def compute(function):
        return function(*args, **kwargs)

    call = Call(NAME, args, kwargs, submission.parameters(NAME))
    received = submission.judge_reply(NAME, reply, compute, call, dtype="")
    if received.dtype != np.float32:
        submission.fail(f"Expected dtype float32; received {received.dtype}.", "wrong-precision")


def some(rng: np.random.Generator, low: int, high: int) -> int:
    """A length that nobody can know before."""
    return int(rng.integers(low, high + 1))


@exercise.check("four columns, a few positions")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    expect(submission, 7, 4)
    expect(submission, some(rng, 8, 10), 4)


@exercise.check("six, eight, ten columns")
def even_widths(submission: Submission, rng: np.random.Generator) -> None:
    for d_model in (6, 8, 10):
        expect(submission, some(rng, 11, 20), d_model)


@exercise.check("odd widths")
def odd_widths(submission: Submission, rng: np.random.Generator) -> None:
    for d_model in (5, 3, 9):
        expect(submission, some(rng, 10, 20), d_model)


@exercise.check("another base, an odd and an even width")
def bases(submission: Submission, rng: np.random.Generator) -> None:
    expect(submission, some(rng, 9, 15), 8, base=100.0)
    expect(submission, some(rng, 8, 15), 7, base=float(some(rng, 20, 500)))


@exercise.check("one column, two columns")
def narrow(submission: Submission, rng: np.random.Generator) -> None:
    expect(submission, some(rng, 3, 9), 1)
    expect(submission, some(rng, 3, 9), 2)


@exercise.check("a single position")
def one_position(submission: Submission, rng: np.random.Generator) -> None:
    expect(submission, 1, some(rng, 3, 5) * 2)
    expect(submission, 1, some(rng, 3, 5) * 2 + 1)
    expect(submission, 1, 1)


@exercise.check("a sentence of the paper's model")
def paper(submission: Submission, rng: np.random.Generator) -> None:
    expect(submission, some(rng, 40, 60), 512)


@exercise.check("positions beyond 20000 are accurate")
def far(submission: Submission, rng: np.random.Generator) -> None:
    expect(submission, some(rng, 20, 30), 16)  # wrong here already: not the far positions' fault
    with submission.suspecting("computed-in-float32"):
        expect(submission, some(rng, 20_001, 20_500), 16)


@exercise.check("the same call twice, another base in between")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    length = some(rng, 10, 15)
    expect(submission, length, 6)
    expect(submission, length, 6, base=50.0)
    expect(submission, length, 6)
