"""The numbers of the design pages, but for 0009 (estimates) and 0010 (speed)."""

from __future__ import annotations

import re
from math import comb
from pathlib import Path
from statistics import NormalDist, median

from benchmarks.report.training import LEAST_VALIDATION_ITEMS
from benchmarks.results import ALPHA, MATTERS
from benchmarks.verification import FEWEST_TASKS
from tests.report.claims import records as r
from tests.report.claims.page import Page
from tests.tokenizer_zoo import ZOO

NOT_KEPT = "measured once; the page says that its record was not kept"
HISTORY = "about an earlier version; the history of the repository holds it"
ARITHMETIC = "arithmetic or an example, no measurement"
EARLIER = "measured with an earlier version; the page says that its records were not kept"
SIZE = "a model's name by its size"

# ---------------------------------------------------------------- 0001 to 0003, 0005

METHODS = Page("design/0001-prompting-times-weights.md")

LM_EVAL = Page("design/0002-lm-eval-owns-the-evaluation.md")
LM_EVAL.says(
    "holds our label scores within {} of",
    lambda: r.same(r.numbers("tests/parity/test_reference.py", r"expected, abs=([\d.e-]+)\)")),
)

PADDING = Page("design/0003-loss-on-the-answer-padding-on-the-left.md")
PADDING.says("a vocabulary of {} are the largest", lambda: [r.shape("smollm2-135m").vocab])
PADDING.exempt("a formula", "*longest answer + 1* logits")

CHART = Page("design/0005-a-flowchart-as-data.md")
CHART.says(
    "with a strength of {} to {},",
    lambda: r.constants("advisor/flowchart.py", r"a strength of (\d) to (\d) is missing"),
)

# ---------------------------------------------------------------- 0004, learning rates

RATES = Page("design/0004-learning-rates.md")
SEARCH = "strategies/rate_search.py"
RATES.says(
    "SmolLM2-135M alone (LoRA {}, full {}), drove",
    lambda: [r.trained("tweeteval-emotion", name)["learning_rate"] for name in ("lora", "full")],
)
RATES.exempt(
    NOT_KEPT, "macro-F1 .124 on four emotions with 100 labels, where LoRA at 2e-4 reaches .463",
    "nearest demonstrations .447", "against .480", "at 130 tokens an example",
    "329 and 369 tokens a second",
)  # fmt: skip
RATES.says(
    "{} × ({} / hidden size)^e",
    lambda: [
        *r.constants("strategies/learning_rate.py", r"_LORA_RATE_AT_2000 = (\S+)"),
        *r.constants("strategies/learning_rate.py", r"\(\((\d+) / int\("),
    ],
)
RATES.says("({} to {} steps)", lambda: r.constants(SEARCH, r"_MOST_STEPS = [\d.]+, (\d+), (\d+)\n"))
RATES.says("up to {} trials", lambda: r.constants(SEARCH, r"_MOST_TRIALS = [\d.]+, (\d+)\n"))
RATES.says("with fewer than {} validation items", lambda: [LEAST_VALIDATION_ITEMS])
RATES.says(
    "with {} labels, SmolLM2-135M and LoRA, {} was ahead of {} by {} nats (standard error {})",
    lambda: [
        r.rates("135m")["train"],
        *(trial["rate"] for trial in r.rates("135m")["record"]["choice"]["trials"][:2]),
        r.rates("135m")["record"]["choice"]["margin"],
        r.rates("135m")["record"]["choice"]["margin_error"],
    ],
)
RATES.says(
    "in the whole training {} reached {} nats per token",
    lambda: [
        r.rates("135m")["record"]["choice"]["rate"],
        r.rates("135m")["record"]["attempts"][0]["best_loss"],
    ],
)
RATES.exempt("sizes of batches, as an explanation", "batches of 2 and of 8")
RATES.says("tweeteval-emotion with {} labels. On", lambda: [r.rates("0.5b")["train"]])
RATES.says(
    "the first guess, {}, is {} times the rate that was settled, {};",
    lambda: [
        r.rates("0.5b")["record"]["choice"]["first_guess"],
        r.rates("0.5b")["record"]["choice"]["first_guess"]
        / r.rates("0.5b")["record"]["choice"]["rate"],
        r.rates("0.5b")["record"]["choice"]["rate"],
    ],
)
RATES.says(
    "rises from {} to {} without a repetition",
    lambda: [
        r.rates("0.5b")["record"]["start_metric"],
        r.rates("0.5b")["record"]["attempts"][0]["metric"],
    ],
)
RATES.says(
    "rate's loss is {} nats per token above that of a quarter of it",
    lambda: [
        r.rates("0.5b")["record"]["attempts"][0]["best_loss"]
        - r.rates("0.5b")["neighbours"]["0.25"]["best_loss"]
    ],
)
RATES.exempt(SIZE, "(135M and 0.5B,", "1.5B with LoRA")

# ---------------------------------------------------------------- 0006, the committed runs

CUTS = Page("design/0006-what-the-reports-cut.md")


def _bundled(run: str) -> bool:
    return Path(r.ROOT / "benchmarks" / "tasks" / "bundled" / run).is_dir()


CUTS.says(
    "{} test items, {} training items ({} for the public sets) and {} validation items, up to {} "
    "epochs",
    lambda: [
        *r.same(run["items"] for run in r.runs().values()),
        *r.same(run["limits"]["train"] for name, run in r.runs().items() if _bundled(name)),
        *r.same(run["limits"]["train"] for name, run in r.runs().items() if not _bundled(name)),
        *r.same(run["limits"]["validation"] for run in r.runs().values()),
        *r.same(r.trained(name, "full")["epochs"] for name in r.runs()),
    ],
)
CUTS.says(
    "({} for RAFT, {} passages), {} seed",
    lambda: [
        r.trained("handbook-qa", "raft")["epochs"],
        r.planned("handbook-qa", "raft")["prompting"]["passages"],
        *r.same(len(run["seeds"]) for run in r.runs().values()),
    ],
)
CUTS.says(
    "the {}-million-parameter default model",
    lambda: r.same(r.millions(run["run"]["model"]) for run in r.runs().values()),
)


def _contained(method: str) -> float:
    return 100.0 * float(r.method("handbook-qa", method)["scores"]["answer_contained"])


CUTS.says(
    "the answer is contained in {} % of its answers, while the top passage's best sentence holds "
    "it for {} %",
    lambda: [_contained("rag"), _contained("best-sentence")],
)
CUTS.exempt(
    NOT_KEPT, "Six wordings, tried on 40 training and validation items",
    "in 3 to 5 % of handbook answers and in 15 to 18 % of SQuAD answers",
)  # fmt: skip
CUTS.says("(`raft`) it reads in {} %", lambda: [_contained("raft")])

# ---------------------------------------------------------------- 0007 and 0008, reading

PREFIX = Page("design/0007-what-prompts-share-is-read-once.md")


def _architectures() -> set[str]:
    """Kinds of models that a test compares with plain generation."""
    source = r.text_of("tests/strategies/test_attention.py")
    listed = source.split("SPLIT = (", 1)[1].split("\n)", 1)[0]
    return set(re.findall(r"(\w+)Config\(", listed))


def _cache_bytes(tokens: int) -> float:
    """Keys and values of the default model in bf16."""
    shape = r.shape("smollm2-135m")
    return 2 * shape.layers * shape.kv_width * 2 * tokens


PREFIX.says("A test holds {} architectures equal", lambda: [len(_architectures())])
PREFIX.says(
    "with {} prompts of {} tokens that is some {} MB a step read and written",
    lambda: [16, 400, r.rounded(2 * _cache_bytes(16 * 400) / 1e6, 1)],
)
PREFIX.exempt(
    NOT_KEPT, "In 55 architectures of", "made .0004 of the spread", "(bf16: .034)",
    "wrongly .78 and more", "takes .6 s with the default model in fp32, .3 s in bf16",
    "move by about 1e-5",
)  # fmt: skip
PREFIX.says(
    "the limits, {} and {}, lie between",
    lambda: r.constants("strategies/inference.py", r"_ROUNDED_DEVIATION = (\S+), (\S+)\n"),
)

FORKED = Page("design/0008-workers-are-forked.md")
IMPORTS = "the same, as a bench imports them"
FORKED.says(
    "takes some {} seconds, which {} arms paid {} times;",
    lambda: [
        median(r.start_up(IMPORTS)), *[max(len(run["methods"]) for run in r.runs().values())] * 2
    ],
)  # fmt: skip

# ---------------------------------------------------------------- 0011, the flowchart

HISTORY_OF_CHART = Page("design/0011-how-the-flowchart-came-about.md")
HISTORY_OF_CHART.exempt("a part of a document by its number", "source document's part 2")
HISTORY_OF_CHART.exempt(
    ARITHMETIC, "30 labels without a behaviour to learn spoke for a pilot, 60 against it",
    "5,000 labels trained longer than the GPU was there, 500 did not",
)  # fmt: skip
HISTORY_OF_CHART.says(
    "all combinations up to {} and as many drawn ones",
    lambda: r.constants("advisor/what_if.py", r"_COMPLETIONS = (\d+)"),
)
HISTORY_OF_CHART.says("scores highest in {} of the {}; before", lambda: [r.hits(), len(r.runs())])
HISTORY_OF_CHART.says(
    "The leader is separated from every other method in {} of the {}. {} of the {} targets is "
    "reached. On {} of the {} no method",
    lambda: [
        r.leads_alone(), len(r.runs()), r.targets_reached(), len(r.targets()),
        r.not_above_the_floor(), len(r.runs()),
    ],
)  # fmt: skip
HISTORY_OF_CHART.says(
    "“RAG first, then tune” chose the same in {} of the {},",
    lambda: [r.policy("RAG first, then tune", "chose the same"), len(r.runs())],
)
HISTORY_OF_CHART.says(
    "The runs have {} seed and {} model of {} million parameters",
    lambda: [
        *r.same(len(run["seeds"]) for run in r.runs().values()),
        len({run["run"]["model"] for run in r.runs().values()}),
        *r.same(r.millions(run["run"]["model"]) for run in r.runs().values()),
    ],
)
HISTORY_OF_CHART.says("Still, all {} are in sample", lambda: [len(r.IN_SAMPLE)])
HISTORY_OF_CHART.exempt(
    HISTORY, "between 08:00 and 15:46 on 2026-11-21", "(19:37)", "(20:33)", "(20:47)",
    "the strength of 2 that spoke against tuning",
)  # fmt: skip

HISTORY_OF_CHART.says("The chart hit {} of\nthem before", lambda: [r.published().at_first])
HISTORY_OF_CHART.says(
    "three questions (outside knowledge? hosted? fifty labels?)\nhit {}. In",
    lambda: [r.published().rule_rate.hits],
)
HISTORY_OF_CHART.says(
    "counts for tuning from {} labels on, not at any number",
    lambda: r.constants(
        "advisor/flowchart.yaml",
        r"new_language_or_domain, is: true}, {answer: labelled_examples, at_least: (\d+)}",
    ),
)
HISTORY_OF_CHART.says(
    "The hits are {} of {} as before",
    lambda: [r.published().rate.hits, len(r.published().cases)],
)

# ---------------------------------------------------------------- 0012, intervals

INTERVALS = Page("design/0012-intervals-that-simulation-confirms.md")
INTERVALS.says("A report says “{} %” and", lambda: [r.CONFIDENCE_PERCENT])
INTERVALS.exempt(EARLIER, "**Found** with 300 comparisons")
INTERVALS.exempt_paragraph(
    EARLIER, "| scores | items | discordance | held",
    "30 .04 .53 30 .1 .80 150 .1 .89 .95 150 .1 .83 150 .4 .92",
)  # fmt: skip
INTERVALS.exempt("a year", "Agresti and Min (2005)")
INTERVALS.exempt_paragraph(EARLIER, "**Tried** on 1,500", "1,500 .68 1 .95 1 30 .94 1")
INTERVALS.exempt_paragraph(
    EARLIER, "**A method's own score** had", "30 .91 .77 .86 .87 200 1 .98 .99 .88"
)
INTERVALS.exempt_paragraph(
    EARLIER, "**Fresh items** (`advisor watch`)", "6.8 7.0 7.4 1,000 9.4 99 100 5.7"
)


def _larger_in_one_family(methods: int, floors: int) -> float:
    """How much larger the critical value of Holm's first step is, in %, by normal quantiles."""
    pairs = comb(methods, 2)
    alone, together = (ALPHA / (2 * tests) for tests in (pairs, pairs + methods * floors))
    return 100 * (NormalDist().inv_cdf(together) / NormalDist().inv_cdf(alone) - 1)


INTERVALS.says(
    "each to {} %: together a report of equal methods could err in nearly {} %",
    lambda: [100 * ALPHA, 100 * (1 - (1 - ALPHA) ** 2)],
)
INTERVALS.says(
    "has to be some {} % larger to be separated where {} floors stand beside {} methods",
    lambda: [_larger_in_one_family(5, 3), 3, 5],
)
INTERVALS.exempt_paragraph(EARLIER, "**Seeds.** Several seeds", "200 1,000 13 3")
INTERVALS.exempt_paragraph(EARLIER, "**A whole run** (197 cases", "197 1,000 30 .99")
INTERVALS.exempt_paragraph(
    EARLIER,
    "**How a promise is decided.**",
    "1,000 6 84 .92 87 5 7 .95 .92 .98 20 24 80 99.9 90 6,000 1.2 .05 .9 11 13 1,000 2 6 1,500",
)
INTERVALS.exempt_paragraph(
    EARLIER, "**Chances** failed three", "381 30 2 14 98 74 16 8 2 12 13 14 4"
)

# ---------------------------------------------------------------- 0015, regret

REGRET = Page("design/0015-regret-that-readers-can-trust.md")
REGRET.exempt(HISTORY, "showed −0.8 points (−1.7 to +0.1) read as", "lower end was −4.6")
REGRET.says("the one-sided {} % upper bounds of these differences", lambda: [r.CONFIDENCE_PERCENT])
REGRET.says("its own bound holds in {} % of samples", lambda: [r.CONFIDENCE_PERCENT])
REGRET.exempt("an end of a scale", "differences, and 0, bounds it", "0 is the best method, 1 the")
REGRET.exempt_paragraph(EARLIER, "**Tried.** The percentile bootstrap", ".80 .93 40 150 10 400")
REGRET.exempt_paragraph(
    EARLIER, "| two added units that are not there",
    "10 20 30 40 80 150 400 .89 .88 .84 .87 .87 .89 .87 .95 .96 .95 .95 .95 .95 .95",
)  # fmt: skip
REGRET.exempt_paragraph(EARLIER, "(The first bound is no longer in the code", "10 80 .95 1 300 600")
REGRET.says("a sign test where {} tasks or more differ", lambda: [FEWEST_TASKS])
REGRET.says("the best floor ends below {} points", lambda: [100 * MATTERS])
REGRET.says("in a small sample: {} points could not", lambda: [100 * MATTERS])

# ---------------------------------------------------------------- 0013, many machines

MACHINES = Page("design/0013-one-run-on-many-machines.md")
MACHINES.says("A plan of {} methods and {} seeds is {} pieces", lambda: [9, 3, 9 * 3])
MACHINES.says(
    "up to {} minutes, as file servers",
    lambda: [r.constants("benchmarks/store.py", r"LOST_SECONDS = (\S+)")[0] / 60],
)
MACHINES.says("imports torch anew, {} seconds of a core", lambda: [median(r.start_up(IMPORTS))])
MACHINES.says(
    "A task that was begun {} times is given up",
    lambda: r.constants("benchmarks/on_ray.py", r"_STARTS = (\d+)"),
)

# ---------------------------------------------------------------- 0014, tokens

TOKENS = Page("design/0014-the-tokens-of-a-prompt-and-its-answer.md")
TOKENS.exempt(NOT_KEPT, "(-13 nats after tuning)", "12 of 12 answers correctly scored 6 of 12")
TOKENS.exempt(ARITHMETIC, 'prefer "10" to "1"', "sum to at most 1")
TOKENS.says(
    "within {} of lm-eval's minus that constant",
    lambda: r.same(r.numbers("tests/parity/test_reference.py", r"expected, abs=([\d.e-]+)\)")),
)
TOKENS.says(
    "a test holds for {} prompts and {} tokenizers",
    lambda: [
        *r.constants(
            "tests/strategies/test_control_tokens.py", r"keep_their_ids\(tokenizer, ([\d_]+)\)"
        ),
        len(ZOO) + 2,
    ],
)
