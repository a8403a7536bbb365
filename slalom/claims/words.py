"""A sentence in the two languages of the book."""

from __future__ import annotations

from typing import Literal, NamedTuple

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


class T(NamedTuple):
    """The same sentence in English and in Simplified Chinese.

    >>> T("seeds", "随机种子").text("zh")
    '随机种子'
    """

    en: str
    zh: str

    def text(self, language: Language) -> str:
        """The sentence in one of them."""
        return self.zh if language == "zh" else self.en


NOTHING = T("", "")
