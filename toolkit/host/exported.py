"""Facts of another host: a file that was exported there, or a folder of raw captures."""

from __future__ import annotations

from pathlib import Path

import msgspec

from toolkit.errors import UsageError
from toolkit.host.capture import read_capture
from toolkit.model import Facts


def read_facts(path: Path) -> Facts:
    """The facts in a file or folder. Raises UsageError."""
    if path.is_dir():
        return read_capture(path)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Facts)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} holds no facts: {error}") from error
