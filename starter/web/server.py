"""Serving the application over HTTP until a signal says stop."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from domain.errors import Transient

# Requests take milliseconds; one that is cut off after this is sent again by whoever cares.
STOP_SECONDS = 5
# A proxy in front keeps connections open for a minute; ours must not close first.
KEEP_ALIVE_SECONDS = 75


class Server(uvicorn.Server):
    """uvicorn's, with the signals left to `serve`: stopping when asked is no failure."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections at that address; port 0 is any that is free.

    Raises:
        Transient: the address cannot be had; the message says what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise Transient(
            f"{host}, port {port} cannot be listened on ({reason}). Stop the program that has it,"
            " or choose another port with --port"
        ) from None


def url_of(listener: socket.socket) -> str:
    """Where a browser on this machine reaches it."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(app: FastAPI, listener: socket.socket, trusted_proxies: str = "") -> None:
    """Serve until SIGTERM or Ctrl-C; requests that are under way then may finish.

    What `trusted_proxies` say of whom a request is from is believed, and nobody else.
    """
    server = Server(config_of(app, trusted_proxies))
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, _stop, server)
    await server.serve(sockets=[listener])


def config_of(app: FastAPI, trusted_proxies: str = "") -> uvicorn.Config:
    """How uvicorn is to serve."""
    return uvicorn.Config(
        app,
        # An access log would keep addresses of people, and the ids of card pages.
        access_log=False,
        # The command that runs this has set up the log.
        log_config=None,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def _stop(server: Server) -> None:
    server.should_exit = True
