"""The numbers of design/0010, on what makes it faster."""

from __future__ import annotations

from benchmarks.tasks.recipes.banking77 import LABELS
from tests.report.claims import records as r
from tests.report.claims.page import Page

FASTER = Page("design/0010-faster-than-the-scripts.md")
PREDICTED = "predicted before anything was measured, and kept as it was"
NOT_KEPT = "a single measurement of its day; the page says that these were not kept"
COUNTED = "tokens and operations counted by hand, no measurement"
MODEL = "smollm2-135m"
FEWEST = 8  # items that a ratio has to rest on
GROWTH = "benchmarks/speed/growth.py"
CASES = (
    "labels-77", "labels-77-short", "options-4", "shots-8", "passages", "lora-unpacked",
    "lora-packed", "full-unpacked", "full-packed", "seven-methods", "seven-methods-labels",
)  # fmt: skip

FASTER.says(
    "{} of its {} million parameters are the vocabulary",
    lambda: [r.shape(MODEL).vocab * r.shape(MODEL).hidden / 1e6, r.millions(MODEL)],
)
FASTER.exempt_paragraph(
    PREDICTED, "| case | the peer reads | ours reads",
    "77 77 41 3,130 12 305 10 10 4 160 22 15 8 1,330 80 5 3 1.5 1.3 8 130 8 60 2.2 .55 2 .7",
)  # fmt: skip

# ---------------------------------------------------------------- measured

FASTER.says(
    "medians of {} pairs under bf16 ({} for the comparisons; fp32 {} pair,",
    lambda: [
        *r.same(len(r.speed(case)["pairs"]) for case in CASES if not case.startswith("seven")),
        *r.same(len(r.speed(case)["pairs"]) for case in CASES if case.startswith("seven")),
        *r.same(len(r.speed(c, "fp32")["pairs"]) for c in CASES if not c.startswith("seven")),
    ],
)


def _row(case: str, said: str, bf16: str = "{}", *, memory_of_fp32: bool = False) -> None:
    """A row: the goal of speed, and of memory if there is one, the two ratios and memory."""
    trains = case.startswith(("lora", "full"))
    whole = case.startswith("seven")
    goals = "{}, memory {}" if trains else "{}"
    memory = "{}, fp32 {}" if memory_of_fp32 else "{}"
    fp32 = "–" if whole else "{}"

    def text() -> str:
        few = ", too few to be claimed" * (r.items(case) < FEWEST)
        return f"| {said} | {goals} | {bf16}{few} | {fp32} | {memory} |"

    FASTER.says(
        text,
        lambda: [
            *([len(LABELS)] if "{}" in said else []),
            r.goal(case),
            *([r.memory_goal(case)] if trains else []),
            r.times_faster(case),
            *([r.items(case)] if "items" in bf16 else []),
            *([] if whole else [r.times_faster(case, "fp32")]),
            r.memory_share(case),
            *([r.memory_share(case, "fp32")] if memory_of_fp32 else []),
        ],
    )


_row("labels-77", "{} labels, the product's own prompt", "{} on {} items", memory_of_fp32=True)
_row("labels-77-short", "{} labels, short prompt", "{} on {} items", memory_of_fp32=True)
_row("options-4", "four options behind five shots", memory_of_fp32=True)
_row("shots-8", "generation behind eight shots", memory_of_fp32=True)
_row("passages", "generation behind passages")
_row("lora-unpacked", "LoRA, unpacked")
_row("lora-packed", "LoRA, packed")
_row("full-unpacked", "full, unpacked")
_row("full-packed", "full, packed", memory_of_fp32=True)
_row("seven-methods", "seven methods, all of it")
_row("seven-methods-labels", "seven methods on a task of labels")
FASTER.says(
    "the peer reads the {} labels of the prompt {} times an item", lambda: [len(LABELS)] * 2
)
FASTER.exempt_paragraph(
    "predictions of the table above, and a single try that was not kept", "| case | goal | bf16 |",
    "10 15 5 1.5 2.2 .55 2.2 6 1.9",
)  # fmt: skip
FASTER.says("The script takes {} s: 95 for", lambda: [r.seconds("seven-methods", "peer")])
FASTER.exempt(NOT_KEPT, "95 for its scoring, 97 for its two trainings")
FASTER.says("Ours takes {}:", lambda: [r.seconds("seven-methods", "ours")])
FASTER.exempt_paragraph(
    NOT_KEPT, "| | seconds | of which must be |",
    "6 17 18,000 4 10 400 33 30,000 6.4 16 4 4 50 150 33 3 8 .32 .55 47 4.5 11 .09 .04 5 1.6 21",
)  # fmt: skip
FASTER.exempt_paragraph(NOT_KEPT, "Were every product at its peak", "60 70 3 130 75 3,300")
FASTER.says(
    "the script takes {} s, ours {} (medians of {} pairs: {}, {} and {} times)",
    lambda: [
        r.seconds("seven-methods-labels", "peer"),
        r.seconds("seven-methods-labels", "ours"),
        len(r.ratios("seven-methods-labels")),
        *r.ratios("seven-methods-labels"),
    ],
)
FASTER.exempt(NOT_KEPT, "and the ratio was 1.9")
FASTER.exempt_paragraph(NOT_KEPT, "What helped since the first pair", "1.05 17 .85 .78 7 13")
FASTER.says(
    "only where that spares {} tokens",
    lambda: r.constants("strategies/training.py", r"_LEAST_TOKENS_SPARED = (\d+)"),
)

# ---------------------------------------------------------------- profiles and limits

FASTER.exempt_paragraph(
    NOT_KEPT, "- Four options took 2.06 s", "2.06 32 7.1 1,950 690 1.06 256 512"
)
FASTER.exempt_paragraph(NOT_KEPT, "- The logits of a slice", "113 70")
FASTER.says("rows of {}, cross entropy", lambda: [r.shape(MODEL).vocab])
FASTER.exempt_paragraph(NOT_KEPT, "- `logsumexp` goes over", "145 306 25")
FASTER.exempt_paragraph(
    NOT_KEPT, "- Logits of bf16 models are computed", "1 8 130 100 306 21 9 16 2e-6"
)
FASTER.exempt_paragraph(NOT_KEPT, "- Behind eight shots every row", "1,250")
FASTER.exempt_paragraph(NOT_KEPT, "- Padding on the right", "330 512 1,300")
FASTER.exempt_paragraph(NOT_KEPT, "- Splitting attention behind", "50")
FASTER.exempt_paragraph(
    COUNTED, "- 77 labels behind a short prompt", "77 317 3,130 67 17 7 840 400 77"
)
FASTER.exempt_paragraph(COUNTED, "- Passages: both sides must read", "18,000 7 48 20 150")
FASTER.says(
    "packed peer, memory {} under bf16 (goal {}), {} GiB against {}: {} GiB are",
    lambda: [
        r.memory_share("full-packed"),
        r.memory_goal("full-packed"),
        r.peak_gib("full-packed", "ours"),
        r.peak_gib("full-packed", "peer"),
        4 * 4 * r.shape(MODEL).parameters / 2**30,
    ],
)
FASTER.exempt("a model's name by its size", "a 1-billion Llama shape")

# ---------------------------------------------------------------- growth, start-up, answers

AXES = ("items", "labels", "demonstrations", "passages")
FASTER.says("(R² {} and more)", lambda: [min(r.growth(axis)[2] for axis in AXES)])
FASTER.says(
    "{} ms an item among {} labels, {} ms a label for {} items, {} s a demonstration in each of {} "
    "prompts, {} ms a passage embedded",
    lambda: [
        1000 * r.growth("items")[0], *r.constants(GROWTH, r"among (\d+) labels"),
        1000 * r.growth("labels")[0], *r.constants(GROWTH, r"labels to score for (\d+) items"),
        r.growth("demonstrations")[0], *r.constants(GROWTH, r"each of (\d+) prompts"),
        1000 * r.growth("passages")[0],
    ],
)  # fmt: skip
FASTER.says("but for {} MiB a passage", lambda: [r.growth("passages")[1] / 2**20])
FASTER.says(
    "`--help` takes {} s of the processor, `ask --no-input` {} to {}, {} in the middle (goal {})",
    lambda: [
        r.start_up("--help")[2],
        *r.spread(r.start_up("advisor ask")),
        r.start_up("advisor ask")[2],
        *r.same(r.constants("benchmarks/speed/startup.py", r'COMMANDS, \("(\S+)", "(\S+)"')),
    ],
)
FASTER.says(
    "and walks {} in which", lambda: r.constants("advisor/what_if.py", r"_COMPLETIONS = (\d+)")
)
FASTER.exempt_paragraph(
    NOT_KEPT, "**Start-up.** `--help` takes", ".02 .14 .06 250 .07 .41 256 387 .05"
)
PARITY = ("parity-ticket-triage", "parity-handbook-qa", "parity-handbook-reply")
FASTER.says(
    "({} items each) and {} items of release-json",
    lambda: [
        *r.same(r.unlike(case, "fp32")[1] for case in PARITY),
        r.unlike("parity-release-json", "fp32")[1],
    ],
)
FASTER.says(
    "{} answer is unlike, and log-likelihoods lie within {}.",
    lambda: [
        sum(r.unlike(case, "fp32")[0] for case in (*PARITY, "parity-release-json")),
        r.at_most(5e-5, r.speed(PARITY[0], "fp32")["pairs"][0]["agreement"]["largest_difference"]),
    ],
)
