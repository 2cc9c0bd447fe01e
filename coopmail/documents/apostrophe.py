"""The apostrophe before a text that a spreadsheet would otherwise work out as a formula."""

from __future__ import annotations

import re

_RUNS = re.compile(r"""['"\s\ufeff\u200b]*[=+\-@＝＋－＠]|'*[\t\r\n]""")
"""A formula's first character, also behind spaces and quotation marks, which some programs take away; or a tab or line
break in front, which others do. Apostrophes that are there already count as well, so that each text has one form. The
wide forms count: Excel in East Asian languages reads them as the narrow ones."""
_TELEPHONE = re.compile(r"\+\d{1,3}( \d{1,4})+", re.ASCII)
"""+32 2 123 45 67: digits with spaces between are neither a formula nor a number to Excel, and stay what they are."""


def with_apostrophe(text: str) -> str:
    """A text that no spreadsheet works out when it opens a CSV file: in front of a formula stands an apostrophe.

    The rule is OWASP's (CSV injection). A telephone number in the international form with spaces stays as it is.
    """
    return f"'{text}" if _RUNS.match(text) and not _TELEPHONE.fullmatch(text) else text


def without_apostrophe(text: str) -> str:
    """The text that `with_apostrophe` was given."""
    return text[1:] if text.startswith("'") and with_apostrophe(text[1:]) == text else text
