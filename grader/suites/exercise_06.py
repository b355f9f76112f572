"""Padding, causal and local masks, and their combination."""

from __future__ import annotations

import numpy as np

from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=6,
    title="Masks",
    kind="numpy",
    part="Attention from scratch",
    implements=["padding_mask", "causal_mask", "local_mask", "combine_masks"],
    lesson="02_score_functions_and_masks#masks",
    minutes=20,
    difficulty=1,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "A mask is the answer to a question about every pair (query i, key j): may i see j? Write the "
        "question down with i and j, then let broadcasting ask it for all pairs at once.",
        "np.arange(Tq)[:, np.newaxis] is a column of i, np.arange(Tk) a row of j. With Tk - Tq keys "
        "before the first query, query i stands at place i + Tk - Tq. `&` is the logical and.",
        "padding: (token_ids != pad_id)[:, np.newaxis, :]; causal: j <= i + Tk - Tq; local: "
        "np.abs(i - j) <= window; combine: go through the masks that are not None and take `&`.",
    ],
)


# The right answers, one pair at a time


@exercise.oracle("padding_mask")
def padding(token_ids, pad_id=0):
    """True for every token that is not padding, with an axis for the queries."""
    return np.array([[[bool(token != pad_id) for token in row]] for row in token_ids])


@exercise.oracle("causal_mask")
def causal(query_length, key_length=None):
    """True for the keys up to the query's own place, counted from the end."""
    keys = query_length if key_length is None else key_length
    return np.array([[j - keys <= i - query_length for j in range(keys)] for i in range(query_length)])


@exercise.oracle("local_mask")
def local(length, window):
    """True for keys at a distance of at most `window`."""
    return np.array([[-window <= i - j <= window for j in range(length)] for i in range(length)])


@exercise.oracle("combine_masks")
def combine(*masks):
    """Logical and of all that is not None."""
    given = [np.asarray(mask) for mask in masks if mask is not None]
    return np.all(np.broadcast_arrays(*given), axis=0) if given else None


# padding_mask

PADDING = "(token_ids != pad_id)[:, np.newaxis, :]"


@exercise.misconception(
    "mask-inverted",
    "The padding mask is the other way round: True means may attend, so padding is False.",
    target="padding_mask",
    wrong={"token_ids != pad_id": "token_ids == pad_id"},
)
def mask_inverted(token_ids, pad_id=0):
    return ~padding(token_ids, pad_id)


@exercise.misconception(
    "padding-axis-missing",
    "The padding mask is (B, T): against scores (B, Tq, Tk) it would mask queries, or not fit. It needs an "
    "axis of length 1 for the queries: (B, 1, T).",
    target="padding_mask",
    wrong={PADDING: "token_ids != pad_id"},
)
def padding_axis_missing(token_ids, pad_id=0):
    return padding(token_ids, pad_id)[:, 0]


@exercise.misconception(
    "padding-masks-queries",
    "The padding mask is (B, T, 1): it hides the rows of padded queries. The keys are the last axis: "
    "(B, 1, T).",
    target="padding_mask",
    wrong={PADDING: "(token_ids != pad_id)[:, :, np.newaxis]"},
)
def padding_masks_queries(token_ids, pad_id=0):
    return np.swapaxes(padding(token_ids, pad_id), 1, 2)


@exercise.misconception(
    "padding-with-heads",
    "The padding mask is (B, 1, 1, T), with an axis for the heads; (B, 1, T) is asked for.",
    target="padding_mask",
    wrong={PADDING: "(token_ids != pad_id)[:, np.newaxis, np.newaxis, :]"},
)
def padding_with_heads(token_ids, pad_id=0):
    return padding(token_ids, pad_id)[:, np.newaxis]


@exercise.misconception(
    "padding-both-sides",
    "The padding mask is (B, T, T) and hides padded queries too. Only keys are masked: (B, 1, T).",
    target="padding_mask",
    wrong={PADDING: "(token_ids != pad_id)[:, np.newaxis, :] & (token_ids != pad_id)[:, :, np.newaxis]"},
)
def padding_both_sides(token_ids, pad_id=0):
    keys = padding(token_ids, pad_id)
    return keys & np.swapaxes(keys, 1, 2)


@exercise.misconception(
    "pad-id-ignored",
    "`pad_id` is ignored: the token 0 is taken for padding whatever it says.",
    target="padding_mask",
    wrong={"token_ids != pad_id": "token_ids != 0"},
)
def pad_id_ignored(token_ids, pad_id=0):
    return padding(token_ids, 0)


@exercise.misconception(
    "ids-above-padding",
    "Tokens with an id below `pad_id` are taken for padding. Only the id that equals it is: use !=.",
    target="padding_mask",
    wrong={"token_ids != pad_id": "token_ids > pad_id"},
)
def ids_above_padding(token_ids, pad_id=0):
    return (token_ids > pad_id)[:, np.newaxis, :]


@exercise.misconception(
    "trailing-padding-only",
    "The mask is made from the number of real tokens, as if padding always came last. It may also "
    "lead (left padding): compare each token with `pad_id`.",
    target="padding_mask",
)
def trailing_padding_only(token_ids, pad_id=0):
    lengths = (token_ids != pad_id).sum(axis=1)
    return (np.arange(token_ids.shape[1]) < lengths[:, None])[:, None, :]


# causal_mask

CAUSAL = "keys <= queries + key_length - query_length"


@exercise.misconception(
    "causal-mask-inverted",
    "The causal mask is the other way round: it is True exactly for the future, and True means may attend.",
    target="causal_mask",
    wrong={CAUSAL: "keys > queries + key_length - query_length"},
)
def causal_mask_inverted(query_length, key_length=None):
    return ~causal(query_length, key_length)


@exercise.misconception(
    "sees-future-only",
    "This is the upper triangle: a query sees itself and the future. It must see itself and the past.",
    target="causal_mask",
    wrong={CAUSAL: "keys >= queries + key_length - query_length"},
)
def sees_future_only(query_length, key_length=None):
    keys = query_length if key_length is None else key_length
    return np.triu(np.ones((query_length, keys), bool), k=keys - query_length)


@exercise.misconception(
    "causal-excludes-itself",
    "A query does not see its own position (< in the place of <=). It may: query i sees the keys up to i, "
    "itself included.",
    target="causal_mask",
    wrong={CAUSAL: "keys < queries + key_length - query_length"},
)
def causal_excludes_itself(query_length, key_length=None):
    keys = query_length if key_length is None else key_length
    return np.tril(np.ones((query_length, keys), bool), k=keys - query_length - 1)


@exercise.misconception(
    "causal-off-by-one",
    "A query sees one key too many: the next token, the one it has to predict.",
    target="causal_mask",
    wrong={CAUSAL: "keys <= queries + key_length - query_length + 1"},
)
def causal_off_by_one(query_length, key_length=None):
    keys = query_length if key_length is None else key_length
    return np.tril(np.ones((query_length, keys), bool), k=keys - query_length + 1)


@exercise.misconception(
    "aligned-at-first-key",
    "With more keys than queries the mask is aligned at the first key (np.tril with k=0). The last query "
    "belongs to the last key: query i sees the keys up to i + Tk - Tq.",
    target="causal_mask",
    wrong={CAUSAL: "keys <= queries"},
)
def aligned_at_first_key(query_length, key_length=None):
    keys = query_length if key_length is None else key_length
    return np.tril(np.ones((query_length, keys), bool))


@exercise.misconception(
    "aligned-wrong-way",
    "With more keys than queries the diagonal moves the wrong way (Tq - Tk in the place of Tk - Tq): "
    "query i sees the keys up to i + Tk - Tq.",
    target="causal_mask",
    wrong={CAUSAL: "keys <= queries - key_length + query_length"},
)
def aligned_wrong_way(query_length, key_length=None):
    keys = query_length if key_length is None else key_length
    return np.tril(np.ones((query_length, keys), bool), k=query_length - keys)


@exercise.misconception(
    "key-length-ignored",
    "`key_length` is ignored: the mask is (Tq, Tq); (Tq, Tk) is asked for.",
    target="causal_mask",
    wrong={"if key_length is None:": "if True:"},
)
def key_length_ignored(query_length, key_length=None):
    return causal(query_length)


@exercise.misconception(
    "causal-axes-swapped",
    "The axes are swapped: the mask is (Tk, Tq). The queries are the rows: (Tq, Tk).",
    target="causal_mask",
    wrong={CAUSAL: "(keys <= queries + key_length - query_length).T"},
)
def causal_axes_swapped(query_length, key_length=None):
    return causal(query_length, key_length).T


@exercise.misconception(
    "causal-with-batch",
    "The causal mask has a leading axis of length 1; (Tq, Tk) is asked for, which broadcasts as it is.",
    target="causal_mask",
    wrong={CAUSAL: "(keys <= queries + key_length - query_length)[np.newaxis]"},
)
def causal_with_batch(query_length, key_length=None):
    return causal(query_length, key_length)[None]


# local_mask

LOCAL = "np.abs(places[:, np.newaxis] - places) <= window"


@exercise.misconception(
    "local-mask-inverted",
    "The local mask is the other way round: it is True outside the window, and True means may attend.",
    target="local_mask",
    wrong={LOCAL: "np.abs(places[:, np.newaxis] - places) > window"},
)
def local_mask_inverted(length, window):
    return ~local(length, window)


@exercise.misconception(
    "window-excludes-its-edge",
    "Keys at a distance of exactly `window` are missing: |i - j| <= window is asked for, not <.",
    target="local_mask",
    wrong={LOCAL: "np.abs(places[:, np.newaxis] - places) < window"},
)
def window_excludes_its_edge(length, window):
    return local(length, window - 1)


@exercise.misconception(
    "window-halved",
    "`window` is taken for the width of the whole window. It is the reach to each side: |i - j| <= window.",
    target="local_mask",
    wrong={LOCAL: "np.abs(places[:, np.newaxis] - places) <= window // 2"},
)
def window_halved(length, window):
    return local(length, window // 2)


@exercise.misconception(
    "window-backward-only",
    "Only keys before the query are seen: the distance is missing its absolute value or its other bound. "
    "The window reaches to both sides.",
    target="local_mask",
    wrong={
        LOCAL: "(places[:, np.newaxis] >= places) & (places[:, np.newaxis] - places <= window)",
    },
)
def window_backward_only(length, window):
    return local(length, window) & causal(length)


@exercise.misconception(
    "window-one-bound",
    "The difference is compared without its absolute value, so one side of the window has no bound.",
    target="local_mask",
    wrong={LOCAL: "places[:, np.newaxis] - places <= window"},
)
def window_one_bound(length, window):
    return np.triu(np.ones((length, length), bool), k=-window)


@exercise.misconception(
    "window-blocks",
    "The sequence is cut into blocks of `window` tokens. Here the window moves with the query: "
    "|i - j| <= window.",
    target="local_mask",
)
def window_blocks(length, window):
    block = np.arange(length) // max(window, 1)
    return block[:, None] == block


@exercise.misconception(
    "window-start-negative",
    "Near the start i - window is negative, and a slice then counts from the end. Use max(0, i - window).",
    target="local_mask",
)
def window_start_negative(length, window):
    mask = np.zeros((length, length), bool)
    for i in range(length):
        mask[i, i - window : i + window + 1] = True
    return mask


# combine_masks

LOOP = "combined = mask if combined is None else combined & mask"


@exercise.misconception(
    "combined-by-or",
    "The masks are combined by or (or added). A key is allowed only where every mask allows it: and.",
    target="combine_masks",
    wrong={"combined & mask": "combined | mask"},
)
def combined_by_or(*masks):
    given = [mask for mask in masks if mask is not None]
    return np.any(np.broadcast_arrays(*given), axis=0) if given else None


@exercise.misconception(
    "none-not-ignored",
    "None among the masks raises. None means no mask there: leave it out.",
    target="combine_masks",
)
def none_not_ignored(*masks):
    combined = masks[0]
    for mask in masks[1:]:
        combined = combined & mask  # TypeError for None, as for the learner
    return combined


@exercise.misconception(
    "none-ends-masks",
    "Everything is dropped as soon as one mask is None. Only when all are None is the result None.",
    target="combine_masks",
    wrong={"if mask is not None:": "if mask is None:\n            return None\n        else:"},
)
def none_ends_masks(*masks):
    return None if any(mask is None for mask in masks) else combine(*masks)


@exercise.misconception(
    "all-none-not-none",
    "When all masks are None, the result must be None too, so that attention runs without a mask.",
    target="combine_masks",
    wrong={"    return combined\n": "    return np.array(True) if combined is None else combined\n"},
)
def all_none_not_none(*masks):
    return np.array(True) if all(mask is None for mask in masks) else combine(*masks)


@exercise.misconception(
    "first-two-masks",
    "Only the first two masks count; any number may come.",
    target="combine_masks",
    wrong={"for mask in masks:": "for mask in masks[:2]:"},
)
def first_two_masks(*masks):
    return combine(*masks[:2])


@exercise.misconception(
    "first-mask-wins",
    "Only the first mask that is not None has an effect.",
    target="combine_masks",
    wrong={"combined & mask": "combined"},
)
def first_mask_wins(*masks):
    return next((mask for mask in masks if mask is not None), None)


@exercise.misconception(
    "last-mask-wins",
    "Only the last mask that is not None has an effect: each one replaces those before it.",
    target="combine_masks",
    wrong={LOOP: "combined = mask"},
)
def last_mask_wins(*masks):
    return first_mask_wins(*masks[::-1])


@exercise.misconception(
    "no-broadcasting",
    "The masks must have equal shapes here (np.stack does that, and so does &= into the first). They need "
    "only broadcast: `first & second`.",
    target="combine_masks",
    wrong="""
        def combine_masks(*masks):
            masks = [mask for mask in masks if mask is not None]
            return np.all(np.stack(masks), axis=0) if masks else None
    """,
)
def no_broadcasting(*masks):
    given = [mask for mask in masks if mask is not None]
    return np.all(np.stack(given), axis=0) if given else None


@exercise.misconception(
    "mask-truth-value",
    "`if mask:` asks for the truth of a whole array and raises. Ask `mask is not None`.",
    target="combine_masks",
    wrong={"if mask is not None:": "if mask:"},
)
def mask_truth_value(*masks):
    return combine(*(mask for mask in masks if mask))  # ValueError for an array, as for the learner


@exercise.misconception(
    "python-and",
    "`and` asks for the truth of a whole array and raises. Between arrays it is `&` or np.logical_and.",
    target="combine_masks",
    wrong={"combined & mask": "(combined and mask)"},
)
def python_and(*masks):
    given = [mask for mask in masks if mask is not None]
    for mask in given[1:]:
        given[0] = given[0] and mask  # ValueError for an array, as for the learner
    return given[0] if given else None


@exercise.misconception(
    "one-list-of-masks",
    "The function takes one list; the masks come as separate arguments: def combine_masks(*masks).",
    target="combine_masks",
    wrong={"def combine_masks(*masks):": "def combine_masks(masks):"},
)
def one_list_of_masks(masks):
    return combine(*masks)  # TypeError for more arguments, as for the learner


exercise.behaviour(
    "not-boolean",
    "The mask holds numbers (0 and 1, or 0 and -inf). A mask is boolean here, True where attending is "
    "allowed.",
    on=["dtype"],
    wrong={CAUSAL: f"({CAUSAL}).astype(np.float64)"},
)
exercise.behaviour(
    "changes-input",
    "One of the masks is changed in place (for example by &=). Make a new array.",
    on=["mutated"],
    wrong={LOOP: f"{LOOP}\n            mask &= combined if mask.shape == combined.shape else mask"},
)


@exercise.check("padding: two short sentences")
def padding_small(submission: Submission, rng: np.random.Generator) -> None:
    tokens = rng.integers(1, 9, size=(2, 4))
    tokens[0, 2:], tokens[1, 3:] = 0, 0
    submission.expect("padding_mask", tokens)


@exercise.check("padding: before, within and after; nothing but padding; none")
def padding_anywhere(submission: Submission, rng: np.random.Generator) -> None:
    tokens = rng.integers(1, 9, size=(5, 6))
    tokens[0, :2], tokens[1, 3], tokens[2, 4:], tokens[3] = 0, 0, 0, 0
    submission.expect("padding_mask", tokens)
    submission.expect("padding_mask", tokens.astype(np.int32))


@exercise.check("padding: another pad_id")
def padding_ids(submission: Submission, rng: np.random.Generator) -> None:
    tokens = rng.permuted(np.tile(np.arange(7), (3, 1)), axis=1)
    submission.expect("padding_mask", tokens, pad_id=3)
    submission.expect("padding_mask", tokens - 1, pad_id=-1)


@exercise.check("causal: as many keys as queries")
def causal_square(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("causal_mask", 4)
    submission.expect("causal_mask", int(rng.integers(5, 9)))
    submission.expect("causal_mask", 3, 3)


@exercise.check("causal: more keys than queries")
def causal_cache(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("causal_mask", 2, 5)
    submission.expect("causal_mask", 3, key_length=int(rng.integers(6, 10)))


@exercise.check("local: windows of one and two")
def local_small(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("local_mask", 5, 1)
    submission.expect("local_mask", int(rng.integers(6, 10)), window=2)
    submission.expect("local_mask", 9, 3)


@exercise.check("local: itself only; a window longer than the sequence")
def local_extremes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("local_mask", 4, 0)
    submission.expect("local_mask", 4, 3)
    submission.expect("local_mask", int(rng.integers(5, 8)), 11)


@exercise.check("combine: a single mask")
def combine_one(submission: Submission, rng: np.random.Generator) -> None:
    mask = np.tril(np.ones((4, 6), bool), k=int(rng.integers(0, 3)))
    submission.expect("combine_masks", mask)
    submission.expect("combine_masks", mask[None])


@exercise.check("combine: two masks, three masks")
def combine_few(submission: Submission, rng: np.random.Generator) -> None:
    masks = rng.random(size=(3, 4, 6)) < 0.7
    # Where the first two allow what the third forbids, and each alone forbids something.
    masks[:, 0, :4] = np.array([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1]], bool)
    submission.expect("combine_masks", masks[0], masks[1])
    submission.expect("combine_masks", *masks)


@exercise.check("combine: masks that broadcast")
def combine_broadcast(submission: Submission, rng: np.random.Generator) -> None:
    keys = np.arange(6) < np.array([5, 3])[:, None, None]  # (B, 1, Tk)
    past = np.tril(np.ones((4, 6), bool), k=2)
    submission.expect("combine_masks", keys, past)
    submission.expect("combine_masks", past, keys, rng.random(size=(2, 4, 6)) < 0.8)


@exercise.check("combine: None among the masks")
def combine_none(submission: Submission, rng: np.random.Generator) -> None:
    first, second = rng.random(size=(2, 4, 6)) < 0.6
    first[0, :2], second[0, :2] = [True, False], [False, True]
    submission.expect("combine_masks", first, None, second)
    submission.expect("combine_masks", None, second)


@exercise.check("combine: nothing but None")
def combine_nothing(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("combine_masks", None, None)
    submission.expect("combine_masks", None)


@exercise.check("lengths of 1")
def length_one(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect("padding_mask", rng.integers(1, 9, size=(3, 1)))
    submission.expect("padding_mask", np.zeros((1, 1), np.int64))
    submission.expect("causal_mask", 1)
    submission.expect("causal_mask", 1, 5)
    submission.expect("local_mask", 1, 2)


@exercise.check("the same masks twice; the inputs stay as they were")
def twice(submission: Submission, rng: np.random.Generator) -> None:
    masks = list(rng.random(size=(3, 4, 6)) < 0.7)
    submission.expect("combine_masks", *masks)
    submission.expect("combine_masks", *masks)
    submission.expect("causal_mask", 3, 7)
    submission.expect("causal_mask", 3)
