r"""When two inputs are the same input, and when two labels are probably one label.

Two inputs are the same when they differ only in what carries no meaning:

- letter case;
- white space: its amount, any of it beside a symbol, and any of it between letters of scripts
  that put no spaces between words (Han, kana, Thai, Lao, Khmer, Burmese);
- sentence punctuation and quotation marks (``. , ! ? ; :`` and those of other scripts), which
  count as a space;
- how a character is encoded: composed or decomposed, full width, ligature, digits of another
  script, curly or straight quotes, and invisible characters such as variation selectors,
  bidirectional marks, soft hyphens and zero-width spaces.

Everything else is kept: letters, combining marks (vowels of Hindi or Thai), digits, symbols,
currency signs, emoji, brackets and ``# @ % & * / \ _``. So "C", "C++" and "C#" are three inputs,
and so are "$5" and "5". Superscripts keep their value: "x²" is not "x2".

Some punctuation carries meaning in its place and is kept there:

- a mark between digits or before the first one: "3.5" is not "35", "10:30" is not "1030";
- a dash before a number, an option or a symbol: "7 - 6" is not "7 6", "-l" is not "l", "->";
  a minus sign is a dash. A hyphen inside a word counts as a space: "e-mail" is "e mail" but
  not "email", just as "re-sign" is not "resign";
- operators and emoticons of punctuation: "!=" is not "=", ":(" is not ":)".

The zero-width joiner is kept between emoji, where it makes another emoji, and dropped elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

_JOINER = "\u200d"
# Punctuation that stays; brackets and connectors such as "_" stay too.
_MEANINGFUL = frozenset("#@%&*/\\‰‱§′″‴")
_SENTENCE_MARKS = frozenset(".,:;!?\"'")
_ACCENTS_AS_QUOTES = frozenset("`´")
# Another way to write the same character; fractions, superscripts and styled letters differ.
_SAME_FORMS = frozenset(
    f"<{form}>"
    for form in (
        *("wide", "narrow", "compat", "noBreak", "square"),
        *("initial", "medial", "final", "isolated"),
    )
)
# A minus sign, as it is told from a hyphen between the two steps.
_MINUS = "\x00"
_OTHER_FORMS = {
    "\u0640": "",  # Arabic elongation
    "\u066a": "%",
    "\u066b": ".",
    "\u066c": ",",
    "\u2212": _MINUS,
    "\uff5e": "-",  # the wave dash as Japanese keyboards type it
}
_EMOJI = "\u00a9\u00ae\u2190-\u2bff\U0001f000-\U0001faff"
_STRAY_JOINER = re.compile(f"(?<![{_EMOJI}]){_JOINER}|{_JOINER}(?![{_EMOJI}])")
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"  # kana, Han
)
_SPACE_BETWEEN = re.compile(f"(?<=[{_SPACELESS}]) (?=[{_SPACELESS}])")
_MARK = re.compile(r"""[.,:;!?'"-]""")
# Where a mark carries meaning. Every run has a limit, so that no text takes quadratic time.
_KEPT = re.compile(
    r"""(?<=\d)[.,:](?=\d) | (?:^|(?<=[\ ($€£¥-]))\.(?=\d)                # 3.5, 10:30, .5
      | [!:?]=                                                           # !=, :=
      | (?:^|(?<=\ ))[:;]['-]?[()\[\]{}|/\\*<>]                         # :), :'(, ;-)
      | (?<=[<=+|~])-{1,3} | -{1,3}(?=[>=+|])                            # <-, ->
      | (?:^|(?<=[\ ($€£¥*/^=<>+,:"'\[{]))-{1,2}(?=[\w.(]|[$€£¥])         # -5, --all
      | (?<=[\d)\]}\ ])-(?=\ ?[\d.(]|\ ?[$€£¥])                          # 7 - 6, 2020-01-01
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*|[1-9]\d{0,2}(,\d{3})+)(\.\d+)?(e[+-]?\d{1,3})?")


def normal_input(text: str) -> str:
    """What two texts have in common when they count as the same input; see this module."""
    text = unicodedata.normalize("NFC", text.translate(_FOLDED).casefold())
    if _JOINER in text:
        text = _STRAY_JOINER.sub("", text)
    plain = " ".join(text.split())
    kept = _without_marks(plain).translate(_APART)
    # Inputs of punctuation alone are told apart by it.
    return _SPACE_BETWEEN.sub("", " ".join(kept.split())) or plain


def near_labels(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of different labels that are probably one, in order of their first label.

    They differ only in case, white space, Unicode form, invisible characters, or in how one
    number is written: "1" and "1.0" are near, "7" and "007" are not.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for label in dict.fromkeys(labels):
        groups[_label_key(label)].append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def spelt_out(label: str) -> str:
    """A label in quotes, with characters escaped that a reader cannot see."""
    if label == unicodedata.normalize("NFC", label):
        return repr(label)
    escaped = (f"\\u{ord(c):04x}" if unicodedata.combining(c) else repr(c)[1:-1] for c in label)
    return "'" + "".join(escaped) + "'"


def _without_marks(text: str) -> str:
    """The text with a space in place of each mark that carries no meaning where it stands."""
    parts, done = [], 0
    for mark in _MARK.finditer(text):
        start = mark.start()
        if start < done:
            continue
        kept = _KEPT.match(text, start)
        parts += [text[done:start], kept.group() if kept else " "]
        done = kept.end() if kept else start + 1
    return "".join(parts) + text[done:]


def _label_key(label: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    seen = "".join(c for c in folded if not (c.isspace() or _is_invisible(c)))
    number = seen.replace("\u2212", "-")
    if _NUMBER.fullmatch(number) is None:
        return seen
    try:
        # Exact: labels may be numbers of many digits, such as those of accounts.
        return f"number {Fraction(number.replace(',', ''))}"
    except ValueError:  # more digits than Python turns into text
        return seen


def _is_invisible(character: str) -> bool:
    code = ord(character)
    # Tags (U+E0020 to U+E007F) spell out the flags of regions, so they are not in this list.
    return (
        character == "\u034f"
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0100 <= code <= 0xE01EF
        or 0x180B <= code <= 0x180F
        or (unicodedata.category(character) == "Cf" and code < 0xE0000)
    )


class _Folded(dict[int, str]):
    """Character to how it counts, for `str.translate`; every character is worked out once."""

    def __missing__(self, code: int) -> str:
        self[code] = found = _fold(chr(code))
        return found


class _Apart(dict[int, str]):
    """Character to itself, or with spaces around it when it is a symbol."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        is_symbol = unicodedata.category(character)[0] in "SP" and character != "_"
        self[code] = found = f" {character} " if is_symbol else character
        return found


def _fold(character: str) -> str:
    if character in _OTHER_FORMS:
        return _OTHER_FORMS[character]
    if character == _JOINER:
        return character
    if character in _ACCENTS_AS_QUOTES:
        return " "
    if _is_invisible(character):
        return ""
    form, *parts = unicodedata.decomposition(character).split() or [""]
    if form in _SAME_FORMS and parts[0] != "0020":
        return "".join(_fold(chr(int(part, 16))) for part in parts)
    return _fold_by_kind(character)


def _fold_by_kind(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    if kind == "Pd":
        return "-"
    if kind in ("Cc", "Zs", "Zl", "Zp", "Pi", "Pf") or character in "„‚〝〞〟「」『』":
        return " "
    if kind == "Po" and character not in _MEANINGFUL | _SENTENCE_MARKS:
        return " "
    return character


_FOLDED, _APART = _Folded(), _Apart({ord(_MINUS): " - "})
