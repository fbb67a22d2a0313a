"""HTTP on a loopback port, close enough to the socket that a reset is a real one."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

HOST = "127.0.0.1"
# SO_LINGER on, for zero seconds: closing sends RST instead of FIN and drops what is unsent.
AT_ONCE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Request:
    """What came in. Names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes out."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class Manner(StrEnum):
    """How an answer reaches the client, or does not."""

    WHOLE = "whole"
    CUT_OFF = "cut_off"
    CLOSED = "closed"
    RESET = "reset"
    NEVER = "never"


@dataclass(frozen=True)
class Reply:
    """An answer and how it is sent. Without an answer the manner says what happens instead."""

    answer: Answer | None = None
    manner: Manner = Manner.WHOLE


Handler = Callable[[Request], Awaitable[Reply]]


class Door:
    """A port of its own that can be shut, so that connections are refused, and opened again."""

    def __init__(self, handler: Handler) -> None:
        """Reserve a free port; nobody is let in before `open`."""
        self._handler = handler
        self._reserved = _reserved()
        self._server: asyncio.Server | None = None
        self._inside: set[asyncio.StreamWriter] = set()
        self._waiting: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """The port, the same for as long as this process lives."""
        return int(self._reserved.getsockname()[1])

    async def open(self) -> None:
        """Let clients in; does nothing while it is open."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, HOST, self.port, reuse_port=True, backlog=256
            )

    def shut(self) -> None:
        """Refuse new connections and reset those that are there."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._inside):
            _reset(writer)

    def let_go(self) -> None:
        """Reset the connections whose clients wait for an answer that never comes."""
        for writer in list(self._waiting):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._inside.add(writer)
        try:
            while await self._served(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            # The client is gone, which is its good right.
            pass
        finally:
            self._inside.discard(writer)
            self._waiting.discard(writer)
            writer.close()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request. Whether another one may follow on this connection."""
        request = await _read(reader)
        reply = await self._handler(request)
        if reply.manner is Manner.NEVER:
            self._waiting.add(writer)
            await reader.read()
            return False
        if reply.manner is Manner.RESET:
            _reset(writer)
        elif reply.answer is not None:
            await _write(writer, reply.answer, reply.manner)
        return reply.manner is Manner.WHOLE and request.headers.get("connection") != "close"


def _reserved() -> socket.socket:
    # It is bound and never listens. That keeps the port ours while nobody is let in; the listening
    # socket shares it.
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind((HOST, 0))
    return reserved


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, query, headers, body)


async def _write(writer: asyncio.StreamWriter, answer: Answer, manner: Manner) -> None:
    headers = {
        "Content-Type": answer.content_type,
        "Content-Length": str(len(answer.body)),
        **answer.headers,
    }
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    is_whole = manner is Manner.WHOLE
    writer.write(head + (answer.body if is_whole else answer.body[: len(answer.body) // 2]))
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    # One that is closing has no socket any more, or will have none in a moment.
    if not writer.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()
