"""What a citizen typed, folded so that widths, case, spaces and end marks make no difference."""

import unicodedata

_ENDS = " \t\n。．.,，、!！?？~～;；:：\"'“”‘’()（）"


def fold(text: str) -> str:
    """Full-width forms become plain ones, letters lower case; blanks and marks at the ends go.

    >>> fold(" ＷＩＦＩ密码？ ")
    'wifi密码'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(folded.split()).strip(_ENDS)
