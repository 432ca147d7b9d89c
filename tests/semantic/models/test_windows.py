"""Windows of texts that are longer than a model reads."""

from __future__ import annotations

from semantic.models.windows import split_windows


def test_a_window_is_tried_as_a_whole_before_it_is_cut() -> None:
    text = "One two. Three four five. Six!  Seven eight nine ten."
    assert split_windows(text, lambda window: len(window) <= 100) == [text]
    windows = split_windows(text, lambda window: len(window.strip()) <= 17)
    assert windows == ["One two. ", "Three four five. ", "Six!  ", "Seven eight nine ", "ten."]
    assert "".join(windows) == text
