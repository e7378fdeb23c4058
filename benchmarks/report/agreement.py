"""Agreement beyond chance, beside the plain share of answers that agree."""

from __future__ import annotations

from benchmarks.report import numbers
from benchmarks.report.document import Block, Code, Paragraph, Table, Text
from benchmarks.results import Agreement, Comparison


def kappa(value: float | None) -> str:
    """Cohen's kappa with two decimals."""
    return numbers.UNDEFINED if value is None else f"{value:.2f}"


def agreement_columns(found: Agreement | None) -> list[Text]:
    """The share of the same labels, and kappa."""
    if found is None:
        return [numbers.UNDEFINED, numbers.UNDEFINED]
    return [numbers.share(found.same), kappa(found.kappa)]


def agreement_blocks(comparison: Comparison) -> list[Block]:
    """How labels agree with the right ones; [] unless the task is a classification."""
    rows: list[list[Text]] = [
        [[Code(r.name), " (floor)" if r.floor else ""], *agreement_columns(r.agreement)]
        for r in comparison.methods
        if r.agreement
    ]
    if not rows:
        return []
    return [
        Paragraph(
            "Agreement of the answers with the right labels. Cohen's kappa is the agreement beyond "
            "what two such distributions of labels give by chance: 0 is chance, 1 is full "
            "agreement, and a dash stands where only one label occurs."
        ),
        Table(["method", "same label", "kappa"], rows, figures=True),
    ]
