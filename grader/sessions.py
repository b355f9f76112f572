"""The conversation with one session: a forked process that holds one submission's code.

Everything that comes from it is hostile: frames are bounded and checked, waiting is bounded in time and
memory, and whatever happens becomes a `SessionEnded` with a status, never another exception.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from grader.confinement import WorkerStartError
from grader.worker import wire
from grader.worker.server import CHANNEL_LOST

OUTPUT_LIMIT = 64 * 1024
START_SECONDS = 120.0
_WATCH_SECONDS = 0.02
_MEBIBYTE = 1024 * 1024
_MAX_THREADS = 100 + 16 * (os.cpu_count() or 1)
_MAX_FILES = 1000
_MAX_STORED = 256 * _MEBIBYTE
_INTRUDED = "your code wrote to a channel that belongs to the grader"


class Server(Protocol):
    """What a session needs of the worker that forked it."""

    def reap(self, pid: int) -> int:
        """Collect a dead session's exit status."""

    def log_tail(self) -> str:
        """Return the end of what the worker wrote about itself."""


class SessionEnded(Exception):
    """The session is gone or unusable: `status` says how, the message what a learner reads."""

    def __init__(
        self, status: Literal["timeout", "crashed"], message: str, out_of_memory: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.out_of_memory = out_of_memory


@dataclass(frozen=True)
class Limits:
    """What a session may use. Memory is resident, above what the server had when it forked."""

    seconds: float = 5.0
    memory: int = 2048 * _MEBIBYTE
    cpu_seconds: int = 120
    file_bytes: int = 32 * _MEBIBYTE
    address_space: int | None = None

    def resources(self) -> dict[str, int]:
        """Return the limits that the kernel enforces, by their RLIMIT names."""
        found = {
            "CPU": self.cpu_seconds,
            "FSIZE": self.file_bytes,
            "NOFILE": 128,
            "CORE": 0,
        }
        if self.address_space is not None:
            found["AS"] = self.address_space
        return found


@dataclass
class Output:
    """What the learner's code printed during one check, up to a limit."""

    data: bytearray = field(default_factory=bytearray)
    cut: bool = False

    def add(self, chunk: bytes) -> None:
        """Keep what still fits."""
        room = OUTPUT_LIMIT - len(self.data)
        self.data += chunk[:room]
        self.cut = self.cut or len(chunk) > room

    def text(self) -> str:
        """Return the text, saying when something was cut off."""
        text = self.data.decode(errors="replace")
        return f"{text}\n[output cut after {OUTPUT_LIMIT // 1024} KiB]" if self.cut else text


def _resident(pid: int) -> tuple[int, int]:
    """Return a process's resident bytes and how many threads it has, 0 when they cannot be read.

    -1 bytes when its first thread has ended: whatever other threads do, the kernel counts nothing any more.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        if fields[0] == b"Z":
            return -1, int(fields[17])
        return int(fields[21]) * os.sysconf("SC_PAGE_SIZE"), int(fields[17])
    except (OSError, ValueError, IndexError):
        pass
    if sys.platform != "linux":
        import psutil

        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            return int(process.memory_info().rss), process.num_threads()
    return 0, 0


def _stores_too_much(folder: str) -> bool:
    """Whether a folder holds more files or bytes than a session may keep, or what cannot be counted."""
    files = stored = 0
    todo = [folder]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    files += 1
                    stored += entry.stat(follow_symlinks=False).st_blocks * 512
                    if files > _MAX_FILES or stored > _MAX_STORED:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
        except FileNotFoundError:
            continue  # gone meanwhile
        except OSError:
            return True  # a path that is too long, a folder without permissions
    return False


def _high_water(pid: int) -> tuple[int, int]:
    """Return the most bytes a process ever had resident and reserved, as the kernel counted; else 0."""
    found = {"VmHWM": 0, "VmPeak": 0}
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/status", "rb") as file:
        for line in file.read().decode(errors="replace").splitlines():
            name, _, amount = line.partition(":")
            if name in found:
                found[name] = int(amount.split()[0]) * 1024
    return found["VmHWM"], found["VmPeak"]


class Session:
    """One forked process with one submission's code; ended for good by a crash or a time-out."""

    def __init__(
        self,
        worker: Server,
        channel: socket.socket,
        read_end: int,
        inner_pid: int,
        limits: Limits,
        folder: str = "",
    ) -> None:
        self.worker = worker
        self.limits = limits
        self.output = Output()
        self._channel = channel
        self._read_end = read_end
        self._inner_pid = inner_pid
        self._folder = folder
        self._buffer = bytearray()
        self._ended: SessionEnded | None = None
        self._output_open = True
        channel.setblocking(False)
        os.set_blocking(read_end, False)
        self._pid = self._hello()
        self._baseline = _resident(self._pid)[0]
        self._reserved_baseline = _high_water(self._pid)[1]
        self.peak = self.peak_reserved = 0

    @property
    def alive(self) -> bool:
        """Whether the session still answers."""
        return self._ended is None

    def _hello(self) -> int:
        """Wait for the first byte; with it the kernel tells the process's number as seen here."""
        readable, _, _ = select.select([self._channel], [], [], START_SECONDS)
        room = socket.CMSG_SPACE(12) if sys.platform == "linux" else 0
        data, ancillary, _, _ = self._channel.recvmsg(1, room) if readable else (b"", [], 0, None)
        if data != b"!":
            raise WorkerStartError(
                f"a session did not start: {self.worker.log_tail() or 'it said nothing'}"
            )
        if sys.platform == "linux":
            self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
            for _, _, content in ancillary:
                return int.from_bytes(content[:4], sys.byteorder)
        return self._inner_pid

    def request(
        self,
        op: str,
        payload: dict[str, Any],
        seconds: float | None = None,
        callbacks: dict[int, Callable[..., Any]] | None = None,
    ) -> wire.Reply:
        """Send a request and wait for its reply. Raises SessionEnded."""
        if self._ended is not None:
            raise self._ended
        if self._buffer or select.select([self._channel], [], [], 0)[0]:
            self._receive()  # ends the session where the process has ended
            self._end("crashed", _INTRUDED)
        deadline = time.monotonic() + (self.limits.seconds if seconds is None else seconds)
        frame = wire.encode_request(op, payload)
        while True:
            reply = self._exchange(frame, deadline)
            if reply.callback is None:
                return reply
            function = (callbacks or {}).get(reply.callback)
            if function is None or not isinstance(reply.value, list):
                self._end("crashed", _INTRUDED)
            result = function(*reply.value)  # type: ignore[misc]
            frame = wire.encode_request("return", {"value": result})

    def _exchange(self, frame: bytes, deadline: float) -> wire.Reply:
        unsent = memoryview(frame)
        while True:
            body = self._take_frame()
            if body is not None:
                self._drain_output()
                if unsent:  # an answer to what was not yet asked
                    self._end("crashed", _INTRUDED)
                try:
                    return wire.decode_reply(body)
                except wire.WireError:
                    self._end("crashed", _INTRUDED)
            sources: list[Any] = [self._channel]
            if self._output_open:
                sources.append(self._read_end)
            targets = [self._channel] if unsent else []
            readable, writable, _ = select.select(sources, targets, [], _WATCH_SECONDS)
            if self._read_end in readable:
                self._drain_output()
            if self._channel in readable:
                self._receive()
            if writable and unsent:
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    unsent = unsent[self._channel.send(unsent) :]
            self._watch(deadline)

    def _take_frame(self) -> bytearray | None:
        size = wire.LENGTH.size
        if len(self._buffer) < size:
            return None
        (length,) = wire.LENGTH.unpack(self._buffer[:size])
        if length > wire.MAX_FRAME:
            self._end("crashed", _INTRUDED)
        if len(self._buffer) < size + length:
            return None
        body = self._buffer[size : size + length]
        del self._buffer[: size + length]
        return body

    def _receive(self) -> None:
        try:
            chunk = self._channel.recv(1 << 20)
        except BlockingIOError:
            return
        except ConnectionError:
            chunk = b""
        if not chunk:
            self._end("crashed", "")
        self._buffer += chunk

    def _drain_output(self) -> None:
        while self._output_open:
            try:
                chunk = os.read(self._read_end, 1 << 16)
            except BlockingIOError:
                return
            if not chunk:
                self._output_open = False
                return
            self.output.add(chunk)
            if self.output.cut:
                return  # a flood: back to the loop that watches the time

    def _watch(self, deadline: float) -> None:
        resident, threads = _resident(self._pid)
        if resident < 0:
            self._end("crashed", "your code ended its own main thread" if threads > 1 else "")
        used = max(0, resident - self._baseline)
        self.peak = max(self.peak, used)
        if used > self.limits.memory:
            self._end(
                "crashed",
                f"out of memory: your code used more than {self.limits.memory // _MEBIBYTE} MiB",
                out_of_memory=True,
            )
        if threads > _MAX_THREADS:
            self._end("crashed", f"your code started more than {_MAX_THREADS} threads")
        if self._folder and _stores_too_much(self._folder):
            self._end("crashed", "your code left more files than the grader keeps for it")
        if time.monotonic() > deadline:
            self._end("timeout", "")

    def measure(self) -> tuple[int, int]:
        """Return the most bytes above the baseline so far, resident and reserved.

        The kernel misses no short peak. Where it keeps no marks, resident is what the watchdog saw and
        reserved is 0.
        """
        resident, reserved = _high_water(self._pid) if self.alive else (0, 0)
        self.peak = max(self.peak, resident - self._baseline)
        self.peak_reserved = max(self.peak_reserved, reserved - self._reserved_baseline)
        return self.peak, self.peak_reserved

    def _end(
        self, status: Literal["timeout", "crashed"], message: str, out_of_memory: bool = False
    ) -> None:
        """Kill the process, and raise what everybody who asks later is told as well."""
        self.measure()
        self._drain_output()
        exit_status = self._kill()
        if not message and status == "crashed":
            message = _describe(exit_status)
        self._ended = SessionEnded(status, message, out_of_memory)
        raise self._ended

    def _kill(self) -> int | None:
        time.sleep(0.001)  # a process that closed its channel by ending is gone by then
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self._pid, signal.SIGKILL)
        try:
            return self.worker.reap(self._inner_pid)
        except WorkerStartError:
            return None

    def take_output(self) -> str:
        """Return what was printed since the last time, and forget it."""
        self._drain_output()
        text, self.output = self.output.text(), Output()
        return text

    def close(self) -> None:
        """End the session."""
        if self._ended is None:
            self._ended = SessionEnded("crashed", "the session was closed")
            self._kill()
        self._channel.close()
        if self._read_end >= 0:
            os.close(self._read_end)
            self._read_end = -1
            self._output_open = False


def _describe(exit_status: int | None) -> str:
    """Say in a learner's words how a process ended."""
    if exit_status is None or exit_status == -signal.SIGKILL:
        return "the process was killed, or your code closed the grader's channel"
    if exit_status == -signal.SIGXCPU:
        return "the process used up its processor time"
    if exit_status == CHANNEL_LOST:
        return "your code closed a channel that belongs to the grader"
    if exit_status < 0:
        known = {int(item): item.name for item in signal.Signals}
        name = known.get(-exit_status, f"signal {-exit_status}")
        return f"the process was ended by {name} (a crash in native code, or deep recursion)"
    return f"your code ended the process with exit code {exit_status}; remove exit() calls"
