"""The published table of Llama 2's memory is what the estimates give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from advisor.estimates.gpus import catalogue as gpus
from advisor.estimates.gpus import fits
from advisor.estimates.memory import GIB, estimate_memory
from advisor.estimates.setup import Setup
from advisor.estimates.shapes import load_shape

REPORT = Path(__file__).parents[3] / "reports" / "llama-2-memory.md"
SETUPS = {
    "full, mixed precision": Setup(method="full", precision="bf16-mixed", sequence=2048),
    "full, all bf16": Setup(method="full", precision="bf16", sequence=2048),
    "LoRA": Setup(method="lora", sequence=2048),
    "QLoRA": Setup(method="qlora", sequence=2048),
}


def _row(model: str, name: str, setup: Setup) -> str:
    total = estimate_memory(load_shape(model), setup).total
    sizes = " | ".join(f"{size / GIB:.1f}" for size in (total.low, total.likely, total.high))
    holding = (gpu.name for gpu in gpus().values() if fits(total, gpu.memory_bytes) == "yes")
    again = "yes" if setup.checkpointing else "no"
    return f"| {model} | {name} | {again} | {sizes} | {next(holding, 'none')} |"


def table() -> str:
    """Markdown, a row a model, method and use of checkpointing."""
    lines = [
        "| model | method | checkpointing | low GiB | likely GiB | high GiB | smallest GPU |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        _row(model, name, replace(setup, checkpointing=again))
        for model in ("llama-2-7b", "llama-2-13b")
        for name, setup in SETUPS.items()
        for again in (False, True)
    ]
    return "\n".join(lines)


def test_the_published_table_is_what_the_estimates_give() -> None:
    assert table() in REPORT.read_text(encoding="utf-8")
