"""Every number of README and the design pages is what its record or its constant says."""

from __future__ import annotations

import pytest

from tests.report.claims.page import Page, agrees, problems
from tests.report.claims.readme import README
from tests.report.claims.records import text_of

PAGES = (README,)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.path))
def test_every_number_of_a_page_agrees_with_its_record_or_is_exempt(page: Page) -> None:
    assert problems(page, text_of(page.path)) == []
