"""Every number of README, the guide and the design pages is what its record or its constant says.

reports/advice.md and the reports of runs are written by the code; test_committed renders them
again. The claims are in tests/report/claims.
"""

from __future__ import annotations

import pytest

from tests.report.claims import design, estimates, guide, readme, speed
from tests.report.claims.page import Page, Value, agrees, problems
from tests.report.claims.records import ROOT, text_of

PAGES = [
    value
    for module in (readme, guide, design, estimates, speed)
    for value in vars(module).values()
    if isinstance(value, Page)
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.path))
def test_every_number_of_a_page_agrees_with_its_record_or_is_exempt(page: Page) -> None:
    assert problems(page, text_of(page.path)) == []


def test_no_page_is_left_out() -> None:
    folders = ("design", "docs")
    pages = [f"{path.parent.name}/{path.name}" for f in folders for path in ROOT.glob(f"{f}/*.md")]
    assert sorted(page.path for page in PAGES) == sorted(["README.md", *pages])


# ---------------------------------------------------------------- the check can fail

TEXT = """# Twice as fast

LoRA is right in **.747** of 150 items, and
takes five minutes.

It was 1.5 times as slow before, on 8 cores. `--limit 40` and SmolLM2-135M hold no numbers.
"""


def page() -> Page:
    made = Page("page.md")
    made.says("in **{}** of {} items, and takes {} minutes", lambda: [112 / 150, 150, 5.0])
    made.exempt("not kept", "1.5 times as slow")
    made.exempt_paragraph("not kept either", "It was", "8")
    return made


def test_a_text_that_says_what_is_computed_passes() -> None:
    assert problems(page(), TEXT) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (".747", ".748", "page.md:3: .748 is stated, 0.7466666666666667 is computed"),
        ("150", "151", "page.md:3: 151 is stated, 150 is computed"),
        ("five", "four", "page.md:4: four is stated, 5.0 is computed"),
        ("takes five", "needs five", "page.md: 0 times, not once"),
        ("1.5 times", "1.6 times", "is of no use any more"),
        ("8 cores", "9 cores", "page.md:6: exempted are '8', but there are '9'"),
        ("before,", "before, not 3 times,", "exempted are '8', but there are '3 8'"),
        ("It was", "Then it was", "page.md: 0 times, not once: the paragraph 'It was'"),
        ("# Twice", "In 2025. # Twice", "page.md:1: 2025 has neither a claim nor an exemption"),
    ],
)
def test_a_number_that_is_changed_or_added_is_named(before: str, after: str, said: str) -> None:
    found = problems(page(), TEXT.replace(before, after))
    assert any(said in line for line in found), found


def test_a_sentence_that_is_there_twice_is_no_claim() -> None:
    assert "page.md: 2 times, not once" in problems(page(), TEXT + TEXT)[0]


def test_a_claim_gives_as_many_values_as_it_has_numbers() -> None:
    made = Page("page.md")
    made.says("{} of {}", lambda: [1])
    assert problems(made, "1 of 2")[0].startswith("page.md:1: 2 numbers, but 1 are computed")


@pytest.mark.parametrize("name", [page.path for page in PAGES])
def test_every_digit_of_a_real_page_is_watched(name: str) -> None:
    """Each number in turn is made another one, and the check has to fail."""
    watched = next(each for each in PAGES if each.path == name)
    text = text_of(name)
    for number in watched.numbers(text):
        digit = max(i for i in range(*number.span()) if text[i].isdigit())
        other = text[:digit] + str((int(text[digit]) + 5) % 10) + text[digit + 1 :]
        assert problems(watched, other), number


@pytest.mark.parametrize(
    ("stated", "value", "right"),
    [
        (".747", 0.7466, True),
        (".747", 0.7464, False),
        ("1,337", 1336.6, True),
        ("1,337", 1338, False),
        ("5.3e-4", 5.32e-4, True),
        ("5.3e-4", 5.4e-4, False),
        ("−4.8", -4.84, True),
        ("4.8", -4.84, False),
        ("+2.5", 2.46, True),
        ("None", 0, True),
        ("Three", 3, True),
        ("three", 3.4, True),
        ("three", 3.6, False),
        ("0a179c1", "0a179c1", True),
    ],
)
def test_a_value_is_compared_at_the_precision_of_the_text(
    stated: str, value: Value, *, right: bool
) -> None:
    assert agrees(stated, value) is right
