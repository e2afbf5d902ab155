"""File trees that look like a distribution's, made by the test from nothing of upstream's."""

from __future__ import annotations

from pathlib import Path

PYTHON_TOOL = b"#!/usr/bin/python3\n# a tool\n"
SHELL_TOOL = b"#!/bin/bash\nexec ucalls\n"
NATIVE_TOOL = b"\x7fELF\x02\x01\x01" + bytes(60)
SCRIPT_TOOL = b"#!/usr/bin/env bpftrace\nBEGIN { exit(); }\n"


def put(root: Path, path: str, data: bytes = b"", mode: int = 0o755) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.chmod(mode)
    return file


def make_debian(root: Path) -> Path:
    """A tree with one tool of each kind, as dpkg installs them."""
    files = {
        "bpfcc-tools": (("usr/sbin/runqlat-bpfcc", PYTHON_TOOL), ("usr/sbin/javagc-bpfcc", SHELL_TOOL)),
        "bpftrace": (("usr/sbin/runqlat.bt", SCRIPT_TOOL), ("usr/bin/bpftrace", NATIVE_TOOL)),
        "libbpf-tools": (("usr/sbin/runqlat", NATIVE_TOOL), ("usr/sbin/biotop-libbpf", NATIVE_TOOL)),
    }
    for package, entries in files.items():
        for path, data in entries:
            put(root, path, data)
        listed = "/.\n/usr\n/usr/sbin\n" + "".join(f"/{path}\n" for path, _ in entries)
        put(root, f"var/lib/dpkg/info/{package}.list", listed.encode())
    status = "".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: 1.{n}-2\n\n" for n, name in enumerate(files)
    )
    put(root, "var/lib/dpkg/status", status.encode())
    put(root, "usr/share/doc/bpfcc-tools/examples/doc/runqlat_example.txt")
    put(root, "usr/share/man/man8/runqlat-bpfcc.8.gz")
    put(root, "usr/sbin/runqlen-bpfcc", PYTHON_TOOL)  # no package owns it
    return root


def make_fedora(root: Path) -> Path:
    """The same tools where Fedora and RHEL put them."""
    put(root, "usr/share/bcc/tools/runqlat", PYTHON_TOOL)
    put(root, "usr/share/bcc/tools/javagc", SHELL_TOOL)
    put(root, "usr/share/bcc/tools/doc/runqlat_example.txt")
    put(root, "usr/share/bcc/tools/lib/ucalls", PYTHON_TOOL)
    put(root, "usr/share/bpftrace/tools/runqlat.bt", SCRIPT_TOOL)
    put(root, "usr/sbin/bpf-runqlat", NATIVE_TOOL)
    put(root, "usr/sbin/something-else", NATIVE_TOOL)
    put(root, "usr/share/man/man8/bcc-runqlat.8.gz")
    return root
