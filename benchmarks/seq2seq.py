"""Training the reference Seq2Seq (exercise 19) as `fit` does it, against the usual tutorial form.

    uv run python benchmarks/seq2seq.py [steps]

The tutorial form is a loop over the time steps under a GradientTape, run eagerly. Both start from the same
weights and see the same batches, so their losses must agree to 1e-4 at every step. Prints seconds per step
and the ratio; the first steps, in which graphs are traced, are counted apart.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

ROOT = Path(__file__).resolve().parents[1]
BATCH, LENGTH, VOCAB, WARM_UP = 64, 10, 13, 3


def load_solution():
    """Import the reference solution of exercise 19."""
    path = ROOT / "solutions" / "exercise_19.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_model(solution):
    """A built model; the same weights each time."""
    keras.utils.set_random_seed(0)
    model = solution.Seq2Seq(VOCAB, VOCAB, embedding_dim=32, units=64)
    model((np.ones((2, LENGTH), "int32"), np.ones((2, LENGTH), "int32")))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, jit_compile=False)
    return model


def eager_step(model) -> Callable[..., float]:
    """The tutorial form: one step of the target after the other, everything eager."""

    def step(source, target_in, labels) -> float:
        with tf.GradientTape() as tape:
            outputs, *states = model.encoder(source)
            loss = 0.0
            for t in range(labels.shape[1]):
                logits, states, _ = model.decoder.step(target_in[:, t], states, outputs, source != 0)
                loss += model.loss(labels[:, t], logits)
            loss /= labels.shape[1]
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)
        return float(loss)

    return step


def compiled_step(model) -> Callable[..., float]:
    """One batch as `fit` trains it."""

    def step(source, target_in, labels) -> float:
        model.reset_metrics()  # the loss reported is a mean over all batches since
        return float(model.train_on_batch((source, target_in), labels))

    return step


def measure(step: Callable[..., float], batches: list) -> tuple[list[float], float, float]:
    """Losses, seconds of the first steps together, and the median seconds of the others."""
    losses, seconds = [], []
    for batch in batches:
        start = time.perf_counter()
        losses.append(step(*batch))
        seconds.append(time.perf_counter() - start)
    return losses, sum(seconds[:WARM_UP]), float(np.median(seconds[WARM_UP:]))


def main() -> None:
    steps = WARM_UP + (int(sys.argv[1]) if len(sys.argv) > 1 else 30)
    rng = np.random.default_rng(0)
    batches = []
    for _ in range(steps):
        source = rng.integers(1, VOCAB - 1, size=(BATCH, LENGTH)).astype("int32")
        source[: BATCH // 4, LENGTH - 3 :] = 0
        labels = source[:, ::-1].copy()
        target_in = np.concatenate([np.full((BATCH, 1), VOCAB - 1, "int32"), labels[:, :-1]], axis=1)
        batches.append((source, target_in, labels))
    solution = load_solution()
    tutorial_losses, _, tutorial = measure(eager_step(make_model(solution)), batches)
    reference_losses, tracing, fast = measure(compiled_step(make_model(solution)), batches)
    apart = float(np.max(np.abs(np.subtract(tutorial_losses, reference_losses))))
    print(
        f"exercise_19, {BATCH} x {LENGTH} tokens: eager loop {tutorial * 1000:.1f} ms a step, reference "
        f"{fast * 1000:.1f} ms = {tutorial / fast:.1f} x faster, aim at least 3 x "
        f"(its first {WARM_UP} steps {tracing:.1f} s); losses apart by at most {apart:.1e}"
    )
    if apart > 1e-4:
        sys.exit("the two do not compute the same loss")


if __name__ == "__main__":
    main()
