"""Local attention: the neighbours within a window, without the T x T scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from grader import reference
from grader.comparison import compare, tolerance_for
from grader.diagnosis import describe
from grader.exercise import Exercise
from grader.submission import Memory, Submission

_MEBIBYTE = 1024 * 1024
LIMIT_MIB = 512
LONG_SECONDS = 60.0  # for plain loops over all queries, and their keys, on a slow machine

exercise = Exercise(
    number=13,
    title="Local attention",
    kind="numpy",
    part="Attention from scratch",
    implements=["local_attention"],
    lesson="06_soft_hard_local#local-attention",
    minutes=35,
    difficulty=3,
    memory_mib=LIMIT_MIB + 32,  # what the worker itself needs for the inputs and the result
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "How many keys can one query see at most, whatever T is? Only those scores need to exist.",
        "Take the queries in chunks: those from start to stop need the keys from start - window to "
        "stop + window, cut off at both ends of the sequence. A chunk is attention with a mask.",
        "for start in range(0, length, chunk): first, last = max(0, start - window), min(length, stop + "
        "window); scores of query[start:stop] against key[first:last] / sqrt(D); -inf where |i - j| > "
        "window, i and j counted from the start of the sequence; softmax; times value[first:last].",
    ],
)
NAME = "local_attention"
SCALE = "scale = query.dtype.type(np.sqrt(width))"
INSIDE = "np.abs(offset) <= window"
BOUNDS = "first, last = max(0, start - window), min(length, stop + window)"
SIZES = "length, width = query.shape[-2:]"
WEIGHTS = "_softmax(scores) @ value[..., first:last, :]"
RETURN = "return context\n"
# Wrong code that looks everywhere does so where the whole is small; the memory is not its mistake.
EVERYWHERE = f"{SIZES}\n    window = length if length < 1000 else window"


def offsets(query: np.ndarray) -> np.ndarray:
    """The distance from query i to key j, j - i: (T, T)."""
    place = np.arange(query.shape[-2])
    return place - place[:, None]


def attend(query, key, value, mask, scale=None):
    """Scaled dot-product attention, the context alone."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    return reference.attend(query, key, value, mask, scale=scale)[0]


@exercise.oracle(NAME)
def local_attention(query, key, value, window):
    """The right answer for short sequences; `blockwise` is the one for long ones."""
    return attend(query, key, value, np.abs(offsets(query)) <= window)


def blockwise(query, key, value, window):
    """The right answer in blocks of queries, for sequences without leading axes."""
    blocks, size = [], 2 * window + 16
    for start in range(0, len(query), size):
        first = max(0, start - window)
        near = slice(first, start + size + window)
        rows = query[start : start + size]
        offset = np.arange(first, first + len(key[near])) - np.arange(start, start + len(rows))[:, None]
        blocks.append(attend(rows, key[near], value[near], np.abs(offset) <= window))
    return np.concatenate(blocks)


@exercise.misconception("no-scaling", "The scores are not divided by sqrt(D).", wrong={SCALE: "scale = 1"})
def no_scaling(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) <= window, 1.0)


@exercise.misconception(
    "scaled-by-width",
    "The scores are divided by D; the square root of D is asked for.",
    wrong={SCALE: "scale = width"},
)
def scaled_by_width(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) <= window, 1 / query.shape[-1])


@exercise.misconception(
    "scaled-by-length",
    "The scores are divided by the square root of the length; the width D belongs there.",
    wrong={SCALE: "scale = query.dtype.type(np.sqrt(length))"},
)
def scaled_by_length(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) <= window, query.shape[-2] ** -0.5)


@exercise.misconception(
    "scaled-by-window",
    "The scores are divided by the square root of the window's size; the width D belongs there.",
    wrong={SCALE: "scale = query.dtype.type(np.sqrt(2 * window + 1))"},
)
def scaled_by_window(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) <= window, (2 * window + 1) ** -0.5)


@exercise.misconception(
    "multiplied-by-scale",
    "The scores are multiplied by sqrt(D); they must be divided by it.",
    wrong={SCALE: "scale = query.dtype.type(1 / np.sqrt(width))"},
)
def multiplied_by_scale(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) <= window, query.shape[-1] ** 0.5)


@exercise.misconception(
    "scaled-twice",
    "The square root of D is taken twice; divide by sqrt(D).",
    wrong={SCALE: "scale = query.dtype.type(width**0.25)"},
)
def scaled_twice(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) <= window, query.shape[-1] ** -0.25)


@exercise.misconception(
    "backward-only",
    "Only the keys before a query (and its own) are seen; the window reaches to both sides.",
    wrong={INSIDE: "(offset <= 0) & (offset >= -window)"},
)
def backward_only(query, key, value, window):
    offset = offsets(query)
    return attend(query, key, value, (offset <= 0) & (offset >= -window))


@exercise.misconception(
    "forward-only",
    "Only the keys after a query (and its own) are seen; the window reaches to both sides.",
    wrong={INSIDE: "(offset >= 0) & (offset <= window)"},
)
def forward_only(query, key, value, window):
    offset = offsets(query)
    return attend(query, key, value, (offset >= 0) & (offset <= window))


@exercise.misconception(
    "window-is-total",
    "`window` is taken as the whole size of the neighbourhood; it counts the keys on each side.",
    wrong={INSIDE: "np.abs(offset) <= window // 2"},
)
def window_is_total(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) <= window // 2)


@exercise.misconception(
    "window-exclusive",
    "The keys at distance `window` are left out (< in the place of <=).",
    wrong={INSIDE: "np.abs(offset) < window"},
)
def window_exclusive(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) < window)


@exercise.misconception(
    "right-end-exclusive",
    "The last key of the window is left out: the end of a slice is not part of it, so it must be "
    "i + window + 1.",
    wrong={INSIDE: "(offset >= -window) & (offset < window)"},
)
def right_end_exclusive(query, key, value, window):
    offset = offsets(query)
    return attend(query, key, value, (offset >= -window) & (offset < window))


@exercise.misconception(
    "window-too-wide",
    "The window reaches one key too far; the distance may be `window` at most.",
    wrong={
        INSIDE: "np.abs(offset) <= window + 1",
        BOUNDS: BOUNDS.replace("window", "window - 1").replace("+ window - 1", "+ window + 1"),
    },
)
def window_too_wide(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) <= window + 1)


@exercise.misconception(
    "own-key-left-out",
    "A query does not see its own position; the distance 0 belongs to the window.",
    wrong={INSIDE: "(np.abs(offset) <= window) & (offset != 0)"},
)
def own_key_left_out(query, key, value, window):
    offset = offsets(query)
    return attend(query, key, value, (np.abs(offset) <= window) & (offset != 0))


@exercise.misconception(
    "blocks",
    "The sequence is cut into blocks and each query sees its own block only; the window moves along with "
    "the query.",
    wrong={
        INSIDE: "np.arange(first, last) // (window + 1) == np.arange(start, stop)[:, None] // (window + 1)"
    },
)
def blocks(query, key, value, window):
    block = np.arange(query.shape[-2]) // (window + 1)
    return attend(query, key, value, block == block[:, None])


@exercise.misconception(
    "no-window",
    "Every query sees every key: the window has no effect.",
    wrong={SIZES: EVERYWHERE},
)
def no_window(query, key, value, window):
    return attend(query, key, value, None)


@exercise.misconception(
    "outside-added-to-softmax",
    "Keys outside the window have a score of 0 in the softmax and take a part of the weights. Put -inf "
    "there.",
    wrong={
        SIZES: SIZES + "\n    wide = max(window, length) if length < 1000 else window",
        BOUNDS: BOUNDS.replace("window", "wide"),
        "scores, -np.inf)": "scores, 0)",
    },
)
def outside_added_to_softmax(query, key, value, window):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    return reference.softmax(np.where(np.abs(offsets(query)) <= window, scores, 0)) @ value


@exercise.misconception(
    "mask-after-softmax",
    "The softmax runs over all keys and the weights outside the window are removed afterwards, so the rest "
    "does not sum to 1. Restrict the scores first.",
    wrong={
        SIZES: SIZES + "\n    wide = max(window, length) if length < 1000 else window",
        BOUNDS: BOUNDS.replace("window", "wide"),
        "scores = np.where(np.abs(offset) <= window, scores, -np.inf)": "inside = np.abs(offset) <= window",
        WEIGHTS: "np.where(inside, _softmax(scores), 0) @ value[..., first:last, :]",
    },
)
def mask_after_softmax(query, key, value, window):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    return np.where(np.abs(offsets(query)) <= window, reference.softmax(scores), 0) @ value


def extended(query, key, value, window, mode):
    """Attention in which the sequence goes on beyond its ends, as np.pad's mode says."""
    margin = [(0, 0)] * (key.ndim - 2) + [(window, window), (0, 0)]
    key, value = np.pad(key, margin, mode=mode), np.pad(value, margin, mode=mode)
    offset = np.arange(key.shape[-2]) - np.arange(query.shape[-2])[:, None]
    return attend(query, key, value, (offset >= 0) & (offset <= 2 * window))


def extending(mode: str) -> dict[str, str]:
    """Edits of the solution that do the same."""
    return {
        SIZES: f"{SIZES}\n    margin = [(0, 0)] * (key.ndim - 2) + [(window, window), (0, 0)]\n"
        f"    key, value = np.pad(key, margin, mode='{mode}'), np.pad(value, margin, mode='{mode}')",
        BOUNDS: "first, last = start, stop + 2 * window",
        "offset = np.arange(first, last)": "offset = np.arange(first, last) - window",
    }


@exercise.misconception(
    "padding-gets-weight",
    "Near the ends the zeros of the padding take part in the softmax: a score of 0 is a weight. Positions "
    "outside the sequence need -inf.",
    wrong=extending("constant"),
)
def padding_gets_weight(query, key, value, window):
    return extended(query, key, value, window, "constant")


@exercise.misconception(
    "ends-repeated",
    "Near the ends the first or last key is counted several times (np.clip on the indices, or edge "
    "padding). Positions outside the sequence do not exist.",
    wrong=extending("edge"),
)
def ends_repeated(query, key, value, window):
    return extended(query, key, value, window, "edge")


@exercise.misconception(
    "ends-wrap-around",
    "Near the ends the window wraps around to the other end (np.roll, or negative indices). Positions "
    "outside the sequence do not exist.",
    wrong=extending("wrap"),
)
def ends_wrap_around(query, key, value, window):
    return extended(query, key, value, window, "wrap")


@exercise.misconception(
    "window-pushed-inside",
    "Near the ends the window is pushed inside, so that every query has 2 * window + 1 keys. Queries near "
    "the ends have fewer.",
    wrong={
        BOUNDS: "first, last = 0, length",
        INSIDE: "(low <= np.arange(length)) & (np.arange(length) <= low + 2 * window)",
        "offset = np.arange(first, last) - np.arange(start, stop)[:, None]": "low = np.clip(np.arange("
        "start, stop)[:, None] - window, 0, max(0, length - 2 * window - 1))",
    },
)
def window_pushed_inside(query, key, value, window):
    length = query.shape[-2]
    place = np.arange(length)
    low = np.clip(place[:, None] - window, 0, max(0, length - 2 * window - 1))
    return attend(query, key, value, (low <= place) & (place <= low + 2 * window))


@exercise.misconception(
    "negative-start",
    "Near the beginning i - window is negative, and a slice with a negative start counts from the end: it "
    "is empty, or the wrong piece. Use max(0, i - window).",
    wrong={
        "offset = np.arange(first, last)": "low = np.arange(start, stop)[:, None] - window\n"
        "        low = np.where(low < 0, np.maximum(0, length + low), low)\n"
        "        offset = np.arange(first, last)",
        INSIDE: "(np.arange(first, last) >= low) & (offset <= window)",
    },
)
def negative_start(query, key, value, window):
    mask = np.zeros((query.shape[-2],) * 2, bool)
    for i, row in enumerate(mask):
        row[i - window : i + window + 1] = True
    return attend(query, key, value, mask)


@exercise.misconception(
    "not-normalised",
    "The exponentials are not divided by their sum, so the weights of a query do not sum to 1.",
    wrong={
        WEIGHTS: "np.exp(scores - scores.max(axis=-1, keepdims=True)) @ value[..., first:last, :]",
    },
)
def not_normalised(query, key, value, window):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    scores = np.where(np.abs(offsets(query)) <= window, scores, -np.inf)
    return np.exp(scores - scores.max(axis=-1, keepdims=True)) @ value


@exercise.misconception(
    "ends-left-zero",
    "Queries whose window sticks out of the sequence get zeros; they attend to the neighbours they have.",
    wrong={
        RETURN: "context[..., :window, :] = 0\n    context[..., max(0, length - window) :, :] = 0\n    "
        "return context\n"
    },
)
def ends_left_zero(query, key, value, window):
    place = np.arange(query.shape[-2])
    whole = (place >= window) & (place < len(place) - window)
    return np.where(whole[:, None], local_attention(query, key, value, window), 0)


@exercise.misconception(
    "window-average",
    "All neighbours get the same weight (a moving average); the scores decide.",
    wrong={
        WEIGHTS: "_softmax(0 * np.where(np.isneginf(scores), 0, scores) + np.where("
        "np.isneginf(scores), scores, 0)) @ value[..., first:last, :]"
    },
)
def window_average(query, key, value, window):
    return attend(query, key, value, np.abs(offsets(query)) <= window, 0.0)


@exercise.misconception(
    "values-from-keys",
    "The context is a weighted sum of the keys; the values belong there.",
    wrong={
        WEIGHTS: "_softmax(scores) @ key[..., first:last, :]",
        "value.shape[-1]), query": "key.shape[-1]), query",
    },
)
def values_from_keys(query, key, value, window):
    return local_attention(query, key, key, window)


@exercise.misconception(
    "no-max-subtraction",
    "The softmax overflows: large scores give NaN. Subtract each row's maximum before exp.",
    wrong={
        WEIGHTS: "(np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)) @ value[..., first:last, :]"
    },
)
def no_max_subtraction(query, key, value, window):
    scores = query @ np.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    powers = np.exp(np.where(np.abs(offsets(query)) <= window, scores, -np.inf))
    return powers / powers.sum(axis=-1, keepdims=True) @ value


@exercise.misconception(
    "full-transpose",
    "key.T reverses all axes; with a batch axis only the last two may be swapped.",
    wrong={"np.swapaxes(keys, -1, -2)": "keys.T"},
)
def full_transpose(query, key, value, window):
    scores = query @ key.T / np.sqrt(query.shape[-1])
    return reference.softmax(np.where(np.abs(offsets(query)) <= window, scores, -np.inf)) @ value


@exercise.misconception(
    "window-beyond-length",
    "A window larger than the sequence raises; it must simply see everything.",
    wrong={SIZES: f"{SIZES}\n    if window >= length:\n        raise ValueError('window')"},
)
def window_beyond_length(query, key, value, window):
    if window >= query.shape[-2]:
        raise ValueError("window")
    return local_attention(query, key, value, window)


@exercise.misconception(
    "window-zero-empty",
    "A window of 0 fails (a slice such as [w:-w] is empty then); each query sees its own key.",
    wrong={SIZES: f"{SIZES}\n    if window == 0:\n        value = value * query.dtype.type(0)"},
)
def window_zero_empty(query, key, value, window):
    return local_attention(query, key, value, window) * (window > 0)


@exercise.misconception(
    "integer-result",
    "Integers give integers: the fractions are cut off. Compute integers in float64.",
    wrong={
        "if query.dtype.kind": "kept = query.dtype\n    if query.dtype.kind",
        RETURN: "return context.astype(kept)\n",
    },
)
def integer_result(query, key, value, window):
    return local_attention(query, key, value, window).astype(query.dtype)


exercise.behaviour(
    "full-matrix",
    "Too much memory: did you build all T×T scores (or a T×T mask)? Compute only those within the window, "
    "for a chunk of queries at a time.",
    wrong={SIZES: f"{SIZES}\n    np.ones((length, length), bool)"},
)
exercise.behaviour(
    "window-copies",
    "Too much memory, though not for T×T scores: copies of every query's keys and values take "
    "T·(2·window+1)·D numbers each. Take a chunk of queries at a time.",
    wrong={
        SIZES: f"{SIZES}\n    copies = [np.ones((length, 2 * window + 1, width), query.dtype) "
        "for _ in 'kv' if length > 1000]"
    },
)
exercise.behaviour(
    "not-one-array",
    "One array is asked for, the context alone: not a tuple with the weights, and not None (is the return "
    "missing?).",
    on=["type"],
    wrong={RETURN: "return context, scores\n"},
)
exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place. Make new arrays.",
    on=["mutated"],
    wrong={SCALE: f"{SCALE}\n    query /= scale\n    scale = 1"},
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 in must give float32 out (and float64 gives float64).",
    on=["dtype"],
    wrong={'if query.dtype.kind != "f":': "if True:"},
)


def draw(
    rng: np.random.Generator,
    length: int,
    lead: tuple[int, ...] = (),
    width: int = 5,
    value_width: int = 3,
    dtype: type = np.float64,
) -> list[np.ndarray]:
    """Query, key and value; every axis has its own length."""
    shapes = [(*lead, length, width)] * 2 + [(*lead, length, value_width)]
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def require_right(submission: Submission, received: Any, arrays: list[np.ndarray], window: int) -> None:
    """Compare the result for a long sequence, which no oracle or misconception may see as a whole."""
    expected = blockwise(*(array.astype(np.float64) for array in arrays), window)
    allowed = tolerance_for("float32", 2 * window + 1)
    difference = compare(expected, received, dtype="float32", allowed=allowed)
    if difference is not None:
        lines = [f"{len(expected)} positions, window {window}:", *describe(difference)]
        submission.fail("\n".join(lines))


def used(memory: Memory) -> str:
    """Say what a call took."""
    if memory.exhausted:
        return memory.exhausted[0].upper() + memory.exhausted[1:]
    return f"The call needed {max(memory.resident, memory.reserved) // _MEBIBYTE} MiB."


@exercise.check("five positions, window 1")
def five_positions(submission: Submission, rng: np.random.Generator) -> None:
    arrays = [np.round(array, 1) for array in draw(rng, 5, width=2, value_width=1)]
    submission.expect(NAME, *arrays, 1)


@exercise.check("other lengths and windows")
def windows(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 11), 2)
    submission.expect(NAME, *draw(rng, 17, width=4, value_width=6), window=3)


@exercise.check("window 0: each position sees itself")
def window_zero(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 6), 0)
    submission.expect(NAME, *draw(rng, 4, lead=(2,)), 0)


@exercise.check("a window that reaches the ends and beyond")
def wide_windows(submission: Submission, rng: np.random.Generator) -> None:
    for window in (4, 6, 7, 25):
        submission.expect(NAME, *draw(rng, 7), window)


@exercise.check("a batch; two leading axes")
def leading_axes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 9, lead=(2,)), 2)
    submission.expect(NAME, *draw(rng, 7, lead=(2, 3), width=4, value_width=6), 1)
    submission.expect(NAME, *draw(rng, 4, lead=(4,), width=4, value_width=4), 2)


@exercise.check("longer sequences")
def longer(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 301), 7)
    submission.expect(NAME, *draw(rng, 130, lead=(2,)), 40)


@exercise.check("large scores do not overflow")
def large(submission: Submission, rng: np.random.Generator) -> None:
    # Width 4 and small integers: all scores are exact in float32 too.
    query, key, value = draw(rng, 9, width=4)
    query, key = np.rint(query) * 100 + 2, np.rint(key) * 100 + 2
    submission.expect(NAME, query, key, value, 2)
    submission.expect(NAME, *(array.astype(np.float32) for array in (query, key, value)), 3)


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 12, width=16, dtype=np.float32), 3)
    submission.expect(NAME, *draw(rng, 12, width=16), 3)
    submission.expect(NAME, *(np.rint(3 * array).astype(np.int64) for array in draw(rng, 8)), 2)


@exercise.check("a length of 1; widths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, 1, width=3, value_width=2), 1)
    submission.expect(NAME, *draw(rng, 6, lead=(1,), width=1, value_width=1), 2)


@exercise.check("the same call twice; the inputs stay as they were")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    arrays = draw(rng, 10, lead=(2,), dtype=np.float32)
    submission.expect(NAME, *arrays, 2)
    submission.expect(NAME, *draw(rng, 13, lead=(2,)), 4)
    submission.expect(NAME, *arrays, 2)


@exercise.check("32,000 positions, window 2: nothing of size T×T", fresh=True, seconds=LONG_SECONDS)
def nothing_square(submission: Submission, rng: np.random.Generator) -> None:
    require_nothing_square(submission, rng)


def require_nothing_square(submission: Submission, rng: np.random.Generator) -> None:
    """Require a right result without an array of T×T, be it booleans."""
    # T×T booleans are 1 GB, far above anything of size T·window·D; reserved counts what was never filled.
    length, window = 32_000, 2
    arrays = draw(rng, length, width=4, dtype=np.float32)
    received, memory = submission.call_measured(NAME, *arrays, window)
    if memory.exhausted or memory.reserved > 0.9 * length**2:
        submission.fail(used(memory), "full-matrix")
    require_right(submission, received, arrays, window)


@exercise.check("20,000 positions, window 64: within 512 MB", fresh=True, seconds=LONG_SECONDS)
def within_limit(submission: Submission, rng: np.random.Generator) -> None:
    require_nothing_square(submission, rng)  # so that what is too much below is something else
    length, window = 20_000, 64
    arrays = draw(rng, length, width=32, value_width=32, dtype=np.float32)
    received, memory = submission.call_measured(NAME, *arrays, window)
    if memory.exhausted or memory.resident > (LIMIT_MIB + 32) * _MEBIBYTE:
        submission.fail(used(memory), "window-copies")
    require_right(submission, received, arrays, window)
