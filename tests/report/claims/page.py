"""A page of prose, the claims its numbers make, and the check that none is wrong or left out.

A claim is a sentence of the page with `{}` where its numbers stand. A number is written in
digits, or as a word that a claim names; only those in digits have to be covered. Code, links
and names such as SmolLM2-135M hold no numbers of the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

Value = float | str
Values = Callable[[], Sequence[Value]]
# A text may follow the records as well: a goal is called missed where it was.
Text = str | Callable[[], str]

_COUNTED = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
WORDS = {"no": 0, "none": 0, **{word: n for n, word in enumerate(_COUNTED.split(), 1)}}
DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:e-?\d+)?"
NUMBER = re.compile(rf"(?<![\w.]){DIGITS}")
STATED = rf"((?<![\w.])[-−+]?{DIGITS}|(?i:\b(?:{'|'.join(WORDS)})\b))"
# What is typed, where a link leads, a page beside this one, an entry's number in a list, and
# names with digits in them.
NO_PROSE = re.compile(
    r"```.*?```|`[^`\n]*`|\]\([^)]*\)|<!--.*?-->"
    r"|design/0\d{3}|\((?:0\d{3}|`0\d{3}`)\)|\[0\d{3}(?=\])"
    r"|^\d+\. |\b\d+-bit\b"
    r"|arXiv:[\d.]+(?:, \d{4}\.\d{5})*|\b(?=\d*[a-f])[0-9a-f]{7}\b|\b[A-Za-z][\w.]*(?:-[\w.]+)+",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Claim:
    """A sentence with `{}` for each number, and what gives these numbers."""

    text: Text
    values: Values


@dataclass(frozen=True)
class Exempt:
    """Numbers that nothing in the repository gives, and why.

    Attributes:
        reason: why they are not compared.
        text: the words around the numbers; or the first words of a paragraph or table.
        numbers: where text begins a paragraph, every number of it in digits that nothing else
            covers, in order, so that none can change unseen.
    """

    reason: str
    text: str
    numbers: str | None = None


@dataclass
class Page:
    """The claims and exemptions of one file, whose path counts from the repository's root."""

    path: str
    claims: list[Claim] = field(default_factory=list)
    exempted: list[Exempt] = field(default_factory=list)

    def says(self, text: Text, values: Values) -> None:
        self.claims.append(Claim(text, values))

    def exempt(self, reason: str, *texts: str) -> None:
        self.exempted += [Exempt(reason, text) for text in texts]

    def exempt_paragraph(self, reason: str, opening: str, numbers: str) -> None:
        self.exempted.append(Exempt(reason, opening, numbers))

    def numbers(self, text: str) -> list[re.Match[str]]:
        """The numbers in digits that have to be covered."""
        return list(_Check(self, text).uncovered(0, len(text)))


def problems(page: Page, text: str) -> list[str]:
    """Every number that is wrong or uncovered, and all that matches nothing any more."""
    return list(_Check(page, text).run())


def agrees(stated: str, value: Value) -> bool:
    """Whether a value, rounded as the text rounds it, is what the text says."""
    if isinstance(value, str):
        return stated == value
    plain = str(WORDS.get(stated.lower(), stated)).replace(",", "").replace("−", "-")
    mantissa, _, power = plain.partition("e")
    decimals = len(mantissa.partition(".")[2])
    half = 0.5 * 10.0 ** (int(power or 0) - decimals)
    return abs(float(plain) - value) <= half * (1 + 1e-9)


class _Check:
    def __init__(self, page: Page, text: str) -> None:
        self.page, self.text = page, text
        self.covered: list[tuple[int, int]] = [m.span() for m in NO_PROSE.finditer(text)]

    def run(self) -> Iterator[str]:
        for claim in self.page.claims:
            yield from self._claim(claim)
        paragraphs = [each for each in self.page.exempted if each.numbers is not None]
        for exempt in self.page.exempted:
            if exempt.numbers is None:
                yield from self._exempt(exempt)
        for exempt in paragraphs:
            yield from self._paragraph(exempt)
        for number in self.uncovered(0, len(self.text)):
            yield self._at(number.start(), f"{number[0]} has neither a claim nor an exemption")

    def _claim(self, claim: Claim) -> Iterator[str]:
        text = claim.text if isinstance(claim.text, str) else claim.text()
        matches = list(_pattern(text).finditer(self.text))
        if len(matches) != 1:
            yield f"{self.page.path}: {len(matches)} times, not once: {text!r}"
        for match in matches:
            stated, values = match.groups(), claim.values()
            if len(stated) != len(values):
                yield self._at(
                    match.start(), f"{len(stated)} numbers, but {len(values)} are computed"
                )
            for place, (said, value) in enumerate(zip(stated, values, strict=False), 1):
                self.covered.append(match.span(place))
                if not agrees(said, value):
                    yield self._at(match.start(place), f"{said} is stated, {value} is computed")

    def _exempt(self, exempt: Exempt) -> Iterator[str]:
        matches = list(_pattern(exempt.text).finditer(self.text))
        fresh = [m for m in matches if any(self.uncovered(*m.span()))]
        if not fresh:
            yield f"{self.page.path}: the exemption of {exempt.text!r} is of no use any more"
        self.covered += [match.span() for match in fresh]

    def _paragraph(self, exempt: Exempt) -> Iterator[str]:
        start = self.text.find(exempt.text)
        if start < 0 or self.text.count(exempt.text) > 1:
            count = self.text.count(exempt.text)
            yield f"{self.page.path}: {count} times, not once: the paragraph {exempt.text!r}"
            return
        # An entry of a list is a paragraph of its own, a table is one as a whole.
        ends = re.search(r"\n(?=\n|- |\d\. )", self.text[start:])
        end = start + ends.start() if ends else len(self.text)
        found = " ".join(number[0] for number in self.uncovered(start, end))
        if found != exempt.numbers:
            yield self._at(start, f"exempted are {exempt.numbers!r}, but there are {found!r}")
        self.covered.append((start, end))

    def uncovered(self, start: int, end: int) -> Iterator[re.Match[str]]:
        for number in NUMBER.finditer(self.text, start, end):
            if not any(first <= number.start() < last for first, last in self.covered):
                yield number

    def _at(self, place: int, said: str) -> str:
        line = self.text.count("\n", 0, place) + 1
        shown = self.text.splitlines()[line - 1].strip()
        return f"{self.page.path}:{line}: {said}: {shown}"


def _pattern(text: str) -> re.Pattern[str]:
    words = (re.escape(word).replace(r"\{\}", STATED) for word in text.split())
    return re.compile(r"\s+".join(words))
