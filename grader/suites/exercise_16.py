"""An LSTM cell: which gate does what, what the tanhs are for, and sigmoids that do not overflow."""

from __future__ import annotations

import numpy as np

from grader.exercise import Exercise
from grader.submission import Submission

exercise = Exercise(
    number=16,
    title="An LSTM cell",
    kind="numpy",
    part="Recurrent attention",
    implements=["lstm_cell"],
    outputs={"lstm_cell": ("h_next", "c_next")},
    lesson="07_gates_gru_lstm#long-short-term-memory",
    minutes=20,
    difficulty=2,
    forbidden=["scipy*", "keras*", "tensorflow*", "torch*", "jax*"],
    hints=[
        "All four of forget, input, output and candidate look at the same joined vector. Which three "
        "are gates, and what does each gate multiply?",
        "joined = np.concatenate([h, x], axis=-1), h first. The cell is a sum: what is kept of c and "
        "what is let in of the candidate. The state shows it through a tanh and the output gate.",
        'forget = _sigmoid(joined @ params["w_forget"] + params["b_forget"]), input and output alike; '
        "candidate with np.tanh; c_next = forget * c + input * candidate; return output * np.tanh(c_next), "
        "c_next.",
    ],
)
NAME = "lstm_cell"
JOINED = "joined = np.concatenate([h, x], axis=-1)"
CANDIDATE = 'np.tanh(joined @ params["w_candidate"] + params["b_candidate"])'
CELL = "c_next = forget * c + admit * candidate"
STATE = "h_next = show * np.tanh(c_next)"
RETURN = "return h_next, c_next"
SIGMOID = "return np.where(x >= 0, 1, power) / (1 + power)"
UNSTABLE = "(lambda a: (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a)))"
GATES = ("forget", "input", "output")


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
    x, h, c, params, *, affine=affine, squash=sigmoid, bound=np.tanh, gates=GATES, cell=None, show=None
):
    """The oracle, with parts that a misconception replaces."""
    forget, admit, output = (squash(affine(h, x, params, gate)) for gate in gates)
    candidate = bound(affine(h, x, params, "candidate"))
    if cell is None:
        c_next = np.sum([forget * c, admit * candidate], axis=0)
    else:
        c_next = cell(c, forget, admit, candidate)
    return (output * bound(c_next) if show is None else show(output, c_next, c)), c_next


@exercise.oracle(NAME)
def lstm_cell(x, h, c, params):
    """The right answer."""
    return run(x, h, c, params)


# The cell


@exercise.misconception(
    "gates-coupled",
    "1 - forget is used as the input gate; the input gate has a kernel of its own.",
    wrong={CELL: "c_next = forget * c + (1 - forget) * candidate"},
)
def gates_coupled(*args):
    return run(*args, cell=lambda c, f, i, new: f * c + (1 - f) * new)


@exercise.misconception(
    "forget-gate-inverted",
    "c is multiplied by 1 - forget. The gate's name misleads: at 1 everything is kept.",
    wrong={CELL: "c_next = (1 - forget) * c + admit * candidate"},
)
def forget_gate_inverted(*args):
    return run(*args, cell=lambda c, f, i, new: (1 - f) * c + i * new)


@exercise.misconception(
    "nothing-forgotten",
    "The forget gate has no effect (as in the first LSTM, of 1997): c is multiplied by it.",
    wrong={CELL: "c_next = c + admit * candidate"},
)
def nothing_forgotten(*args):
    return run(*args, cell=lambda c, f, i, new: c + i * new)


@exercise.misconception(
    "input-gate-ignored",
    "The input gate has no effect: the candidate is multiplied by it before it is added.",
    wrong={CELL: "c_next = forget * c + candidate"},
)
def input_gate_ignored(*args):
    return run(*args, cell=lambda c, f, i, new: f * c + new)


@exercise.misconception(
    "old-cell-dropped",
    "The new cell holds input * candidate only; forget * c is missing.",
    wrong={CELL: "c_next = admit * candidate"},
)
def old_cell_dropped(*args):
    return run(*args, cell=lambda c, f, i, new: i * new)


@exercise.misconception(
    "product-for-sum",
    "The old and the new part of the cell are multiplied; they are added.",
    wrong={CELL: "c_next = forget * c * admit * candidate"},
)
def product_for_sum(*args):
    return run(*args, cell=lambda c, f, i, new: f * c * i * new)


@exercise.misconception(
    "sum-for-product",
    "The gates are added to what they should multiply.",
    wrong={CELL: "c_next = (forget + c) * (admit + candidate)"},
)
def sum_for_product(*args):
    return run(*args, cell=lambda c, f, i, new: (f + c) * (i + new))


@exercise.misconception(
    "forget-input-swapped",
    "The forget gate and the input gate are swapped: forget multiplies c, input the candidate.",
    wrong={CELL: "c_next = admit * c + forget * candidate"},
)
def forget_input_swapped(*args):
    return run(*args, cell=lambda c, f, i, new: i * c + f * new)


@exercise.misconception(
    "input-output-swapped",
    "The input gate and the output gate are swapped: input multiplies the candidate, output the tanh of "
    "the cell.",
    wrong={CELL: "admit, show = show, admit\n    " + CELL},
)
def input_output_swapped(*args):
    return run(*args, gates=("forget", "output", "input"))


@exercise.misconception(
    "cell-squashed",
    "The tanh squashes the cell that is passed on; it belongs around c_next in h_next only.",
    wrong={CELL: "c_next = np.tanh(forget * c + admit * candidate)", STATE: "h_next = show * c_next"},
)
def cell_squashed(*args):
    def cell(c, f, i, new):
        return np.tanh(f * c + i * new)

    return run(*args, cell=cell, show=lambda output, new, old: output * new)


@exercise.misconception(
    "state-for-cell",
    "The forget gate multiplies h; it multiplies the cell c.",
    wrong={CELL: "c_next = forget * h + admit * candidate"},
)
def state_for_cell(x, h, c, params):
    return run(x, h, c, params, cell=lambda c, f, i, new: f * h + i * new)


# The state


@exercise.misconception(
    "state-without-tanh",
    "h_next is output * c_next; a tanh around c_next is missing.",
    wrong={STATE: "h_next = show * c_next"},
)
def state_without_tanh(*args):
    return run(*args, show=lambda output, new, old: output * new)


@exercise.misconception(
    "state-of-old-cell",
    "h_next shows the old cell, output * tanh(c); the new one, c_next, belongs there.",
    wrong={STATE: "h_next = show * np.tanh(c)"},
)
def state_of_old_cell(*args):
    return run(*args, show=lambda output, new, old: output * np.tanh(old))


@exercise.misconception(
    "state-from-candidate",
    "h_next is output * candidate; the output gate multiplies tanh(c_next).",
    wrong={STATE: "h_next = show * candidate"},
)
def state_from_candidate(x, h, c, params):
    candidate = np.tanh(affine(h, x, params, "candidate"))
    return run(x, h, c, params, show=lambda output, new, old: output * candidate)


@exercise.misconception(
    "output-gate-ignored",
    "The output gate has no effect: h_next is tanh(c_next) times the gate.",
    wrong={STATE: "h_next = np.tanh(c_next)"},
)
def output_gate_ignored(*args):
    return run(*args, show=lambda output, new, old: np.tanh(new))


@exercise.misconception(
    "output-gate-returned",
    "The output gate itself is returned as the state; it multiplies tanh(c_next).",
    wrong={STATE: "h_next = show"},
)
def output_gate_returned(*args):
    return run(*args, show=lambda output, new, old: output)


@exercise.misconception(
    "state-by-sigmoid",
    "The cell is squashed by a sigmoid on its way to h_next; use tanh.",
    wrong={STATE: "h_next = show * _sigmoid(c_next)"},
)
def state_by_sigmoid(*args):
    return run(*args, show=lambda output, new, old: output * sigmoid(new))


@exercise.misconception(
    "results-swapped",
    "The results are swapped: (h_next, c_next) is asked for, in this order.",
    wrong={RETURN: "return c_next, h_next"},
)
def results_swapped(*args):
    return run(*args)[::-1]


@exercise.misconception(
    "cell-missing",
    "Only h_next is returned; return (h_next, c_next).",
    wrong={RETURN: "return h_next"},
)
def cell_missing(*args):
    return run(*args)[0]


@exercise.misconception(
    "states-nested",
    "The result is nested like that of Keras's cells, (h, [h, c]); return (h_next, c_next).",
    wrong={RETURN: "return h_next, [h_next, c_next]"},
)
def states_nested(*args):
    h_next, c_next = run(*args)
    return h_next, [h_next, c_next]


# What is multiplied


@exercise.misconception(
    "input-first",
    "The vectors are concatenated as [x, h]; the kernels expect [h, x].",
    wrong={JOINED: "joined = np.concatenate([x, h], axis=-1)"},
)
def input_first(*args):
    def swapped(h, x, params, gate):
        return np.concatenate([x, h], axis=-1) @ params[f"w_{gate}"] + params[f"b_{gate}"]

    return run(*args, affine=swapped)


@exercise.misconception(
    "cell-in-gates",
    "The gates are fed [c, x]; they look at the state: [h, x].",
    wrong={JOINED: "joined = np.concatenate([c, x], axis=-1)"},
)
def cell_in_gates(x, h, c, params):
    return run(x, c, c, params)


@exercise.misconception(
    "no-recurrent-kernel",
    "h never meets a kernel: gates and candidate are computed from x alone.",
    wrong={JOINED: "joined = np.concatenate([np.zeros_like(h), x], axis=-1)"},
)
def no_recurrent_kernel(x, h, c, params):
    return run(x, 0 * h, c, params)


@exercise.misconception(
    "biases-ignored",
    "The biases have no effect; add one in each gate and in the candidate.",
    wrong={f' + params["b_{gate}"]': "" for gate in (*GATES, "candidate")},
)
def biases_ignored(x, h, c, params):
    return run(x, h, c, {key: value * (key[0] == "w") for key, value in params.items()})


@exercise.misconception(
    "candidate-bias-ignored",
    "b_candidate has no effect.",
    wrong={' + params["b_candidate"]': ""},
)
def candidate_bias_ignored(x, h, c, params):
    return run(x, h, c, {**params, "b_candidate": np.zeros(h.shape[-1])})


@exercise.misconception(
    "forget-bias-one",
    "1 is added to the forget gate's bias. That is how the bias is initialized when training starts, not a "
    "part of the cell.",
    wrong={'params["b_forget"])': 'params["b_forget"] + 1)'},
)
def forget_bias_one(x, h, c, params):
    return run(x, h, c, {**params, "b_forget": params["b_forget"] + 1})


@exercise.misconception(
    "axis-fixed",
    "The vectors are joined along axis 1, which is the last one of a batch (B, D) only. Use axis=-1.",
    wrong={JOINED: JOINED.replace("-1", "1")},
)
def axis_fixed(x, h, c, params):
    np.concatenate([h, x], axis=1)  # raises unless there are two axes
    return run(x, h, c, params)


@exercise.misconception(
    "hstack",
    "np.hstack joins along axis 1, the last one of a batch (B, D) only. Use np.concatenate with axis=-1.",
    wrong={JOINED: "joined = np.hstack([h, x])"},
)
def hstack(x, h, c, params):
    np.hstack([h, x])  # raises where there are more than two axes
    return run(x, h, c, params)


# How it is squashed


@exercise.misconception(
    "no-sigmoid",
    "The gates are not squashed: a gate is a sigmoid, between 0 and 1.",
    wrong={SIGMOID: "return x"},
)
def no_sigmoid(*args):
    return run(*args, squash=lambda x: x)


@exercise.misconception(
    "gates-by-tanh",
    "The gates are squashed by tanh, between -1 and 1; a gate is a sigmoid, between 0 and 1.",
    wrong={SIGMOID: "return np.tanh(x)"},
)
def gates_by_tanh(*args):
    return run(*args, squash=np.tanh)


@exercise.misconception(
    "output-gate-by-tanh",
    "The output gate is squashed by tanh; like the other gates it is a sigmoid, between 0 and 1.",
    wrong={"show = _sigmoid(": "show = np.tanh("},
)
def output_gate_by_tanh(x, h, c, params):
    shown = np.tanh(affine(h, x, params, "output"))
    return run(x, h, c, params, show=lambda output, new, old: shown * np.tanh(new))


@exercise.misconception(
    "hard-sigmoid",
    "The gates are a hard sigmoid (straight pieces); use 1 / (1 + exp(-x)).",
    wrong={SIGMOID: "return np.clip(0.2 * x + 0.5, 0, 1)"},
)
def gates_hard_sigmoid(*args):
    return run(*args, squash=hard_sigmoid)


@exercise.misconception(
    "candidate-by-sigmoid",
    "The candidate is squashed by a sigmoid; use tanh, so that the cell can also shrink.",
    wrong={CANDIDATE: CANDIDATE.replace("np.tanh", "_sigmoid")},
)
def candidate_by_sigmoid(*args):
    return run(*args, bound=sigmoid, show=lambda output, new, old: output * np.tanh(new))


@exercise.misconception(
    "candidate-linear",
    "The candidate is not squashed; a tanh is missing.",
    wrong={CANDIDATE: CANDIDATE.replace("np.tanh", "")},
)
def candidate_linear(*args):
    return run(*args, bound=lambda x: x, show=lambda output, new, old: output * np.tanh(new))


@exercise.misconception(
    "relu-for-tanh",
    "ReLU stands where tanh belongs, around the candidate and the cell.",
    wrong={
        CANDIDATE: CANDIDATE.replace("np.tanh(", "np.maximum(0, "),
        STATE: STATE.replace("np.tanh(", "np.maximum(0, "),
    },
)
def relu_for_tanh(*args):
    return run(*args, bound=lambda x: np.maximum(x, 0))


@exercise.misconception(
    "sigmoid-overflow",
    "exp(x) / (1 + exp(x)) is inf / inf = NaN for large x. Use the given _sigmoid, or 1 / (1 + exp(-x)).",
    wrong={SIGMOID: "return np.exp(x) / (1 + np.exp(x))"},
)
def sigmoid_overflow(*args):
    return run(*args, squash=unstable_sigmoid)


@exercise.misconception(
    "tanh-overflow",
    "A tanh made of exp(x) and exp(-x) is inf / inf = NaN for large x; np.tanh is not.",
    wrong={
        CANDIDATE: CANDIDATE.replace("np.tanh", UNSTABLE),
        STATE: STATE.replace("np.tanh", UNSTABLE),
    },
)
def tanh_overflow(*args):
    return run(*args, bound=unstable_tanh)


exercise.behaviour(
    "changes-input",
    "One of the inputs is changed in place (c *= forget?). Make new arrays.",
    on=["mutated"],
    wrong={CELL: "c *= forget\n    c += admit * candidate\n    c_next = c"},
)
exercise.behaviour(
    "wrong-precision",
    "The values are right, but float32 inputs must give float32 results (and float64 gives float64).",
    on=["dtype"],
    wrong={RETURN: "return h_next + np.zeros(1), c_next + np.zeros(1)"},
)


def draw(rng, lead=(), width=5, units=3, dtype=np.float64):
    """x, h, c and params, in which every axis has its own length; gates and tanh in their curved parts."""
    x, h, c = (rng.normal(size=(*lead, size)) for size in (width, units, units))
    params = {}
    for gate in (*GATES, "candidate"):
        kernel = rng.normal(size=(units + width, units)) / np.sqrt(units)
        kernel[:units] *= 2  # what the state says matters
        params |= {f"w_{gate}": kernel, f"b_{gate}": rng.normal(size=units)}
    params = {key: value.astype(dtype) for key, value in params.items()}
    return x.astype(dtype), h.astype(dtype), c.astype(dtype), params


def rounded(x, h, c, params, factor=1):
    """The same with few digits, for integers and for a message that can be followed by hand."""

    def few(array):
        return np.rint(factor * array) / factor + 0.0  # no -0

    return few(x), few(h), few(c), {key: few(value) for key, value in params.items()}


@exercise.check("one input of width 2, a state of width 1")
def tiny(submission: Submission, rng: np.random.Generator) -> None:
    *arrays, params = draw(rng, (1,), width=2, units=1)
    params = {key: value / 2 for key, value in params.items()}
    submission.expect(NAME, *rounded(*arrays, params, factor=10))


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


@exercise.check("a state of zeros; a cell that has grown large")
def extreme_cells(submission: Submission, rng: np.random.Generator) -> None:
    x, h, c, params = draw(rng, (2,))
    submission.expect(NAME, x, 0 * h, 0 * c, params)
    submission.expect(NAME, x, h, 20 * c, params)


@exercise.check("gates and candidate saturated: 1000 and -1000 do not overflow")
def saturated(submission: Submission, rng: np.random.Generator) -> None:
    for dtype in (np.float64, np.float32):
        for gate in (*GATES, "candidate"):
            x, h, c, params = draw(rng, (2,), units=6, dtype=dtype)
            params[f"b_{gate}"] = rng.permutation([1000, -1000, 100, -100, 0, 1]).astype(dtype)
            submission.expect(NAME, x, h, c, params)


@exercise.check("a cell of 1000 and -1000 does not overflow")
def large_cell(submission: Submission, rng: np.random.Generator) -> None:
    x, h, _, params = draw(rng, (2,), units=4)
    params["b_forget"] += 1000
    submission.expect(NAME, x, h, np.stack([rng.permutation([1000.0, -1000.0, 800.0, -800.0])] * 2), params)


@exercise.check("float32, float64 and integers")
def dtypes(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, (4,), dtype=np.float32))
    submission.expect(NAME, *draw(rng, (4,)))
    *arrays, params = rounded(*draw(rng, (2,)))
    integers = {key: value.astype(np.int64) for key, value in params.items()}
    submission.expect(NAME, *(array.astype(np.int64) for array in arrays), integers)


@exercise.check("lengths of 1; the same call twice")
def ones(submission: Submission, rng: np.random.Generator) -> None:
    submission.expect(NAME, *draw(rng, (1,), width=1, units=2))
    args = draw(rng, (2,), width=1, units=1)
    submission.expect(NAME, *args)
    submission.expect(NAME, *args)
