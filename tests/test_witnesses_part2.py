"""Keras's own recurrent cells as third witnesses: oracle, solution and Keras agree."""

from __future__ import annotations

import functools
import importlib.util
import warnings
from types import ModuleType

import numpy as np
import pytest

from grader import registry
from grader.submission import LayerState

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


def solution(number: int) -> ModuleType:
    """Import a reference solution."""
    path = registry.solution_file(f"exercise_{number:02d}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw_params(
    rng: np.random.Generator, gates: list[str], units: int, width: int
) -> dict[str, np.ndarray]:
    kernels = {f"w_{gate}": rng.normal(size=(units + width, units)) for gate in gates}
    return kernels | {f"b_{gate}": rng.normal(size=units) for gate in gates}


def joined(params: dict[str, np.ndarray], gates: list[str], units: int) -> list[np.ndarray]:
    """Our parameters as Keras keeps them: input kernel, recurrent kernel and bias of all gates."""
    kernel = np.concatenate([params[f"w_{gate}"] for gate in gates], axis=1)
    return [kernel[units:], kernel[:units], np.concatenate([params[f"b_{gate}"] for gate in gates])]


def test_gru_cell(keras) -> None:
    rng = np.random.default_rng(15)
    units, width, batch = 3, 5, 4
    gates = ["update", "reset", "candidate"]
    params = draw_params(rng, gates, units, width)
    x, h = rng.normal(size=(batch, width)), rng.normal(size=(batch, units))
    # Keras's update gate says what is kept: 1 - update, the sigmoid of the negative.
    theirs = params | {"w_update": -params["w_update"], "b_update": -params["b_update"]}
    cell = keras.layers.GRUCell(units, reset_after=False)
    cell.build((batch, width))
    cell.set_weights(joined(theirs, gates, units))
    output, _ = cell(x.astype("float32"), [h.astype("float32")])
    output = keras.ops.convert_to_numpy(output)
    np.testing.assert_allclose(registry.load(15).oracles["gru_cell"](x, h, params), output, atol=1e-5)
    np.testing.assert_allclose(solution(15).gru_cell(x, h, params), output, atol=1e-5)


def test_lstm_cell(keras) -> None:
    rng = np.random.default_rng(16)
    units, width, batch = 3, 5, 4
    gates = ["input", "forget", "candidate", "output"]  # Keras's order
    params = draw_params(rng, gates, units, width)
    x = rng.normal(size=(batch, width))
    h, c = rng.normal(size=(2, batch, units))
    cell = keras.layers.LSTMCell(units)
    cell.build((batch, width))
    cell.set_weights(joined(params, gates, units))
    _, states = cell(x.astype("float32"), [h.astype("float32"), c.astype("float32")])
    states = [keras.ops.convert_to_numpy(state) for state in states]
    for function in (registry.load(16).oracles["lstm_cell"], solution(16).lstm_cell):
        for ours, state in zip(function(x, h, c, params), states, strict=True):
            np.testing.assert_allclose(ours, state, atol=1e-5)


def test_encoder_decoder(keras) -> None:
    """Keras's LSTM, AdditiveAttention and LSTMCell, put together by hand, against the oracles."""
    rng = np.random.default_rng(19)
    batch, read, written, units, embedding_dim, source_vocab, target_vocab = 2, 5, 3, 4, 3, 7, 9
    model = solution(19).Seq2Seq(source_vocab, target_vocab, embedding_dim, units)
    source = rng.integers(1, source_vocab, size=(batch, read)).astype("int32")
    source[1, 3:] = 0
    target_in = rng.integers(1, target_vocab, size=(batch, written)).astype("int32")
    model((source, target_in))
    paths = registry.load(19).weights["Seq2Seq"]
    state = LayerState({}, {path: rng.normal(size=attribute(model, path).shape) for path in paths})
    for path in paths:
        attribute(model, path).assign(state[path])

    def there(name: str, *kinds: str) -> list[np.ndarray]:
        return [state[f"{name}.{kind}"] for kind in kinds]

    recurrent = ("kernel", "recurrent_kernel", "bias")
    lstm = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    embedded = state["encoder.embedding.embeddings"][source].astype("float32")
    lstm.build(embedded.shape)
    lstm.set_weights(there("encoder.lstm.cell", *recurrent))
    outputs, h, c = lstm(embedded, mask=source != 0)
    outputs = keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(outputs))  # without its mask

    attention = keras.layers.AdditiveAttention()
    attention.build([(batch, 1, units), (batch, read, units)])
    attention.set_weights([state["decoder.attention.score_dense.kernel"][:, 0]])
    cell = keras.layers.LSTMCell(units)
    cell.build((batch, embedding_dim + units))
    cell.set_weights(there("decoder.lstm_cell", *recurrent))

    def project(x, name: str):
        kernel, bias = there(f"decoder.{name}", "kernel", "bias")
        return keras.ops.matmul(x, kernel.astype("float32")) + bias.astype("float32")

    logits, states = [], [h, c]
    for t in range(written):
        query = keras.ops.expand_dims(project(states[0], "attention.query_dense"), 1)
        keys = project(outputs, "attention.value_dense")
        # Its score has no bias; ours adds the same to every position, which softmax does not see.
        context = attention([query, outputs, keys], mask=[None, keras.ops.convert_to_tensor(source != 0)])
        token = state["decoder.embedding.embeddings"][target_in[:, t]].astype("float32")
        h, states = cell(keras.ops.concatenate([token, context[:, 0]], -1), states)
        logits.append(project(keras.ops.concatenate([h, context[:, 0]], -1), "output_dense"))
    theirs = keras.ops.convert_to_numpy(keras.ops.stack(logits, axis=1))

    oracle = registry.load(19).oracles["Seq2Seq"](state, (source, target_in))
    ours = keras.ops.convert_to_numpy(model((source, target_in)))
    np.testing.assert_allclose(oracle, theirs, atol=1e-4)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def attribute(owner, path: str):
    """Follow a dotted path."""
    return functools.reduce(getattr, path.split("."), owner)
