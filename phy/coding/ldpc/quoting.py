"""Names of files with commas in texts that commas divide."""

from __future__ import annotations

import re

__all__ = ["split_outside_quotes"]


def split_outside_quotes(text: str) -> list[str]:
    """Split at commas that are in no quotes.

    Examples
    --------
    >>> split_outside_quotes('alist:"a,b.alist",puncture=3')
    ['alist:"a,b.alist"', 'puncture=3']
    """
    return re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', text)
