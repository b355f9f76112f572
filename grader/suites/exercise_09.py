"""Splitting features into heads, and merging them again."""

from __future__ import annotations

import numpy as np

from grader.exercise import Exercise
from grader.submission import Submission, describe_problem

exercise = Exercise(
    number=9,
    title="Split and merge heads",
    kind="numpy",
    part="Attention from scratch",
    implements=["split_heads", "merge_heads"],
    lesson="04_multi_head_attention#heads",
    minutes=15,
    difficulty=1,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Reshaping never changes the order in which numbers lie in memory. Which single axis can be cut "
        "in two without moving any number?",
        "Cut the last axis first: (..., T, D) becomes (..., T, H, D/H). Now the head axis stands on the "
        "wrong side of T: a swap of two axes, not a reshape, brings it across. Merging is the way back.",
        "split: x.reshape(*lead, T, H, D // H), then np.swapaxes(x, -3, -2). merge: the same swap, "
        "then reshape(*lead, T, H * W). Raise ValueError when D % num_heads is not 0.",
    ],
)
SPLIT_RETURN = "return np.swapaxes(x, -3, -2)  # (..., H, T, D/H)"


@exercise.oracle("split_heads")
def split_heads(x, num_heads):
    """The right answer."""
    width = x.shape[-1] // num_heads
    return np.stack([x[..., h * width : (h + 1) * width] for h in range(num_heads)], axis=-3)


@exercise.oracle("merge_heads")
def merge_heads(x):
    """The right answer."""
    return np.concatenate([x[..., h, :, :] for h in range(x.shape[-3])], axis=-1)


# Splitting


@exercise.misconception(
    "reshape-only",
    "One reshape cannot split heads: it keeps the order in memory, so head 0 gets the first positions with "
    "all their features. Cut the last axis into (H, D/H), then swap H and T.",
)
def reshape_only(x, num_heads):
    *lead, length, width = x.shape
    return x.reshape(*lead, num_heads, length, width // num_heads)


@exercise.misconception(
    "head-axis-not-moved",
    "The heads stand behind the positions: (..., T, H, D/H). Swap the two axes to get (..., H, T, D/H).",
    wrong={SPLIT_RETURN: "return x"},
)
def head_axis_not_moved(x, num_heads):
    *lead, length, width = x.shape
    return x.reshape(*lead, length, num_heads, width // num_heads)


@exercise.misconception(
    "interleaved-heads",
    "Head h gets the features h, h + H, h + 2H and so on. It must get D/H neighbours: cut the last axis "
    "into (H, D/H), in this order.",
)
def interleaved_heads(x, num_heads):
    return np.stack([x[..., h::num_heads] for h in range(num_heads)], axis=-3)


@exercise.misconception(
    "count-and-width-exchanged",
    "The features are cut into D/H heads of width H: number and width of the heads are exchanged.",
    wrong={"length, num_heads, width // num_heads)": "length, width // num_heads, num_heads)"},
)
def count_and_width_exchanged(x, num_heads):
    *lead, length, width = x.shape
    return np.swapaxes(x.reshape(*lead, length, width // num_heads, num_heads), -3, -2)


@exercise.misconception(
    "head-transposed",
    "The last two axes of every head are swapped: (..., H, D/H, T). Each head is (T, D/H).",
    wrong={SPLIT_RETURN: "return np.moveaxis(x, -3, -1)"},
)
def head_transposed(x, num_heads):
    *lead, length, width = x.shape
    return np.moveaxis(x.reshape(*lead, length, num_heads, width // num_heads), -3, -1)


@exercise.misconception(
    "heads-first",
    "The head axis stands before the batch: (H, ..., T, D/H). It belongs right before T: (..., H, T, D/H).",
    wrong={SPLIT_RETURN: "return np.moveaxis(x, -2, 0)"},
)
def heads_first(x, num_heads):
    *lead, length, width = x.shape
    return np.moveaxis(x.reshape(*lead, length, num_heads, width // num_heads), -2, 0)


@exercise.misconception(
    "heads-in-batch",
    "The heads are folded into the batch axis: (B * H, T, D/H). They keep an axis of their own: "
    "(..., H, T, D/H).",
    wrong={
        SPLIT_RETURN: "x = np.swapaxes(x, -3, -2)\n    return x.reshape(-1, length, width // num_heads)"
    },
)
def heads_in_batch(x, num_heads):
    length, width = x.shape[-2:]
    x = np.stack(np.split(x, num_heads, axis=-1), axis=-3)
    return x.reshape(-1, length, width // num_heads)


@exercise.misconception(
    "batch-axis-assumed",
    "split_heads works with exactly one batch axis. Count axes from the end (-3, -2) so that none or "
    "several work too.",
    wrong={
        "*lead, length, width = x.shape": "batch, length, width = x.shape",
        "reshape(*lead, length, num_heads, width // num_heads)": "reshape(batch, length, num_heads, -1)",
        SPLIT_RETURN: "return x.transpose(0, 2, 1, 3)",
    },
)
def batch_axis_assumed(x, num_heads):
    batch, length, width = x.shape  # ValueError for other ranks, as for the learner
    return x.reshape(batch, length, num_heads, width // num_heads).transpose(0, 2, 1, 3)


@exercise.misconception(
    "no-batch-axis-assumed",
    "split_heads works for a single (T, D) matrix only. Count axes from the end and keep the leading ones.",
    wrong={
        "*lead, length, width = x.shape": "length, width = x.shape",
        "x.reshape(*lead, length, num_heads, width // num_heads)": "x.reshape(length, num_heads, -1)",
        SPLIT_RETURN: "return x.transpose(1, 0, 2)",
    },
)
def no_batch_axis_assumed(x, num_heads):
    length, width = x.shape  # ValueError for other ranks, as for the learner
    return x.reshape(length, num_heads, width // num_heads).transpose(1, 0, 2)


@exercise.misconception(
    "splits-axis-1",
    "The split runs along axis 1, which is the positions as soon as there is a batch. Split the last axis.",
    wrong={
        "x = x.reshape(*lead, length, num_heads, width // num_heads)": "x = np.split(x, num_heads, axis=1)",
        SPLIT_RETURN: "return np.stack(x, axis=-3)",
    },
)
def splits_axis_1(x, num_heads):
    return np.stack(np.split(x, num_heads, axis=1), axis=-3)


@exercise.misconception(
    "splits-positions",
    "The positions are shared out among the heads. Every head sees all positions and D/H of the features.",
    wrong="""
        def split_heads(x, num_heads):
            if x.shape[-1] % num_heads != 0:
                raise ValueError
            return np.stack(np.split(x, num_heads, axis=-2), axis=-3)
    """,
)
def splits_positions(x, num_heads):
    return np.stack(np.split(x, num_heads, axis=-2), axis=-3)


@exercise.misconception(
    "list-of-heads",
    "A list of heads is returned. Return one array with a head axis: (..., H, T, D/H).",
    wrong={SPLIT_RETURN: "return [x[..., h, :] for h in range(num_heads)]"},
)
def list_of_heads(x, num_heads):
    return np.split(x, num_heads, axis=-1)


exercise.behaviour(
    "features-dropped",
    "D is not divisible by num_heads and nothing is raised: the code drops features, pads them or gives "
    "heads of unequal width. Raise ValueError.",
    on=["no-error"],
    wrong="""
        def split_heads(x, num_heads):
            width = x.shape[-1] // num_heads
            heads = [x[..., h * width : (h + 1) * width] for h in range(num_heads)]
            return np.stack(heads, axis=-3)
    """,
)
exercise.behaviour(
    "assert-for-value-error",
    "An `assert` raises AssertionError, and nothing at all under `python -O`. Write "
    "`if ...: raise ValueError(...)`.",
    wrong={
        "if width % num_heads != 0:\n": "assert width % num_heads == 0\n    if False:\n",
    },
)
exercise.behaviour(
    "changes-input",
    "The input is changed in place. Make a new array.",
    on=["mutated"],
    wrong={"*lead, length, width = x.shape": "x += 1\n    x = x - 1\n    *lead, length, width = x.shape"},
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, their dtype is not: numbers are only moved here, so integers stay integers and "
    "float32 stays float32.",
    on=["dtype"],
    wrong={"*lead, length, width = x.shape": "x = x.astype(float)\n    *lead, length, width = x.shape"},
)


# Merging


@exercise.misconception(
    "merged-by-reshape",
    "The heads are merged by a reshape alone. Swap H and T back first: (..., T, H, D/H), then reshape.",
    target="merge_heads",
    wrong={"x = np.swapaxes(x, -3, -2)  # (..., T, H, D/H)\n": "pass\n"},
)
def merged_by_reshape(x):
    *lead, num_heads, length, width = x.shape
    return x.reshape(*lead, length, num_heads * width)


@exercise.misconception(
    "merged-interleaved",
    "The merged features alternate between the heads. The features of one head stay neighbours: head 0's "
    "first, then head 1's.",
    target="merge_heads",
    wrong={"x = np.swapaxes(x, -3, -2)  # (..., T, H, D/H)": "x = np.moveaxis(x, -3, -1)"},
)
def merged_interleaved(x):
    *lead, num_heads, length, width = x.shape
    return np.moveaxis(x, -3, -1).reshape(*lead, length, num_heads * width)


@exercise.misconception(
    "merged-along-time",
    "The heads are joined along the positions: (..., H * T, D/H). Join them along the features: "
    "(..., T, D).",
    target="merge_heads",
    wrong="""
        def merge_heads(x):
            *lead, num_heads, length, head_width = x.shape
            return x.reshape(*lead, num_heads * length, head_width)
    """,
)
def merged_along_time(x):
    return np.concatenate([x[..., h, :, :] for h in range(x.shape[-3])], axis=-2)


@exercise.misconception(
    "merged-first-axis",
    "The first axis is merged, which is the batch where there is one. The heads are axis -3.",
    target="merge_heads",
    wrong="""
        def merge_heads(x):
            return np.concatenate(list(x), axis=-1)
    """,
)
def merged_first_axis(x):
    return np.concatenate(list(x), axis=-1)


@exercise.misconception(
    "heads-averaged",
    "The heads are averaged. Put them side by side: (..., T, D) holds every number of them.",
    target="merge_heads",
    wrong="""
        def merge_heads(x):
            return np.mean(x, axis=-3).astype(x.dtype)
    """,
)
def heads_averaged(x):
    return np.mean(x, axis=-3)


@exercise.misconception(
    "heads-summed",
    "The heads are summed. Put them side by side: (..., T, D) holds every number of them.",
    target="merge_heads",
    wrong="""
        def merge_heads(x):
            return np.sum(x, axis=-3, dtype=x.dtype)
    """,
)
def heads_summed(x):
    return np.sum(x, axis=-3)


@exercise.misconception(
    "merge-batch-axis-assumed",
    "merge_heads works with exactly one batch axis. Count axes from the end so that none or several work "
    "too.",
    target="merge_heads",
    wrong="""
        def merge_heads(x):
            batch, num_heads, length, head_width = x.shape
            return x.transpose(0, 2, 1, 3).reshape(batch, length, num_heads * head_width)
    """,
)
def merge_batch_axis_assumed(x):
    batch, num_heads, length, width = x.shape  # ValueError for other ranks, as for the learner
    return x.transpose(0, 2, 1, 3).reshape(batch, length, num_heads * width)


@exercise.misconception(
    "merge-no-batch-axis-assumed",
    "merge_heads works for a single (H, T, D/H) array only. Count axes from the end and keep the leading "
    "ones.",
    target="merge_heads",
    wrong="""
        def merge_heads(x):
            num_heads, length, head_width = x.shape
            return x.transpose(1, 0, 2).reshape(length, num_heads * head_width)
    """,
)
def merge_no_batch_axis_assumed(x):
    num_heads, length, width = x.shape  # ValueError for other ranks, as for the learner
    return x.transpose(1, 0, 2).reshape(length, num_heads * width)


@exercise.misconception(
    "heads-reversed",
    "The heads are merged in reverse order. Head 0 gives the first D/H features.",
    target="merge_heads",
    wrong={"x = np.swapaxes(x, -3, -2)  # (..., T, H, D/H)": "x = np.swapaxes(x, -3, -2)[..., ::-1, :]"},
)
def heads_reversed(x):
    return np.concatenate([x[..., h, :, :] for h in reversed(range(x.shape[-3]))], axis=-1)


def numbered(*shape, dtype=np.int64):
    """0, 1, 2, ... in the order of memory: a message then shows where each number went."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@exercise.check("split six features: two heads, three heads")
def tiny_split(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("split_heads", np.round(rng.uniform(-9, 9, size=(4, 6)), 1), 2)
    submission.expect("split_heads", np.round(rng.uniform(-9, 9, size=(2, 6)), 1), 3)


@exercise.check("merge: three heads, two positions")
def tiny_merge(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("merge_heads", np.round(rng.uniform(-9, 9, size=(3, 2, 4)), 1))


@exercise.check("split a batch")
def batch_split(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("split_heads", rng.normal(size=(2, 5, 12)), 3)
    submission.expect("split_heads", rng.normal(size=(5, 6, 8)), 2)  # 2 divides the length too


@exercise.check("merge a batch")
def batch_merge(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("merge_heads", rng.normal(size=(2, 3, 5, 4)))


@exercise.check("split with two and three leading axes")
def many_axes_split(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("split_heads", rng.normal(size=(2, 7, 3, 20)), 4)
    submission.expect("split_heads", rng.normal(size=(2, 1, 7, 3, 10)), 5)


@exercise.check("merge with two and three leading axes")
def many_axes_merge(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("merge_heads", rng.normal(size=(2, 7, 4, 3, 5)))
    submission.expect("merge_heads", rng.normal(size=(3, 1, 2, 5, 4, 6)))


@exercise.check("merging undoes splitting, splitting undoes merging")
def round_trip(submission: Submission, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 5, 12))
    submission.expect("merge_heads", submission.expect("split_heads", x, 4))
    heads = rng.normal(size=(3, 2, 5, 4))
    submission.expect("split_heads", submission.expect("merge_heads", heads), 2)


@exercise.check("a width that the heads do not divide raises ValueError")
def not_divisible(submission: Submission, rng: np.random.Generator) -> None:
    for shape, num_heads in (((5, 7), 3), ((2, 3, 6), 4), ((2, 4, 10), 4), ((3, 2), 3)):
        args = (rng.normal(size=shape), num_heads)
        problem = submission.request("call", name="split_heads", args=args, kwargs={}).problem
        if problem is not None and "AssertionError" in problem.bases:
            submission.fail(describe_problem(problem), "assert-for-value-error")
        submission.expect_error("split_heads", "ValueError", *args)


@exercise.check("one head, heads of width 1, a single position")
def ones(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("split_heads", rng.normal(size=(2, 3, 5)), 1)
    submission.expect("split_heads", rng.normal(size=(3, 5)), 5)
    submission.expect("split_heads", rng.normal(size=(2, 1, 6)), 3)
    submission.expect("split_heads", rng.normal(size=(1, 1)), 1)
    submission.expect("merge_heads", rng.normal(size=(2, 1, 3, 5)))
    submission.expect("merge_heads", rng.normal(size=(5, 3, 1)))
    submission.expect("merge_heads", rng.normal(size=(2, 3, 1, 4)))


@exercise.check("integers stay integers, float32 stays float32")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("split_heads", numbered(2, 3, 10), 2)
    submission.expect("merge_heads", numbered(2, 4, 3, 5))
    submission.expect("split_heads", rng.normal(size=(2, 3, 10)).astype(np.float32), 5)
    submission.expect("merge_heads", rng.normal(size=(2, 4, 3, 5)).astype(np.float32))


@exercise.check("the same call twice; the input stays as it was")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    x, heads = rng.normal(size=(3, 4, 10)), rng.normal(size=(2, 5, 3))
    for _ in range(2):
        submission.expect("split_heads", x, 2)
        submission.expect("split_heads", x, 5)
        submission.expect("merge_heads", heads)
