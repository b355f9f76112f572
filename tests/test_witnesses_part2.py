"""Keras's own recurrent cells as third witnesses: oracle, solution and Keras agree."""

from __future__ import annotations

import importlib.util
import warnings
from types import ModuleType

import numpy as np
import pytest

from grader import registry

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
