"""Score functions: dot, scaled dot, general, cosine."""

from __future__ import annotations

import numpy as np

from grader import reference
from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=4,
    title="Score functions",
    kind="numpy",
    part="Attention from scratch",
    implements=["attention_scores"],
    outputs={"attention_scores": ("scores",)},
    lesson="02_score_functions_and_masks#score-functions",
    minutes=20,
    difficulty=2,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "All four end in a product of queries with transposed keys. What happens to the query before it "
        "(general), and to the scores after it (scaled_dot, cosine)?",
        "The lengths of the queries are a column (..., Tq, 1), those of the keys a row (..., 1, Tk), so "
        "that their product broadcasts against the scores. Where a length is 0, divide by 1.",
        "general: (query @ w) @ key^T; scaled_dot: / np.sqrt(query.shape[-1]); cosine: lengths = "
        "np.linalg.norm(array, axis=-1, keepdims=True), lengths[lengths == 0] = 1, then the dot product "
        "of query / lengths and key / lengths. Raise ValueError before anything else.",
    ],
)
NAME = "attention_scores"
KINDS = ("dot", "scaled_dot", "general", "cosine")


def unit(vectors):
    """Vectors of length 1, zeros where they are zero; safe for very short ones."""
    largest = np.max(np.abs(vectors), axis=-1, keepdims=True)
    vectors = vectors / np.where(largest == 0, 1, largest)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1)


def product(query, key):
    """Dot product of every query with every key."""
    return np.einsum("...qd,...kd->...qk", query, key).astype(np.float64)


@exercise.oracle(NAME)
def score(query, key, kind="scaled_dot", w=None):
    """The right answer."""
    if kind not in KINDS or (kind == "general" and w is None):
        raise ValueError(kind)
    if kind == "general":
        return product(np.einsum("...qd,de->...qe", query, w), key)
    if kind == "cosine":
        return product(unit(query), unit(key))
    return product(query, key) / (np.sqrt(query.shape[-1]) if kind == "scaled_dot" else 1)


def instead(kind, wrong):
    """A function that is right for all kinds but one; `wrong(query, key, w)` computes that one."""

    def mistaken(query, key, given="scaled_dot", w=None):
        return wrong(query, key, w) if given == kind else score(query, key, given, w)

    return lambda query, key, kind="scaled_dot", w=None: mistaken(query, key, kind, w)


def mistake(id, explanation, kind, function, wrong):
    """Register a misconception about one kind."""
    exercise.misconception(id, explanation, wrong=wrong)(instead(kind, function))


# scaled_dot

SCALE = "scores / query.dtype.type(np.sqrt(query.shape[-1]))"

mistake(
    "no-scaling",
    '"scaled_dot" is not divided by sqrt(D).',
    "scaled_dot",
    lambda query, key, w: product(query, key),
    {SCALE: "scores"},
)
mistake(
    "scaled-by-width",
    '"scaled_dot" is divided by D; the square root of D is asked for.',
    "scaled_dot",
    lambda query, key, w: product(query, key) / query.shape[-1],
    {SCALE: "scores / query.shape[-1]"},
)
mistake(
    "scaled-by-length",
    '"scaled_dot" is divided by the square root of the number of keys; the width D (the last axis) '
    "belongs there.",
    "scaled_dot",
    lambda query, key, w: product(query, key) / np.sqrt(key.shape[-2]),
    {SCALE: "scores / query.dtype.type(np.sqrt(key.shape[-2]))"},
)
mistake(
    "scaled-by-query-length",
    '"scaled_dot" is divided by the square root of the number of queries; the width D (the last axis) '
    "belongs there.",
    "scaled_dot",
    lambda query, key, w: product(query, key) / np.sqrt(query.shape[-2]),
    {SCALE: "scores / query.dtype.type(np.sqrt(query.shape[-2]))"},
)
mistake(
    "multiplied-by-scale",
    '"scaled_dot" is multiplied by sqrt(D); it must be divided by it.',
    "scaled_dot",
    lambda query, key, w: product(query, key) * np.sqrt(query.shape[-1]),
    {SCALE: "scores * query.dtype.type(np.sqrt(query.shape[-1]))"},
)
mistake(
    "dot-scaled",
    '"dot" is divided by sqrt(D); only "scaled_dot" is.',
    "dot",
    lambda query, key, w: product(query, key) / np.sqrt(query.shape[-1]),
    {'if kind == "scaled_dot":': 'if kind in ("dot", "scaled_dot"):'},
)

# general

mistake(
    "general-scaled",
    '"general" is divided by sqrt(D); only "scaled_dot" is.',
    "general",
    lambda query, key, w: score(query, key, "general", w) / np.sqrt(key.shape[-1]),
    {'if kind == "scaled_dot":': 'if kind in ("general", "scaled_dot"):'},
)
mistake(
    "w-transposed",
    '"general" uses w transposed. Its rows belong to the query, its columns to the key: query @ w @ key^T.',
    "general",
    lambda query, key, w: product(query @ w.T, key),
    {"query @ w ": "query @ w.T "},
)
mistake(
    "w-ignored",
    '"general" ignores w: this is the plain dot product.',
    "general",
    lambda query, key, w: product(query, key),
    {"query @ w ": "query "},
)
mistake(
    "w-elementwise",
    '"general" multiplies by w element by element; query @ w is a matrix product.',
    "general",
    lambda query, key, w: product(query * w, key),
    {"query @ w ": "query * w "},
)

# cosine

QUERY_LENGTH = "query_length = np.sqrt(np.sum(query * query, axis=-1))[..., :, np.newaxis]"
KEY_LENGTH = "key_length = np.sqrt(np.sum(key * key, axis=-1))[..., np.newaxis, :]"
DIVIDED = "scores / query_length / key_length"


def lengths(query, key):
    """Lengths of queries as a column, of keys as a row."""
    return np.linalg.norm(query, axis=-1)[..., :, None], np.linalg.norm(key, axis=-1)[..., None, :]


def divided(query, key, divisor):
    """Dot products over a divisor, 0 where both are."""
    scores = product(query, key)
    return scores / np.where(divisor == 0, 1, divisor)


mistake(
    "only-query-normalised",
    '"cosine" divides by the length of the query only; the length of the key is missing.',
    "cosine",
    lambda query, key, w: product(unit(query), key),
    {DIVIDED: "scores / query_length"},
)
mistake(
    "only-key-normalised",
    '"cosine" divides by the length of the key only; the length of the query is missing.',
    "cosine",
    lambda query, key, w: product(query, unit(key)),
    {DIVIDED: "scores / key_length"},
)
mistake(
    "cosine-not-normalised",
    '"cosine" is the plain dot product: divide by the lengths of query and key.',
    "cosine",
    lambda query, key, w: product(query, key),
    {DIVIDED: "scores"},
)
mistake(
    "squared-lengths",
    '"cosine" divides by the squared lengths; the square root is missing.',
    "cosine",
    lambda query, key, w: divided(query, key, np.multiply(*lengths(query, key)) ** 2),
    {DIVIDED: "scores / query_length**2 / key_length**2"},
)
mistake(
    "lengths-added",
    '"cosine" divides by the sum of the lengths; their product is asked for.',
    "cosine",
    lambda query, key, w: divided(query, key, np.add(*lengths(query, key))),
    {DIVIDED: "scores / (query_length + key_length)"},
)
mistake(
    "norm-of-everything",
    '"cosine" divides by the norm of a whole array (np.linalg.norm without axis). Each vector has its own '
    "length: axis=-1.",
    "cosine",
    lambda query, key, w: divided(query, key, np.linalg.norm(query) * np.linalg.norm(key)),
    {
        QUERY_LENGTH: "query_length = np.sqrt(np.sum(query * query))",
        KEY_LENGTH: "key_length = np.sqrt(np.sum(key * key))",
    },
)
mistake(
    "no-keepdims",
    '"cosine" takes the lengths without keeping their axis, so they do not line up with the scores: those '
    "of the queries are a column (..., Tq, 1), those of the keys a row (..., 1, Tk).",
    "cosine",
    lambda query, key, w: divided(
        query, key, np.linalg.norm(query, axis=-1) * np.linalg.norm(key, axis=-1)
    ),
    {
        QUERY_LENGTH: "query_length = np.sqrt(np.sum(query * query, axis=-1))",
        KEY_LENGTH: "key_length = np.sqrt(np.sum(key * key, axis=-1))",
    },
)
mistake(
    "norm-over-positions",
    '"cosine" takes lengths along the positions (axis -2) rather than along the width (axis -1).',
    "cosine",
    lambda query, key, w: product(
        *(np.swapaxes(unit(np.swapaxes(a, -1, -2)), -1, -2) for a in (query, key))
    ),
    {
        DIVIDED: "(query / np.where(query.any(-2, keepdims=True), np.linalg.norm(query, axis=-2, "
        "keepdims=True), 1)) @ np.swapaxes(key / np.where(key.any(-2, keepdims=True), "
        "np.linalg.norm(key, axis=-2, keepdims=True), 1), -1, -2)"
    },
)
mistake(
    "sum-of-absolutes",
    '"cosine" divides by the sums of the absolute values; the length is the root of the sum of squares.',
    "cosine",
    lambda query, key, w: divided(
        query, key, np.abs(query).sum(-1)[..., :, None] * np.abs(key).sum(-1)[..., None, :]
    ),
    {
        "np.sqrt(np.sum(query * query, axis=-1))": "np.sum(np.abs(query), axis=-1)",
        "np.sqrt(np.sum(key * key, axis=-1))": "np.sum(np.abs(key), axis=-1)",
    },
)
mistake(
    "cosine-distance",
    "This is the cosine distance, 1 - cosine. A score grows with the match: return the cosine.",
    "cosine",
    lambda query, key, w: 1 - score(query, key, "cosine"),
    {DIVIDED: f"1 - {DIVIDED}"},
)
mistake(
    "zero-vector-nan",
    "A vector of zeros gives NaN (0/0); its cosine with everything must be 0.",
    "cosine",
    lambda query, key, w: product(query, key) / np.multiply(*lengths(query, key)),
    {
        "np.where(query_length == 0, 1, query_length)": "query_length",
        "np.where(key_length == 0, 1, key_length)": "key_length",
    },
)
exercise.behaviour(
    "lengths-shifted",
    'A small number (epsilon) is added to the lengths in "cosine", or they are cut off below: very short '
    "vectors get a wrong cosine. Treat exactly 0 on its own.",
    wrong={DIVIDED: "scores / (query_length * key_length + scores.dtype.type(1e-8))"},
)

# all kinds


@exercise.misconception(
    "wrong-default",
    'The default kind is "scaled_dot".',
    wrong={'kind="scaled_dot", w=None': 'kind="dot", w=None'},
)
def wrong_default(query, key, kind="dot", w=None):
    return score(query, key, kind, w)


@exercise.misconception(
    "kind-ignored",
    "`kind` has no effect: every kind gives the scaled dot product.",
    wrong={'    if query.dtype.kind != "f":': '    kind = "scaled_dot"\n    if query.dtype.kind != "f":'},
)
def kind_ignored(query, key, kind="scaled_dot", w=None):
    return score(query, key)


@exercise.misconception(
    "softmax-applied",
    "These are weights: the softmax was taken. The scores before it are asked for.",
    wrong={
        "    return scores\n": "    powers = np.exp(scores - scores.max(-1, keepdims=True))\n"
        "    return powers / powers.sum(-1, keepdims=True)\n"
    },
)
def softmax_applied(query, key, kind="scaled_dot", w=None):
    return reference.softmax(score(query, key, kind, w))


@exercise.misconception(
    "scores-transposed",
    "The scores have a row per key. The rows belong to the queries: (..., Tq, Tk).",
    wrong={"    return scores\n": "    return np.swapaxes(scores, -1, -2)\n"},
)
def scores_transposed(query, key, kind="scaled_dot", w=None):
    return np.swapaxes(score(query, key, kind, w), -1, -2)


@exercise.misconception(
    "full-transpose",
    "key.T reverses all axes; with a batch axis only the last two may be swapped.",
    wrong={"np.swapaxes(key, -1, -2)": "key.T"},
)
def full_transpose(query, key, kind="scaled_dot", w=None):
    query, key = (unit(query), unit(key)) if kind == "cosine" else (query, key)
    scores = (query @ w if kind == "general" else query) @ key.T
    return scores / np.sqrt(query.shape[-1]) if kind == "scaled_dot" else scores


@exercise.misconception(
    "np-dot",
    "np.dot of two batches pairs every matrix of one with every matrix of the other. Use `@` "
    "(np.matmul), which multiplies them one by one.",
    wrong={"query @ np.swapaxes(key, -1, -2)": "np.dot(query, np.swapaxes(key, -1, -2))"},
)
def np_dot(query, key, kind="scaled_dot", w=None):
    scores = np.dot(query @ w if kind == "general" else query, np.swapaxes(key, -1, -2))
    if kind == "cosine":
        return scores / np.multiply(*lengths(query, key))
    return scores / np.sqrt(query.shape[-1]) if kind == "scaled_dot" else scores


exercise.behaviour(
    "error-missing",
    'A wrong argument is accepted: an unknown kind, or "general" without w, must raise ValueError.',
    on=["no-error"],
    wrong={'    if kind not in ("dot", "scaled_dot", "general", "cosine"):': "    if False:"},
)
exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place (for example by /=). Make new arrays.",
    on=["mutated"],
    wrong={
        "scores = query @ np.swap": "if kind == 'cosine' and query.any(-1).all():\n"
        "        query /= np.linalg.norm(query, axis=-1, keepdims=True)\n    scores = query @ np.swap"
    },
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 inputs must give float32 scores (and float64 and integers give "
    "float64).",
    on=["dtype"],
    wrong={"query.dtype.type(np.sqrt(query.shape[-1]))": "np.full(1, np.sqrt(query.shape[-1]))"},
)


def draw(rng, lead=(), queries=3, keys=4, width=5, key_width=None, dtype=np.float64):
    """Query and key in which every axis has its own length, and w."""
    key_width = key_width or width
    shapes = ((*lead, queries, width), (*lead, keys, key_width), (width, key_width))
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def expect_all(submission, query, key, w):
    """Every kind on the same query and key (of one width)."""
    for kind in KINDS:
        submission.expect(NAME, query, key, kind=kind, **({"w": w} if kind == "general" else {}))


@exercise.check("dot: two queries, three keys")
def dot(submission: Submission, rng: np.random.Generator) -> None:
    query, key, _ = (np.round(array, 1) for array in draw(rng, queries=2, keys=3, width=5))
    submission.expect(NAME, query, key, kind="dot")


@exercise.check("scaled_dot, also when no kind is given")
def scaled_dot(submission: Submission, rng: np.random.Generator) -> None:
    query, key, _ = (np.round(array, 1) for array in draw(rng, queries=2, keys=3, width=5))
    submission.expect(NAME, query, key, kind="scaled_dot")
    submission.expect(NAME, query, key)


@exercise.check("general: a square w")
def general_square(submission: Submission, rng: np.random.Generator) -> None:
    query, key, w = (np.round(array, 1) for array in draw(rng, queries=2, keys=4, width=3))
    submission.expect(NAME, query, key, kind="general", w=w)


@exercise.check("general: queries and keys of different width")
def general(submission: Submission, rng: np.random.Generator) -> None:
    query, key, w = draw(rng, key_width=2)
    submission.expect(NAME, query, key, kind="general", w=w)
    query, key, w = draw(rng, lead=(2,), key_width=7)
    submission.expect(NAME, query, key, "general", w)


@exercise.check("cosine: two queries, three keys")
def cosine(submission: Submission, rng: np.random.Generator) -> None:
    query, key, _ = (np.round(3 * array + 0.5, 1) for array in draw(rng, queries=2, keys=3, width=4))
    submission.expect(NAME, query, key, kind="cosine")


@exercise.check("cosine: a vector of zeros")
def cosine_zero(submission: Submission, rng: np.random.Generator) -> None:
    query, key, _ = draw(rng, lead=(2,))
    query[0, 1] = key[1, 2] = key[0, 0] = 0
    submission.expect(NAME, query, key, kind="cosine")
    submission.expect(NAME, query.astype(np.float32), key.astype(np.float32), kind="cosine")


@exercise.check("cosine: very short vectors")
def cosine_short(submission: Submission, rng: np.random.Generator) -> None:
    query, key, _ = draw(rng)
    submission.expect(NAME, query * 1e6, key * 1e6, kind="cosine")  # what is wrong here is not an epsilon
    with submission.suspecting("lengths-shifted"):
        submission.expect(NAME, query * 1e-7, key * 1e-6, kind="cosine")
        submission.expect(NAME, query * 1e-30, key, kind="cosine")
        submission.expect(NAME, query * 1e-30, key * 1e-30, kind="cosine")
        query, key = (query * 1e-8).astype(np.float32), (key * 1e-8).astype(np.float32)
        submission.expect(NAME, query, key, kind="cosine")


@exercise.check("a batch, every kind")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    expect_all(submission, *draw(rng, lead=(2,)))


@exercise.check("a batch in which all sizes are equal, every kind")
def square(submission: Submission, rng: np.random.Generator) -> None:
    expect_all(submission, *draw(rng, lead=(3,), queries=3, keys=3, width=3))


@exercise.check("no leading axis, two of them")
def leading_axes(submission: Submission, rng: np.random.Generator) -> None:
    expect_all(submission, *draw(rng, width=7))
    expect_all(submission, *draw(rng, lead=(2, 6), width=7))


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    expect_all(submission, *draw(rng, lead=(2,), width=16, dtype=np.float32))
    expect_all(submission, *draw(rng, lead=(2,), width=16))
    expect_all(submission, *(np.rint(3 * array).astype(np.int64) for array in draw(rng)))


@exercise.check("lengths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    expect_all(submission, *draw(rng, lead=(1,), queries=1, keys=2, width=1))
    expect_all(submission, *draw(rng, lead=(2, 1), queries=3, keys=1, width=4))


@exercise.check("an unknown kind, and general without w, raise ValueError")
def errors(submission: Submission, rng: np.random.Generator) -> None:
    query, key, _ = draw(rng, queries=2, keys=3)
    submission.expect_error(NAME, "ValueError", query, key, kind="additive")
    submission.expect_error(NAME, "ValueError", query, key, kind="general")


@exercise.check("the same call twice; the inputs stay as they were")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    query, key, w = draw(rng, lead=(2,))
    expect_all(submission, query, key, w)
    expect_all(submission, query, key, w)
