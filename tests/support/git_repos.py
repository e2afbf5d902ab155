"""Real git repositories with any content, also what git itself refuses to make, and real servers for them."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from toolkit.sources.git import Place, Wish, fetch_files, list_files
from toolkit.sources.git_blobs import LARGEST, Blob, find_sizes, read_blobs
from toolkit.sources.git_limits import DEFAULT_LIMITS, GitLimits
from toolkit.sources.git_store import GitStore
from toolkit.sources.git_tree import TreeEntry

FILE, PROGRAM, LINK, SUBMODULE, FOLDER = b"100644", b"100755", b"120000", b"160000", b"40000"
AUTHOR = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.com",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "PATH": os.environ["PATH"],
}
Entry = tuple[bytes, bytes, str]  # mode, name, id


class Repo:
    """A bare repository that a test fills with objects."""

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", path], check=True, env=AUTHOR)
        self.git("config", "uploadpack.allowFilter", "true")
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, input=stdin, capture_output=True, check=True, env=AUTHOR
        )
        return done.stdout.decode().strip()

    def blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=data)

    def tree(self, entries: list[Entry]) -> str:
        """A tree with exactly these entries in this order, whatever git thinks of them."""
        raw = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(one) for mode, name, one in entries)
        return self.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw)

    def commit_tree(self, tree: str, branch: str = "main", *, parent: str = "") -> str:
        commit = self.git("commit-tree", tree, *(("-p", parent) if parent else ()), "-m", "a commit")
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def commit(self, files: Mapping[str, bytes | str], branch: str = "main", *, parent: str = "") -> str:
        """A commit of these files; a str is a symbolic link's target."""
        return self.commit_tree(self._nest(files), branch, parent=parent)

    def commit_entries(self, entries: list[Entry], folder: bytes = b"tools") -> str:
        """A commit whose one folder has exactly these entries."""
        return self.commit_tree(self.tree([(FOLDER, folder, self.tree(entries))]))

    def _nest(self, files: Mapping[str, bytes | str]) -> str:
        entries: list[Entry] = []
        folders: dict[str, dict[str, bytes | str]] = {}
        for path, data in files.items():
            first, _, rest = path.partition("/")
            if rest:
                folders.setdefault(first, {})[rest] = data
            elif isinstance(data, str):
                entries.append((LINK, first.encode(), self.blob(data.encode())))
            else:
                entries.append((FILE, first.encode(), self.blob(data)))
        entries += [(FOLDER, name.encode(), self._nest(inner)) for name, inner in folders.items()]
        return self.tree(sorted(entries, key=lambda one: one[1] + (b"/" if one[0] == FOLDER else b"")))


class Taken(NamedTuple):
    """The paths of one commit, and the bytes that it took to get there."""

    entries: tuple[TreeEntry, ...]
    received: int


def fetch_folders(
    store: GitStore,
    place: Place,
    folders: tuple[str, ...],
    *,
    seconds: float = 20,
    limits: GitLimits = DEFAULT_LIMITS,
) -> Taken:
    """Fetch every file of these folders; the entries that cannot be taken stand among the others, with the reason."""
    listed = list_files(store, (place,), folders, seconds=seconds, limits=limits)
    (entries,) = listed.entries
    every = tuple(entry.path for entry in entries if not entry.problem)
    wish = Wish(listed=entries, paths=every)
    fetched = fetch_files(store, (place,), (wish,), seconds=seconds, limits=limits, fresh=listed.fresh)
    refused = tuple(entry for entry in entries if entry.problem)
    return Taken((*refused, *fetched.entries[0]), listed.received + fetched.received)


def read_here(store: GitStore, ids: Iterable[str], *, largest: int = LARGEST) -> Iterator[Blob]:
    """Read blobs that are in the store."""
    sizes = find_sizes(store, ids)
    return read_blobs(store, {blob: size for blob, size in sizes.items() if size is not None}, largest=largest)


class GitHttp(BaseHTTPRequestHandler):
    """`git http-backend` behind http.server; also a proxy, since a proxy is asked with the whole url.

    With a secret, every command line on this machine is searched for it while git waits for the answer.
    """

    protocol_version = "HTTP/1.1"
    root = Path()
    speaks_v2 = True
    requests: list[str]
    headers_seen: list[Message]
    login = ""  # user:password
    proxy_login = ""
    secret = b""
    moved = ""  # the url to which every request is sent

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _serve(self, body: bytes) -> None:
        self.requests.append(self.path)
        self.headers_seen.append(self.headers)
        if self.secret and any(self.secret in line for line in read_command_lines()):
            self.requests.append("the secret is in a process list")
        if self.moved:
            self._answer(302, {"Location": self.moved + self.path}, b"")
            return
        if self.proxy_login and self.headers.get("Proxy-Authorization") != name_basic(self.proxy_login):
            self._answer(407, {"Proxy-Authenticate": 'Basic realm="x"'}, b"")
            return
        if self.login and self.headers.get("Authorization") != name_basic(self.login):
            self._answer(401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")
            return
        path = self.path.split("://", 1)[-1]
        path, _, query = (path if path.startswith("/") else path[path.index("/") :]).partition("?")
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
            **({"GIT_PROTOCOL": self.headers.get("Git-Protocol", "")} if self.speaks_v2 else {}),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=environ, capture_output=True, timeout=20)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self._answer(int(fields.pop("Status", "200").split()[0]), fields, content)

    def _answer(self, status: int, fields: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def name_basic(login: str) -> str:
    """The header by which user:password logs in."""
    return "Basic " + base64.b64encode(login.encode()).decode()


def read_command_lines() -> Iterator[bytes]:
    """What a process list shows to everybody."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield file.read_bytes()


@contextlib.contextmanager
def serve_http(root: Path, *, tls: Path | None = None, **changes: object) -> Iterator[tuple[str, list[str]]]:
    """Serve the repositories below root, by https where there is a certificate.

    Gives the server's url and the list of what is asked of it; `changes` are attributes of `GitHttp`.
    """
    requests: list[str] = []
    attributes = {"root": root, "requests": requests, "headers_seen": [], **changes}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (GitHttp,), attributes))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody signed but itself, and the file of it with its key."""
    certificate, key, both = (folder / name for name in ("ca.pem", "key.pem", "both.pem"))
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", *kind, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return certificate, both


@contextlib.contextmanager
def serve_daemon(root: Path) -> Iterator[str]:
    """Serve the repositories below root by git daemon."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", f"--base-path={root}"]
    process = subprocess.Popen(
        ["git", "daemon", *options, str(root)], env=AUTHOR, start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def serve_silence() -> Iterator[int]:
    """A port whose server accepts and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield server.getsockname()[1]


def fake_ssh(folder: Path) -> Path:
    """A program that, called as ssh, runs the command here and notes how it was called."""
    program = folder / "ssh"  # by this name git knows how to call it
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/ssh-calls\nfor last; do :; done\nexec sh -c "$last"\n')
    program.chmod(0o755)
    return program


def need_git() -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
