"""Reading answers, keys and commands: with a live clock in a terminal, line by line anywhere else."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

COMMANDS = ("/edit", "/skip", "/quit", "/help", "/open")
END, QUIT = ".", "/quit"
_SAVE_SECONDS = 1.0


class Prompter(Protocol):
    """How a candidate is asked. `status` is the clock in words, read again and again."""

    def text(self, status: Callable[[], str], draft: str, keep: Callable[[str], None]) -> tuple[str, str]:
        """Read an answer. Returns it and what ended it: ".", "/quit", ... or an unknown command.

        Args:
            status: The clock.
            draft: What is written so far.
            keep: Called with the text while it is being written.
        """

    def key(self, status: Callable[[], str], message: str, keys: Sequence[str], default: str) -> str:
        """Read one of the keys; Enter is the default. Returns the key, or "/quit"."""

    def line(self, status: Callable[[], str], message: str) -> str:
        """Read a line; "/quit" when there are no more."""


def fitting() -> Prompter:
    """Return the prompter for where this runs."""
    if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return TerminalPrompter()
    return PlainPrompter()


def _is_command(line: str) -> bool:
    """Whether a line is a command, a mistyped one included; text may well begin with a slash."""
    return line == END or (line.startswith("/") and line[1:].isalpha() and len(line) <= 8)


class PlainPrompter:
    """Reads lines of standard input: for pipes, and for terminals that cannot move the cursor."""

    def text(self, status: Callable[[], str], draft: str, keep: Callable[[str], None]) -> tuple[str, str]:
        """Read lines up to a command, a single "." or the end of the input."""
        lines = draft.splitlines()
        for line in lines:
            click.echo(f"  {line}")
        while (read := self._read(f"[{status()}] > ")) is not None:
            if _is_command(read.strip()):
                return "\n".join(lines), read.strip()
            lines.append(read)
            keep("\n".join(lines))
        text = "\n".join(lines)
        return text, END if text.strip() and text != draft else QUIT

    def key(self, status: Callable[[], str], message: str, keys: Sequence[str], default: str) -> str:
        """Read a line that begins with a key."""
        while (line := self._read(f"[{status()}] {message} ")) is not None:
            answer = line.strip().lower()
            if answer == QUIT:
                return QUIT
            if not answer or answer[0] in keys:
                return answer[:1] or default
        return QUIT

    def line(self, status: Callable[[], str], message: str) -> str:
        """Read a line."""
        line = self._read(f"[{status()}] {message} ")
        return QUIT if line is None else line.strip()

    def _read(self, prompt: str) -> str | None:
        click.echo(prompt, nl=False)
        line = sys.stdin.readline()
        if not sys.stdin.isatty():
            click.echo()
        return line.rstrip("\r\n") if line else None


class TerminalPrompter:
    """Prompts under a clock that runs, and a small editor for answers."""

    def text(self, status: Callable[[], str], draft: str, keep: Callable[[str], None]) -> tuple[str, str]:
        """Read an answer in a small editor: arrows, pasting and several lines work."""
        from prompt_toolkit.application import get_app
        from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

        bindings = KeyBindings()

        @bindings.add("enter")
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            line = buffer.document.current_line.strip()
            if buffer.document.on_last_line and _is_command(line):
                text = "\n".join(buffer.text.split("\n")[:-1])
                event.app.exit(result=(text, line))
            else:
                buffer.newline(copy_margin=False)

        @bindings.add("c-d")
        def _(event: KeyPressEvent) -> None:
            event.app.exit(result=(event.current_buffer.text, END))

        def start_keeping() -> None:
            get_app().create_background_task(_keep_every_second(keep))

        session = _session(status, "> ", multiline=True, key_bindings=bindings)
        try:
            text, ended = session.prompt(default=draft, prompt_continuation="  ", pre_run=start_keeping)
        except BaseException:
            keep(session.default_buffer.text)
            raise
        return text, ended

    def key(self, status: Callable[[], str], message: str, keys: Sequence[str], default: str) -> str:
        """Read one key press."""
        from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
        from prompt_toolkit.keys import Keys

        bindings = KeyBindings()
        meanings: Mapping[str, str] = {**dict(zip(keys, keys, strict=True)), "enter": default, "c-d": QUIT}
        for pressed, meaning in meanings.items():

            def take(event: KeyPressEvent, meaning: str = meaning) -> None:
                event.app.exit(result=meaning)

            bindings.add(pressed, eager=True)(take)
            if len(pressed) == 1 and pressed.isalpha():
                bindings.add(pressed.upper(), eager=True)(take)

        @bindings.add(Keys.Any)
        @bindings.add(Keys.BracketedPaste)
        def _(event: KeyPressEvent) -> None:
            """Other keys do nothing."""

        session = _session(status, f"{message} ", key_bindings=bindings, erase_when_done=True)
        return str(session.prompt())

    def line(self, status: Callable[[], str], message: str) -> str:
        """Read a line; Ctrl-D ends."""
        session = _session(status, f"{message} ")
        try:
            return str(session.prompt()).strip()
        except EOFError:
            return QUIT


async def _keep_every_second(keep: Callable[[str], None]) -> None:
    from prompt_toolkit.application import get_app

    while True:
        await asyncio.sleep(_SAVE_SECONDS)
        keep(get_app().current_buffer.text)


def _session(status: Callable[[], str], message: str, **options: Any) -> PromptSession[Any]:
    """Make a prompt under a clock that runs."""
    from prompt_toolkit import PromptSession

    return PromptSession(
        lambda: [("ansibrightblack", f"{status()}\n"), ("", message)],
        refresh_interval=0.5,
        enable_suspend=True,
        **options,
    )
