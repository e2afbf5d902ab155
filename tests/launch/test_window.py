"""Rates over the last seconds: exact for even growth, fair at the start and after a pause, and never negative."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.launch.window import Window


def fill(*samples: tuple[float, float], seconds: float = 3.0) -> Window[str]:
    window: Window[str] = Window(seconds)
    for time, value in samples:
        window.add(time, {"a": value})
    return window


def test_one_sample_has_no_rate() -> None:
    assert Window[str]().rates() == {}
    assert fill((1.0, 5.0)).rates() == {}
    assert not fill((1.0, 5.0)).full


def test_a_short_run_has_a_rate_but_no_full_window() -> None:
    window = fill((0.0, 0.0), (1.0, 10.0), (2.9, 29.0))
    assert window.rates() == {"a": pytest.approx(10.0)}
    assert not window.full


def test_only_the_last_seconds_count() -> None:
    window = fill((0.0, 0.0), (1.0, 900.0), (2.0, 900.0), (3.0, 900.0), (4.0, 900.0))
    assert window.full
    assert window.rates() == {"a": 0.0}


def test_the_window_begins_between_two_samples() -> None:
    # From 0.5 to 3.5; half of the 10 between 0 and 1 lies in it.
    window = fill((0.0, 0.0), (1.0, 10.0), (3.5, 10.0))
    assert window.rates() == {"a": pytest.approx(5.0 / 3.0)}


def test_after_a_pause_what_it_counted_meanwhile_is_spread_over_the_pause() -> None:
    assert fill((0.0, 0.0), (1.0, 0.0), (61.0, 60.0)).rates() == {"a": pytest.approx(1.0)}


def test_what_is_new_counts_from_nothing_and_what_is_gone_is_left_out() -> None:
    window: Window[str] = Window(3.0)
    window.add(0.0, {"old": 5.0})
    window.add(2.0, {"old": 7.0, "new": 1.0})
    assert window.rates() == {"old": 1.0, "new": 0.5}
    window.add(3.0, {"new": 4.0})
    assert window.rates().keys() == {"new"}


def test_a_counter_that_falls_did_not_grow() -> None:
    assert fill((0.0, 9.0), (3.0, 1.0)).rates() == {"a": 0.0}


def test_a_clock_that_stands_still_changes_nothing() -> None:
    assert fill((0.0, 0.0), (3.0, 3.0), (3.0, 99.0), (2.0, 99.0)).rates() == {"a": pytest.approx(1.0)}


@given(st.lists(st.floats(0.01, 10.0), min_size=1, max_size=30), st.floats(0.1, 1e9))
def test_even_growth_has_its_rate_however_the_samples_fall(gaps: list[float], rate: float) -> None:
    window: Window[str] = Window(3.0)
    time = 0.0
    window.add(time, {"a": 0.0})
    for gap in gaps:
        time += gap
        window.add(time, {"a": time * rate})
    assert window.rates()["a"] == pytest.approx(rate, rel=1e-6)
    assert window.full == (time >= 3.0)
