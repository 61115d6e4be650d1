"""A made-up right-to-left language: every word is marked as translated, so what is not shows at once."""

import re
from gettext import NullTranslations

LANGUAGE = "ar-x-pseudo"

_LETTERS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyz",
    "ابجدهوزحطيكلمنسعفصقرشتثخذض",
)
_KEPT = re.compile(r"(%\(\w+\)[sd]|\{\w+\}|<[^>]*>|%%)")


class PseudoTranslations(NullTranslations):
    """Translates by exchanging letters; placeholders and markup stay as they are."""

    def gettext(self, message: str) -> str:
        return "".join(
            part if index % 2 else part.lower().translate(_LETTERS)
            for index, part in enumerate(_KEPT.split(message))
        )

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)
