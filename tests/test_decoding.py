"""Decoding against brute force over all sequences of a small vocabulary."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from grader import registry
from grader.exercise import Exercise
from grader.sessions import Limits
from grader.submission import CheckEnded, Submission
from grader.workers import Worker

BOS, EOS = 0, 1
Step = Callable[[int, Any], tuple[np.ndarray, Any]]


def model(seed: int, size: int, zeros: float = 0.0) -> Step:
    """A decoder whose log probabilities depend on everything read; some of them are -inf."""

    def step(token: int, state: Any) -> tuple[np.ndarray, Any]:
        seen = (*state, int(token))
        rng = np.random.default_rng([seed, *seen])
        logits = np.where(rng.random(size) < zeros, -np.inf, 2 * rng.normal(size=size))
        logits[rng.integers(size)] = 0.5
        return logits - np.log(np.exp(logits).sum()), seen

    return step


def sequences(size: int, limit: int) -> Iterator[tuple[int, ...]]:
    """Every sequence that ends with eos and no earlier, or is unfinished at max_length."""
    others = [token for token in range(size) if token != EOS]
    for length in range(limit):
        yield from ((*start, EOS) for start in itertools.product(others, repeat=length))
    yield from itertools.product(others, repeat=limit)


def exhaustive(step: Step, size: int, limit: int, penalty: float) -> tuple[list[int], float]:
    """The best of all sequences, among equals the one with the lower token ids."""
    found = []
    for tokens in sequences(size, limit):
        state: Any = ()
        logs = []
        for before, token in zip((BOS, *tokens), tokens, strict=False):
            log_probs, state = step(before, state)
            logs.append(log_probs[token])
        found.append((-sum(logs) / len(logs) ** penalty, tokens))
    score, tokens = min(found)
    return [token for token in tokens if token != EOS], -score


@pytest.fixture(scope="module", params=["oracle", "solution"])
def decoding(request) -> dict[str, Callable[..., Any]]:
    exercise = registry.load(20)
    if request.param == "oracle":
        return exercise.oracles
    return vars(solution(exercise))


def solution(exercise: Exercise) -> ModuleType:
    path = registry.solution_file(exercise.name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("size", "limit"), [(2, 4), (3, 1), (3, 4), (4, 3), (5, 2)])
@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0, 2.5])
def test_a_wide_beam_finds_the_best_of_all_sequences(decoding, size, limit, penalty) -> None:
    for seed in range(10):
        step = model(seed, size, zeros=0.2 * (seed % 3))
        everything = size**limit + limit * size**limit
        tokens, score = decoding["beam_search"](step, (), BOS, EOS, everything, limit, penalty)
        best, value = exhaustive(step, size, limit, penalty)
        assert tokens == best
        assert score == pytest.approx(value)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_beam_of_width_one_is_greedy(decoding, penalty) -> None:
    for seed in range(30):
        step = model(seed, 4, zeros=0.3)
        tokens = decoding["greedy_decode"](step, (), BOS, EOS, 6)
        assert decoding["beam_search"](step, (), BOS, EOS, 1, 6, penalty)[0] == tokens


def test_ties_go_to_the_lowest_token(decoding) -> None:
    def flat(token: int, state: Any) -> tuple[np.ndarray, Any]:
        return np.array([-np.inf, -2.0, -1.0, -1.0]), ()

    assert decoding["greedy_decode"](flat, (), BOS, EOS, 3) == [2, 2, 2]
    for width in (1, 2, 3, 4):
        assert decoding["beam_search"](flat, (), BOS, EOS, width, 1) == ([2], -1.0)


def test_eos_at_once_counts_itself(decoding) -> None:
    def ends(token: int, state: Any) -> tuple[np.ndarray, Any]:
        return np.log([0.1, 0.6, 0.3]), ()

    assert decoding["greedy_decode"](ends, (), BOS, EOS, 3) == []
    assert decoding["beam_search"](ends, (), BOS, EOS, 2, 3) == ([], pytest.approx(np.log(0.6)))


def test_step_is_called_at_most_max_length_times_along_a_hypothesis(decoding) -> None:
    depths = []

    def counting(token: int, state: Any) -> tuple[np.ndarray, Any]:
        depths.append(state)
        return np.log([0.2, 0.1, 0.4, 0.3]), state + 1

    assert len(decoding["greedy_decode"](counting, 0, BOS, EOS, 5)) == 5
    decoding["beam_search"](counting, 0, BOS, EOS, 3, 5)
    assert max(depths) == 4


HOSTILE = {
    "no arguments": "step()",
    "a string": "step('x' * 100000, state)",
    "too large": "step(10 ** 30, state)",
    "negative": "step(-1, state)",
    "a flag": "step(True, state)",
    "a fraction": "step(0.5, state)",
    "an object": "step(object(), state)",
    "several": "step([bos], state)",
    "many": "step(np.zeros((3, 3), int), state)",
    "complex": "step(np.complex128(1j), state)",
    "no state": "step(bos, None)",
    "another state": "step(bos, np.full((2, 2), 3))",
    "a huge state": "step(bos, np.zeros(1000000, int))",
    "a wrong number in it": "step(bos, np.array([10 ** 9]))",
    "floats in it": "step(bos, np.array([np.nan]))",
    "a nested state": "step(bos, {'seen': [[[]]], 'note': 1})",
    "swapped": "step(state, bos)",
    "a keyword": "step(token=bos, state=state)",
}


@pytest.mark.parametrize("call", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", ["array", "text", "dict"])
def test_wrong_calls_of_step_fail_the_check_and_nothing_else(worker: Worker, call: str, kind: str) -> None:
    suite = pytest.importorskip("grader.suites.exercise_20")
    text = (
        "import numpy as np\n"
        "def greedy_decode(step, state, bos, eos, max_length):\n"
        "    for _ in range(3):\n"
        f"        {call}\n"
        "    return []\n"
    )
    worker.preload("numpy")
    session = worker.fork(Limits())
    try:
        session.request("load", {"parts": [["it.py", text]], "forbidden": []})
        submission = Submission(suite.exercise, session, lambda: 20.0)
        case = suite.Case(suite.drawn(np.random.default_rng(1), kind=kind))
        if call == HOSTILE["no state"] and kind == "text":
            pytest.skip("None is this model's first state")
        with pytest.raises(CheckEnded) as ended:
            case.expect(submission, "greedy_decode")
        assert ended.value.status in ("failed", "error")
        assert session.alive
    finally:
        session.close()
