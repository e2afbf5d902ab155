"""What git said becomes advice: the cause that says more comes first."""

from __future__ import annotations

import pytest

from toolkit.sources.git_errors import explain


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("fatal: unable to access 'https://x/': SSL certificate problem: certificate is not yet valid", "clock"),
        ("fatal: unable to access 'https://x/': SSL certificate problem: certificate has expired", "clock"),
        ("fatal: unable to access 'https://x/': SSL certificate problem: self-signed certificate", "trust store"),
        ("fatal: sha1 file 'x/tmp_idx_a' write error. Out of diskspace\nfatal: invalid index-pack output", "space"),
    ],
)
def test_a_cause_has_its_advice(said: str, advice: str) -> None:
    assert advice in explain("cannot fetch", "https://x/", said).fix
