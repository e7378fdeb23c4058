"""The numbers of design/0009, on estimates of memory, time and cost."""

from __future__ import annotations

from advisor.estimates.memory import CONTEXT_BYTES, estimate_memory
from advisor.estimates.shapes import catalogue
from advisor.estimates.time import (
    BANDWIDTH_UTILISATION,
    COMPUTE_UTILISATION,
    QLORA_SLOWDOWN,
)
from advisor.estimates.tokens import BYTES_A_TOKEN
from tests.advisor.estimates.test_memory_estimate import PEFT, PUBLISHED, tensors
from tests.report.claims import records as r
from tests.report.claims.page import Page

ESTIMATES = Page("design/0009-estimates.md")
FORMULA = "a formula of the source beside it; tests/advisor/estimates holds the code to it"
TESTS = "tests/advisor/estimates"
MEASURED = {name: (setup, bytes_ / 1e9) for name, setup, bytes_ in PUBLISHED}

ESTIMATES.exempt("a rule of thumb that the page quotes and refuses", '("7B in full: 60')
ESTIMATES.says(
    "with a vocabulary of {} the logits", lambda: [r.rounded(r.shape("llama-3.2-3b").vocab, 3)]
)
ESTIMATES.exempt("a model's name by its size", "the weights of a 3B model")
ESTIMATES.says("for all {} models of the catalogue", lambda: [len(catalogue())])
ESTIMATES.says("of all {} shapes with", lambda: [len(catalogue())])

# ---------------------------------------------------------------- memory

ESTIMATES.says("| CUDA context | {} MiB |", lambda: [CONTEXT_BYTES / 2**20])
ESTIMATES.exempt_paragraph(
    FORMULA,
    "| part | formula | source |",
    "4 2 1 2 1 64 4 16384 16 32 3 2 2 1 4 256 5 4.1 12 16 2 16",
)
ESTIMATES.exempt_paragraph(
    FORMULA, "| | full | frozen base |", "2 4 2 2 4 8 2 4 4 4 4 8 6 6 6 6 6 4 2 4 4 6"
)
ESTIMATES.says(
    "(Llama-3.2-3B, batch {}, up to {} tokens, L40S)", lambda: [PEFT.batch, PEFT.sequence]
)


def _estimated(name: str) -> float:
    """GB of the tensors alone."""
    return tensors(estimate_memory(r.shape("llama-3.2-3b"), MEASURED[name][0])) / 1e9


def _off(name: str) -> float:
    return 100 * (_estimated(name) / MEASURED[name][1] - 1)


def _published(said: str, *names: str) -> None:
    """A row of the table: what was measured once or twice, the estimate, and how far it is off."""
    measured, off = " / ".join(["{}"] * len(names)), " / ".join(["{} %"] * len(names))
    ESTIMATES.says(
        f"| {said} | {measured} | {{}} | {off} |",
        lambda: [
            *(MEASURED[name][1] for name in names), _estimated(names[0]), *map(_off, names)
        ],
    )  # fmt: skip


_published("LoRA r32, q and v (0a179c1 / 5d602fd)", "LoRA", "LoRA, later")
_published("full (0a179c1 / 5d602fd)", "full", "full, later")
_published("DoRA r32", "DoRA")
_published("LoRA r10, feed-forward", "LoRA of the feed-forward layers")
_published("prompt tuning, 200 tokens", "prompt tuning")
ESTIMATES.exempt("the setup of a published run", "prompt tuning, 200 tokens")
ESTIMATES.exempt(
    "published by torchtune (0031bfb); a test holds the estimates to them",
    "batch 2 of 2048, checkpointed, RTX 4090): LoRA 16.2 GiB and QLoRA 7.4 GiB",
)
ESTIMATES.says(
    "within {} %, its chunked loss",
    lambda: [100 * r.constants(f"{TESTS}/test_memory_estimate.py", r"gib, rel=([\d.]+)\s")[0]],
)
ESTIMATES.says(
    "({} %) and the context, `high` the largest excess of the table ({} %)",
    lambda: [
        100 * share
        for share in r.constants(
            "advisor/estimates/memory.py", r"_ALLOCATOR = Range\(0.0, (\S+), (\S+)\)"
        )
    ],
)
ESTIMATES.says(
    "in three precisions: within {} %; the peak",
    lambda: [100 * r.constants(f"{TESTS}/test_saved_tensors.py", r"measured, rel=([\d.]+)\)")[0]],
)
ESTIMATES.says(
    "Llama-2-7B among them: within {} %;",
    lambda: [100 * r.constants(f"{TESTS}/test_tracked_peak.py", r"setup\), rel=([\d.]+)\)")[0]],
)

# ---------------------------------------------------------------- time

ESTIMATES.exempt(
    FORMULA, "Training: 2 N a token forward, 4 N backward in full, 2 N with PEFT and 6 a trained",
    "attention 12 L q s",
)  # fmt: skip
ESTIMATES.says(
    "utilisation: {} (full, unpacked, PEFT on L40S), {} (its LoRA), {} (torchtune, packed",
    lambda: [COMPUTE_UTILISATION.low, COMPUTE_UTILISATION.likely, COMPUTE_UTILISATION.high],
)
ESTIMATES.exempt("a GPU's name", "compiled, 4090)")
ESTIMATES.says("QLoRA is slower by torchtune's ratio, {}.", lambda: [QLORA_SLOWDOWN])
ESTIMATES.says(
    "bandwidth used {}, {} (PyTorch, plain and compiled), {} (gpt-fast)",
    lambda: [
        BANDWIDTH_UTILISATION.low, BANDWIDTH_UTILISATION.likely, BANDWIDTH_UTILISATION.high
    ],
)  # fmt: skip
ESTIMATES.says("else at {} bytes each", lambda: [BYTES_A_TOKEN])
