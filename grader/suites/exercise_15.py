"""A GRU cell: which gate does what, to what it is applied, and sigmoids that do not overflow."""

from __future__ import annotations

import numpy as np

from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=15,
    title="A GRU cell",
    kind="numpy",
    part="Recurrent attention",
    implements=["gru_cell"],
    lesson="07_gates_gru_lstm#gated-recurrent-unit",
    minutes=20,
    difficulty=2,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "Three times the same: put two vectors side by side, multiply by a kernel, add a bias, squash. In "
        "which of the three is one of the vectors another?",
        "joined = np.concatenate([h, x], axis=-1), h first, feeds both gates. The candidate is fed "
        "[reset * h, x]: the gate comes before the kernel. For the sigmoid, exp must only ever see numbers "
        "that are not positive.",
        'update = sigmoid(joined @ params["w_update"] + params["b_update"]), reset alike; candidate = '
        "np.tanh(np.concatenate([reset * h, x], axis=-1) @ w + b); return (1 - update) * h + update * "
        "candidate.",
    ],
)
NAME = "gru_cell"
JOINED = "joined = np.concatenate([h, x], axis=-1)"
KEPT = "kept = np.concatenate([reset * h, x], axis=-1)"
CANDIDATE = 'np.tanh(kept @ params["w_candidate"] + params["b_candidate"])'
BLEND = "return (1 - update) * h + update * candidate"
SIGMOID = "return np.where(x >= 0, 1, power) / (1 + power)"


def sigmoid(x):
    return np.exp(-np.logaddexp(0.0, -x))


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def unstable_sigmoid(x):
    return np.exp(x) / (1 + np.exp(x))


def unstable_tanh(x):
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


def affine(h, x, params, gate):
    """[h, x] times a gate's kernel, plus its bias: the kernel's two parts applied one by one."""
    kernel = params[f"w_{gate}"]
    units = h.shape[-1]
    return (
        np.einsum("...i,io->...o", h, kernel[:units])
        + np.einsum("...i,io->...o", x, kernel[units:])
        + params[f"b_{gate}"]
    )


def run(
    x, h, params, *, affine=affine, squash=sigmoid, bound=np.tanh, gates=("update", "reset"), blend=None
):
    """The oracle, with parts that a misconception replaces."""
    update, reset = (squash(affine(h, x, params, gate)) for gate in gates)
    candidate = bound(affine(reset * h, x, params, "candidate"))
    if blend is not None:
        return blend(h, update, reset, candidate)
    return h + update * (candidate - h)


@exercise.oracle(NAME)
def gru_cell(x, h, params):
    """The right answer."""
    return run(x, h, params)


# How old and new are blended


@exercise.misconception(
    "update-gate-inverted",
    "update and 1 - update are swapped (PyTorch and Keras define the gate the other way round): here it "
    "says how much of the candidate is taken.",
    wrong={BLEND: "return update * h + (1 - update) * candidate"},
)
def update_gate_inverted(x, h, params):
    return run(x, h, params, blend=lambda h, u, r, new: u * h + (1 - u) * new)


@exercise.misconception(
    "product-for-sum",
    "The old and the new part are multiplied; they are added.",
    wrong={BLEND: "return (1 - update) * h * update * candidate"},
)
def product_for_sum(x, h, params):
    return run(x, h, params, blend=lambda h, u, r, new: (1 - u) * h * u * new)


@exercise.misconception(
    "nothing-forgotten",
    "The new part is added, but h is not multiplied by 1 - update: the state forgets nothing.",
    wrong={BLEND: "return h + update * candidate"},
)
def nothing_forgotten(x, h, params):
    return run(x, h, params, blend=lambda h, u, r, new: h + u * new)


@exercise.misconception(
    "old-state-dropped",
    "Only update * candidate is returned; (1 - update) * h is missing.",
    wrong={BLEND: "return update * candidate"},
)
def old_state_dropped(x, h, params):
    return run(x, h, params, blend=lambda h, u, r, new: u * new)


@exercise.misconception(
    "candidate-returned",
    "The candidate itself is returned: the update gate has no effect.",
    wrong={BLEND: "return candidate"},
)
def candidate_returned(x, h, params):
    return run(x, h, params, blend=lambda h, u, r, new: new)


@exercise.misconception(
    "reset-in-blend",
    "The reset gate also scales the h that is kept (h was overwritten with reset * h?). It acts inside the "
    "candidate only.",
    wrong={BLEND: "return (1 - update) * reset * h + update * candidate"},
)
def reset_in_blend(x, h, params):
    return run(x, h, params, blend=lambda h, u, r, new: (1 - u) * r * h + u * new)


@exercise.misconception(
    "reset-for-update",
    "The reset gate blends the old state and the candidate; the update gate does that.",
    wrong={BLEND: "return (1 - reset) * h + reset * candidate"},
)
def reset_for_update(x, h, params):
    return run(x, h, params, blend=lambda h, u, r, new: (1 - r) * h + r * new)


@exercise.misconception(
    "state-returned-twice",
    "A pair is returned (Keras's cells return output and states); return h_next alone.",
    wrong={BLEND: "h_next = (1 - update) * h + update * candidate\n    return h_next, [h_next]"},
)
def state_returned_twice(x, h, params):
    h_next = run(x, h, params)
    return h_next, [h_next]


# The reset gate


@exercise.misconception(
    "reset-ignored",
    "The reset gate has no effect: the candidate's kernel is given h, not reset * h.",
    wrong={KEPT: "kept = np.concatenate([h, x], axis=-1)"},
)
def reset_ignored(x, h, params):
    update = sigmoid(affine(h, x, params, "update"))
    return (1 - update) * h + update * np.tanh(affine(h, x, params, "candidate"))


@exercise.misconception(
    "reset-after-kernel",
    "The reset gate is applied after the candidate's kernel, reset * (h w), as in Keras's reset_after=True "
    "and in PyTorch. Here it acts on h first: (reset * h) w.",
    wrong={
        CANDIDATE: 'np.tanh(reset * (h @ params["w_candidate"][: h.shape[-1]]) '
        '+ x @ params["w_candidate"][h.shape[-1] :] + params["b_candidate"])'
    },
)
def reset_after_kernel(x, h, params):
    units = h.shape[-1]
    update, reset = (sigmoid(affine(h, x, params, gate)) for gate in ("update", "reset"))
    kernel = params["w_candidate"]
    candidate = np.tanh(reset * (h @ kernel[:units]) + x @ kernel[units:] + params["b_candidate"])
    return (1 - update) * h + update * candidate


@exercise.misconception(
    "reset-of-everything",
    "The reset gate scales the input's part too (or the whole sum); it acts on h alone.",
    wrong={
        CANDIDATE: 'np.tanh(reset * (joined @ params["w_candidate"]) + params["b_candidate"])',
    },
)
def reset_of_everything(x, h, params):
    update, reset = (sigmoid(affine(h, x, params, gate)) for gate in ("update", "reset"))
    inner = affine(h, x, {**params, "b_candidate": 0.0}, "candidate")
    return (1 - update) * h + update * np.tanh(reset * inner + params["b_candidate"])


@exercise.misconception(
    "reset-gate-inverted",
    "h is multiplied by 1 - reset; multiply by reset.",
    wrong={KEPT: "kept = np.concatenate([(1 - reset) * h, x], axis=-1)"},
)
def reset_gate_inverted(x, h, params):
    update, reset = (sigmoid(affine(h, x, params, gate)) for gate in ("update", "reset"))
    return (1 - update) * h + update * np.tanh(affine((1 - reset) * h, x, params, "candidate"))


@exercise.misconception(
    "gates-swapped",
    "The two gates are swapped: w_update and b_update belong to the gate that blends, w_reset and b_reset "
    "to the one inside the candidate.",
    wrong={
        JOINED: JOINED
        + """
    params = {**params, "w_update": params["w_reset"], "w_reset": params["w_update"],
              "b_update": params["b_reset"], "b_reset": params["b_update"]}"""
    },
)
def gates_swapped(x, h, params):
    return run(x, h, params, gates=("reset", "update"))


# What is multiplied


@exercise.misconception(
    "input-first",
    "The vectors are concatenated as [x, h]; the kernels expect [h, x].",
    wrong={
        JOINED: "joined = np.concatenate([x, h], axis=-1)",
        KEPT: KEPT.replace("[reset * h, x]", "[x, reset * h]"),
    },
)
def input_first(x, h, params):
    def swapped(h, x, params, gate):
        return np.concatenate([x, h], axis=-1) @ params[f"w_{gate}"] + params[f"b_{gate}"]

    return run(x, h, params, affine=swapped)


@exercise.misconception(
    "input-first-in-gates",
    "The gates are fed [x, h], the candidate [h, x]; the kernels expect [h, x] everywhere.",
    wrong={JOINED: "joined = np.concatenate([x, h], axis=-1)"},
)
def input_first_in_gates(x, h, params):
    def swapped(h, x, params, gate):
        parts = [h, x] if gate == "candidate" else [x, h]
        return np.concatenate(parts, axis=-1) @ params[f"w_{gate}"] + params[f"b_{gate}"]

    return run(x, h, params, affine=swapped)


@exercise.misconception(
    "gates-without-state",
    "The gates look at x only; they look at [h, x].",
    wrong={JOINED: "joined = np.concatenate([np.zeros_like(h), x], axis=-1)"},
)
def gates_without_state(x, h, params):
    def blind(h, x, params, gate):
        return affine(h if gate == "candidate" else 0 * h, x, params, gate)

    return run(x, h, params, affine=blind)


@exercise.misconception(
    "no-recurrent-kernel",
    "h never meets a kernel: gates and candidate are computed from x alone.",
    wrong={
        JOINED: "joined = np.concatenate([np.zeros_like(h), x], axis=-1)",
        KEPT: "kept = joined",
    },
)
def no_recurrent_kernel(x, h, params):
    return run(x, h, params, affine=lambda h, x, params, gate: affine(0 * h, x, params, gate))


@exercise.misconception(
    "biases-ignored",
    "The biases have no effect; add one in each gate and in the candidate.",
    wrong={' + params["b_update"]': "", ' + params["b_reset"]': "", ' + params["b_candidate"]': ""},
)
def biases_ignored(x, h, params):
    return run(x, h, {key: value * (key[0] == "w") for key, value in params.items()})


@exercise.misconception(
    "candidate-bias-ignored",
    "b_candidate has no effect.",
    wrong={' + params["b_candidate"]': ""},
)
def candidate_bias_ignored(x, h, params):
    return run(x, h, {**params, "b_candidate": np.zeros(h.shape[-1])})


@exercise.misconception(
    "axis-fixed",
    "The vectors are joined along axis 1, which is the last one of a batch (B, D) only. Use axis=-1.",
    wrong={JOINED: JOINED.replace("-1", "1"), KEPT: KEPT.replace("-1", "1")},
)
def axis_fixed(x, h, params):
    np.concatenate([h, x], axis=1)  # raises unless there are two axes
    return run(x, h, params)


@exercise.misconception(
    "hstack",
    "np.hstack joins along axis 1, the last one of a batch (B, D) only. Use np.concatenate with axis=-1.",
    wrong={
        JOINED: "joined = np.hstack([h, x])",
        KEPT: "kept = np.hstack([reset * h, x])",
    },
)
def hstack(x, h, params):
    np.hstack([h, x])  # raises where there are more than two axes
    return run(x, h, params)


# How it is squashed


@exercise.misconception(
    "no-sigmoid",
    "The gates are not squashed: a gate is a sigmoid, between 0 and 1.",
    wrong={SIGMOID: "return x"},
)
def no_sigmoid(x, h, params):
    return run(x, h, params, squash=lambda x: x)


@exercise.misconception(
    "gates-by-tanh",
    "The gates are squashed by tanh, between -1 and 1; a gate is a sigmoid, between 0 and 1.",
    wrong={SIGMOID: "return np.tanh(x)"},
)
def gates_by_tanh(x, h, params):
    return run(x, h, params, squash=np.tanh)


@exercise.misconception(
    "hard-sigmoid",
    "The gates are a hard sigmoid (straight pieces); use 1 / (1 + exp(-x)).",
    wrong={SIGMOID: "return np.clip(0.2 * x + 0.5, 0, 1)"},
)
def gates_hard_sigmoid(x, h, params):
    return run(x, h, params, squash=hard_sigmoid)


@exercise.misconception(
    "softmax-gates",
    "The gates are squashed by a softmax, so that they compete; each number has a sigmoid of its own.",
    wrong={SIGMOID: "return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)"},
)
def softmax_gates(x, h, params):
    return run(x, h, params, squash=lambda x: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True))


@exercise.misconception(
    "sigmoid-sign",
    "The sigmoid has the wrong sign, 1 / (1 + exp(x)): it must grow with x.",
    wrong={SIGMOID: "return np.where(x >= 0, power, 1) / (1 + power)"},
)
def sigmoid_sign(x, h, params):
    return run(x, h, params, squash=lambda x: sigmoid(-x))


@exercise.misconception(
    "candidate-by-sigmoid",
    "The candidate is squashed by a sigmoid; use tanh, so that the state can be negative.",
    wrong={CANDIDATE: CANDIDATE.replace("np.tanh", "sigmoid")},
)
def candidate_by_sigmoid(x, h, params):
    return run(x, h, params, bound=sigmoid)


@exercise.misconception(
    "candidate-linear",
    "The candidate is not squashed; a tanh is missing.",
    wrong={CANDIDATE: CANDIDATE.replace("np.tanh", "")},
)
def candidate_linear(x, h, params):
    return run(x, h, params, bound=lambda x: x)


@exercise.misconception(
    "candidate-relu",
    "The candidate is squashed by ReLU; use tanh.",
    wrong={CANDIDATE: CANDIDATE.replace("np.tanh(", "np.maximum(0, ")},
)
def candidate_relu(x, h, params):
    return run(x, h, params, bound=lambda x: np.maximum(x, 0))


@exercise.misconception(
    "sigmoid-overflow",
    "exp(x) / (1 + exp(x)) is inf / inf = NaN for large x. Let exp see numbers that are not positive only, "
    "or use 1 / (1 + exp(-x)).",
    wrong={SIGMOID: "return np.exp(x) / (1 + np.exp(x))"},
)
def sigmoid_overflow(x, h, params):
    return run(x, h, params, squash=unstable_sigmoid)


@exercise.misconception(
    "tanh-overflow",
    "A tanh made of exp(x) and exp(-x) is inf / inf = NaN for large x; np.tanh is not.",
    wrong={CANDIDATE: "(lambda a: (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a)))(" + CANDIDATE[8:]},
)
def tanh_overflow(x, h, params):
    return run(x, h, params, bound=unstable_tanh)


exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place (h *= reset?). Make new arrays.",
    on=["mutated"],
    wrong={BLEND: "h *= 1 - update\n    h += update * candidate\n    return h"},
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 inputs must give float32 results (and float64 gives float64).",
    on=["dtype"],
    wrong={BLEND: BLEND + " + np.zeros(1)"},
)


def draw(rng, lead=(), width=5, units=3, dtype=np.float64):
    """x, h and params, in which every axis has its own length; gates and tanh in their curved parts."""
    x, h = rng.normal(size=(*lead, width)), rng.normal(size=(*lead, units))
    params = {}
    for gate in ("update", "reset", "candidate"):
        kernel = rng.normal(size=(units + width, units)) / np.sqrt(units)
        kernel[:units] *= 2  # what the state says matters
        params |= {f"w_{gate}": kernel, f"b_{gate}": rng.normal(size=units)}
    return x.astype(dtype), h.astype(dtype), {key: value.astype(dtype) for key, value in params.items()}


def rounded(x, h, params, factor=1):
    """The same with few digits, for integers and for a message that can be followed by hand."""

    def few(array):
        return np.rint(factor * array) / factor + 0.0  # no -0

    return few(x), few(h), {key: few(value) for key, value in params.items()}


@exercise.check("one input of width 2, a state of width 1")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    x, h, params = draw(rng, (1,), width=2, units=1)
    params = {key: value / 2 for key, value in params.items()}
    submission.expect(NAME, *rounded(x, h, params, factor=10))


@exercise.check("a batch")
def batch(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, (4,)))
    submission.expect(NAME, *draw(rng, (2,), width=3, units=6))


@exercise.check("input and state of the same width")
def square(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, (3,), width=4, units=4))


@exercise.check("no leading axis, two, three")
def leads(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng))
    submission.expect(NAME, *draw(rng, (2, 4)))
    submission.expect(NAME, *draw(rng, (2, 1, 4)))


@exercise.check("a state of zeros, and a step after it")
def first_steps(submission: Submission, rng: np.random.Generator) -> None:
    x, h, params = draw(rng, (2,))
    received = submission.expect(NAME, x, 0 * h, params)
    submission.expect(NAME, x[::-1].copy(), received, params)


@exercise.check("gates and candidate saturated: 1000 and -1000 do not overflow")
def saturated(submission: Submission, rng: np.random.Generator) -> None:
    for dtype in (np.float64, np.float32):
        for gate in ("update", "reset", "candidate"):
            x, h, params = draw(rng, (2,), units=6, dtype=dtype)
            params[f"b_{gate}"] = rng.permutation([1000, -1000, 100, -100, 0, 1]).astype(dtype)
            submission.expect(NAME, x, h, params)


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, (4,), dtype=np.float32))
    submission.expect(NAME, *draw(rng, (4,)))
    x, h, params = rounded(*draw(rng, (2,)))
    integers = {key: value.astype(np.int64) for key, value in params.items()}
    submission.expect(NAME, x.astype(np.int64), h.astype(np.int64), integers)


@exercise.check("lengths of 1; the same call twice")
def ones(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, (1,), width=1, units=2))
    args = draw(rng, (2,), width=1, units=1)
    submission.expect(NAME, *args)
    submission.expect(NAME, *args)
