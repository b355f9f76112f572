"""The judge's side of the worker: a server in confinement that forks sessions."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import time
from typing import Any

from grader import confinement
from grader.sessions import START_SECONDS, Limits, Session

# Keras and TensorFlow are over a gigabyte: from a slow disk they have taken two minutes.
_LOAD_SECONDS = 600.0


class Worker:
    """A worker server: started at once, ready later, so that the judge can load meanwhile.

    It ends with the thread that made it: make it where it is going to be needed.
    """

    def __init__(self) -> None:
        self._candidates = confinement.candidates()
        self._failures: list[str] = []
        self._preloaded: list[str] = []
        self.process = self._start_next()
        self._ready = False

    @property
    def sandbox(self) -> confinement.Sandbox:
        """The confinement in force."""
        return self.process.sandbox

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and every session."""
        self.process.stop()

    def _start_next(self) -> confinement.Process:
        while self._candidates:
            try:
                return confinement.start(self._candidates.pop(0))
            except confinement.WorkerStartError as error:
                self._failures.append(str(error))
        tried = "; ".join(self._failures) or "nothing to try"
        raise confinement.WorkerStartError(f"no worker process could be started ({tried})")

    def wait_ready(self) -> None:
        """Wait until the server answers; fall back to a weaker confinement when it cannot start."""
        while not self._ready:
            answer = self._line()
            if answer is not None and answer.get("ready"):
                self._ready = True
                return
            said = self.process.log_tail()
            self._failures.append(f"{self.sandbox}: {said or 'it ended at once'}")
            self.process.stop()
            self.process = self._start_next()

    def _line(self, seconds: float = START_SECONDS) -> dict[str, Any] | None:
        """Read one line of the server; None when it is gone or silent for too long."""
        buffer = b""
        deadline = time.monotonic() + seconds
        control = self.process.control
        while not buffer.endswith(b"\n"):
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([control], [], [], remaining)[0]:
                return None
            with contextlib.suppress(ConnectionError):
                chunk = control.recv(4096)
                buffer += chunk
                if chunk:
                    continue
            return None
        return json.loads(buffer)

    def _command(self, fds: list[int], seconds: float = START_SECONDS, **command: Any) -> dict[str, Any]:
        self.wait_ready()
        try:
            socket.send_fds(self.process.control, [json.dumps(command).encode()], fds)
            answer = self._line(seconds)
        except ConnectionError:
            answer = None
        if answer is None:
            silent = self.process.popen.poll() is None
            # Ended, so that what it says late is no answer to the next command.
            self.process.popen.kill()
            self.process.popen.wait()
            what = f"did not answer within {seconds:.0f} s" if silent else "ended unexpectedly"
            raise confinement.WorkerStartError(
                f"the worker {what} ({command['op']}): {self.process.log_tail() or 'it said nothing'}"
            )
        if "error" in answer:
            raise confinement.WorkerStartError(f"the worker failed: {answer['error']}")
        return answer

    def preload(self, module: str) -> None:
        """Import a module in the server, before any session is forked."""
        if module not in self._preloaded:
            self._command([], _LOAD_SECONDS, op="preload", module=module)
            self._preloaded.append(module)

    def _restart(self) -> None:
        """Start again in the same confinement, with what was imported."""
        sandbox, modules = self.sandbox, self._preloaded
        self.process.stop()
        self.process = confinement.start(sandbox)
        self._ready, self._preloaded = False, []
        for module in modules:
            self.preload(module)

    def fork(self, limits: Limits) -> Session:
        """Start a session; a server that a submission brought down is started again first."""
        if self._ready and self.process.popen.poll() is not None:
            self._restart()
        try:
            return self._fork(limits)
        except confinement.WorkerStartError:
            if self.process.popen.poll() is None:
                raise
            self._restart()
            return self._fork(limits)

    def _fork(self, limits: Limits) -> Session:
        folder = os.path.join(self.process.scratch, f"session-{os.urandom(4).hex()}")
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        read_end, write_end = os.pipe()
        try:
            if sys.platform == "linux":
                channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            answer = self._command(
                [theirs.fileno(), write_end],
                op="fork",
                limits=limits.resources(),
                folder=folder,
            )
        except BaseException:
            channel.close()
            os.close(read_end)
            raise
        finally:
            theirs.close()
            os.close(write_end)
        try:
            return Session(self, channel, read_end, answer["pid"], limits, self._seen_here(folder))
        except BaseException:
            channel.close()
            os.close(read_end)
            raise

    def _seen_here(self, folder: str) -> str:
        """Return a session's folder where the judge sees it too, else ""."""
        return "" if self.sandbox == "bubblewrap" else folder

    def reap(self, pid: int) -> int:
        """Collect a dead session's exit status (negative: the signal that ended it)."""
        return int(self._command([], op="reap", pid=pid)["status"])

    def log_tail(self) -> str:
        """Return the end of what the worker wrote about itself."""
        return self.process.log_tail()
