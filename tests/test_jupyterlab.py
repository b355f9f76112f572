"""JupyterLab in headless Chromium, as learners use it: a wrong answer, the card, a right one, progress."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import copy_project

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WRONG = """%%exercise exercise_01
import numpy as np

def softmax(scores, axis=-1):
    print("<i>printed</i>")
    return np.exp(scores) / np.exp(scores).sum()
"""
MENDED = """%%exercise exercise_01
import numpy as np

def softmax(scores, axis=-1):
    scores = np.asarray(scores)
    if scores.dtype.kind != "f":
        scores = scores.astype(np.float64)
    largest = np.max(scores, axis=axis, keepdims=True)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = powers.sum(axis=axis, keepdims=True)
    return powers / np.where(total == 0, 1, total)
"""
# JupyterLab draws only the cells near the screen: ask it for a cell by its text, and to scroll there.
FIND = """async (start) => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  const index = notebook.widgets.findIndex(cell => cell.model.sharedModel.source.startsWith(start));
  notebook.activeCellIndex = index;
  await notebook.scrollToCell(notebook.widgets[index], 'start');
  return index;
}"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.xdist_group("jupyterlab"),
]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("lab") / "project")


@pytest.fixture(scope="module")
def lab(project: Path) -> Iterator[str]:
    """A server on a copy of the project; its address."""
    folder, port = project.parent, free_port()
    told = {
        f"JUPYTER_{name}_DIR": str(folder / f"jupyter-{name}") for name in ("CONFIG", "DATA", "RUNTIME")
    }
    told |= {"PYTHONPATH": str(project), "ATTENTION_DOJO_STATE": str(folder / "state")}
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=secret", f"--ServerApp.root_dir={project}",
        "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=project, env={**os.environ, **told})
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/api?token=secret", timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert server.poll() is None, (folder / "lab.log").read_text()
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def page(lab: str, project: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Notebook 01 of this test's own, open in a browser."""
    from playwright.sync_api import sync_playwright

    name = f"{request.node.name}.ipynb"
    shutil.copy(project / "notebooks" / "01_softmax_attention.ipynb", project / "notebooks" / name)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1200, "height": 1000})
        opened.set_default_timeout(60_000)
        opened.goto(f"{lab}/lab/tree/notebooks/{name}?token=secret&reset")
        ready(opened)
        yield opened
        opened.screenshot(path=project.parent / f"{request.node.name}.png")
        browser.close()


def ready(page: Any) -> None:
    """Wait until the notebook is there and its kernel idle."""
    panel = "window.jupyterapp?.shell?.currentWidget"
    page.wait_for_function(f"{panel}?.content?.widgets?.length > 10")
    page.evaluate(f"{panel}.context.ready")
    page.wait_for_function(f"{panel}.sessionContext?.session?.kernel?.status === 'idle'")


def cell(page: Any, start: str) -> Any:
    index = page.evaluate(FIND, start)
    assert index >= 0, start
    return page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')


def run(page: Any, found: Any, text: str | None = None) -> None:
    """Type into a cell and run it; a page that is still settling may lose the first click."""
    for _ in range(3):
        found.locator(".cm-content").click()
        if text is not None:
            page.keyboard.press("ControlOrMeta+A")
            page.keyboard.insert_text(text)
        prompt = found.locator(".jp-InputPrompt").inner_text()
        page.keyboard.press("ControlOrMeta+Enter")
        for _ in range(50):
            if found.locator(".jp-InputPrompt").inner_text() not in (prompt, "[*]:"):
                return
            page.wait_for_timeout(100)


def restart(page: Any) -> None:
    page.evaluate("void window.jupyterapp.commands.execute('notebook:restart-kernel')")
    page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    page.locator(".jp-Dialog").wait_for(state="detached")
    ready(page)


def test_a_learner_fails_mends_passes_and_comes_back(page: Any, project: Path) -> None:
    run(page, cell(page, "%load_ext grader"))
    exercise = cell(page, "%%exercise exercise_01")
    run(page, exercise, WRONG)
    card = exercise.locator(".dojo")
    card.locator("h4 span.failed").wait_for()
    told = card.inner_text()
    assert "whole-array" in told
    assert "The sum runs over the whole array" in told
    assert "<i>printed</i>" in told
    assert card.locator(".pictures").first.locator("svg").count() == 3
    assert card.locator("svg").first.bounding_box()["width"] > 50

    # The link leads to the section that teaches it, in this notebook.
    assert card.get_by_role("link").first.get_attribute("href").endswith("#Softmax")

    run(page, cell(page, "%%exercise exercise_01"), MENDED)
    exercise.locator(".dojo h4 span.passed").wait_for()
    assert "softmax" in (project / "exercises" / "exercise_01.py").read_text()

    page.keyboard.press("ControlOrMeta+S")
    page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    page.reload()
    ready(page)
    # The card is still there, with its style: the page trusts what its own user ran.
    kept = cell(page, "%%exercise exercise_01").locator(".dojo")
    kept.locator("h4 span.passed").wait_for()
    assert kept.evaluate("card => getComputedStyle(card).borderRadius") == "6px"

    restart(page)
    first = cell(page, "%load_ext grader")
    run(page, first, "%load_ext grader\n%progress")
    first.get_by_text("1 of 29 exercises passed").wait_for()
    assert first.locator(".tile.passed", has_text="1").count() == 1


def test_light_and_dark(page: Any) -> None:
    run(page, cell(page, "%load_ext grader"))
    exercise = cell(page, "%%exercise exercise_01")
    run(page, exercise, WRONG)
    exercise.locator(".dojo h4 span.failed").wait_for()
    seen = []
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: '{theme}'}})")
        page.wait_for_function(f"document.body.dataset.jpThemeName === '{theme}'")
        page.wait_for_timeout(300)
        title = exercise.locator(".dojo h4").evaluate("it => getComputedStyle(it).color")
        number = exercise.locator(".dojo svg text").first.evaluate("it => getComputedStyle(it).fill")
        assert title == number
        seen.append(sum(map(int, title[title.index("(") + 1 : -1].split(",")[:3])))
    assert seen[0] < 3 * 80  # dark on light
    assert seen[1] > 3 * 175


def test_hint_and_solution(page: Any) -> None:
    run(page, cell(page, "%load_ext grader"))
    exercise = cell(page, "%%exercise exercise_01")
    run(page, exercise, WRONG)
    exercise.locator(".dojo h4 span.failed").wait_for()
    first = cell(page, "%load_ext grader")
    run(page, first, "%hint")
    first.get_by_text("About your last answer: whole-array").wait_for()
    run(page, cell(page, "%hint"), "%solution 2")
    first.get_by_text("not passed yet").wait_for()
    run(page, cell(page, "%solution"), "%solution 1 --yes")
    first.locator(".dojo .beside pre").nth(1).wait_for()
    boxes = [first.locator(".dojo .beside pre").nth(side).bounding_box() for side in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
