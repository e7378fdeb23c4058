"""The numbers of README.md."""

from __future__ import annotations

from benchmarks.tasks.recipes.banking77 import LABELS as LABELS_OF_BANKING
from strategies.errors import FailedMethodsError
from tests.report.claims import records as r
from tests.report.claims.page import Page

README = Page("README.md")
EMOTION = "tweeteval-emotion"
KNOWLEDGE, FIRST = "retrieval if knowledge, else LoRA", "RAG first, then tune"

# ---------------------------------------------------------------- two commands

README.says(
    "Python ≥ {} and make", lambda: r.constants("pyproject.toml", r'requires-python = ">=([\d.]+)"')
)
README.says("{} test questions are too few", lambda: r.constants("Makefile", r"--limit (\d+) "))

# ---------------------------------------------------------------- a result

README.says(
    "{} training tweets, {} test tweets, {} seed, {} CPU cores",
    lambda: [
        r.runs()[EMOTION]["limits"]["train"],
        r.runs()[EMOTION]["items"],
        len(r.runs()[EMOTION]["seeds"]),
        r.runs()[EMOTION]["run"]["environment"]["cores"],
    ],
)
README.says(
    "fixed in the plan (LoRA {}, full {}, chosen",
    lambda: [r.trained(EMOTION, name)["learning_rate"] for name in ("lora", "full")],
)
README.says("accuracy ({} % interval)", lambda: [r.CONFIDENCE_PERCENT])


def _row(said: str, name: str, score: str = "{}", *, trained: bool = False) -> None:
    def text() -> str:
        kept = "–" if r.method(EMOTION, name)["floor"] else "{} %"
        rest = f"{r.standing(EMOTION, name)} | {kept} | {'{}' if trained else '–'} |"
        return f"| {said} | {score} ({{}} to {{}}) | {rest}"

    def values() -> list[float]:
        found = r.method(EMOTION, name)
        validity = [] if found["floor"] else [100 * found["format_validity"]]
        return r.scored(EMOTION, name) + validity + [found["cost"]["train_seconds"]] * trained

    README.says(text, values)


_row("`lora`", "lora", "**{}**", trained=True)
_row("`full`", "full", trained=True)
_row("`icl-nearest`", "icl-nearest")
_row("`zero-shot`", "zero-shot")
_row("`icl-random`", "icl-random")
_row("floor: the nearest training tweet's label", "nearest-answer")
_row("floor: TF-IDF + logistic regression", "tfidf-lr")
_row("floor: majority", "majority")
README.says("“equal”: {} items are too few", lambda: [r.runs()[EMOTION]["items"]])

# ---------------------------------------------------------------- the advice

README.says("In {} of the {} committed runs the recommended", lambda: [r.hits(), len(r.runs())])
README.says(
    "separated from every other method in only {} of the {} runs. In the other {}, full",
    lambda: [
        r.leads_alone(),
        len(r.runs()),
        sum("full" in run["tied"] and run["leader"] != "full" for run in r.runs().values()),
    ],
)
README.says(
    "{} of the {} targets that a task names is reached",
    lambda: [r.targets_reached(), len(r.targets())],
)
README.says(
    "In {} of the {} runs no method is separated above the best floor",
    lambda: [r.not_above_the_floor(), len(r.runs())],
)
README.says(
    "even scores higher than the best method, {} against {}.",
    lambda: [
        r.method("ticket-triage", r.runs()["ticket-triage"]["best_floor"])["score"],
        r.method("ticket-triage", r.runs()["ticket-triage"]["leader"])["score"],
    ],
)
README.says(
    "does as well: the best method in {} of the {} runs",
    lambda: [r.policy(KNOWLEDGE, "hit"), len(r.runs())],
)
README.says(
    "Only {} of the {} tasks have anything to retrieve from. In the other {} the policy",
    lambda: [
        sum(run["run"]["task"]["corpus"] > 0 for run in r.runs().values()),
        len(r.runs()),
        r.policy("always-RAG", "fell back"),
    ],
)
README.says(
    "strengths were changed after all {} runs had been measured",
    lambda: [len(r.IN_SAMPLE)],
)
README.says(
    "All {} have {} seed, {} test items and one model of {} million parameters",
    lambda: [
        len(r.runs()),
        *r.same(len(run["seeds"]) for run in r.runs().values()),
        *r.same(run["items"] for run in r.runs().values()),
        *r.same(r.millions(run["run"]["model"]) for run in r.runs().values()),
    ],
)

README.says(
    "On {} comparisons that others published the flowchart names the best family in {}, a rule of",
    lambda: [len(r.published().cases), r.published().rate.hits],
)
README.says("a rule of three questions in {}\n", lambda: [r.published().rule_rate.hits])
README.says("was changed with all {} in view", lambda: [len(r.published().cases)])

# ---------------------------------------------------------------- as often as it says

README.says("Reports say “{} %” and", lambda: [r.CONFIDENCE_PERCENT])


def _all_hold() -> bool:
    return len(set(r.promises())) == 1


README.says(
    lambda: "[all {} promises hold]" if _all_hold() else "[{} of {} promises hold]",
    lambda: r.same(r.promises()) if _all_hold() else r.promises(),
)
README.says(
    "(reports/reproductions/ticket-triage.md), all {} to the last bit",
    lambda: r.same(r.reproduced("ticket-triage")),
)
README.says("an earlier version had made: {} of {}, the rest", lambda: r.reproduced("handbook-qa"))

# ---------------------------------------------------------------- how fast

LABELS, OPTIONS, SHOTS, PASSAGES = "labels-77-short", "options-4", "shots-8", "passages"
CHOSEN, GENERATED = "seven-methods-labels", "seven-methods"
LORA, FULL = ("lora-unpacked", "lora-packed"), ("full-unpacked", "full-packed")
CASES = (LABELS, OPTIONS, SHOTS, PASSAGES, *LORA, *FULL, CHOSEN, GENERATED)

README.says(
    "**{} to {} times as fast as today's tools, depending on the work; {} of these goals were "
    "missed.**",
    lambda: [*r.spread(map(r.times_faster, CASES)), sum(bool(r.missed(case)) for case in CASES)],
)
README.says(
    "medians of {} pairs, of {} for whole comparisons",
    lambda: [
        *r.same(len(r.speed(case)["pairs"]) for case in CASES if not case.startswith("seven")),
        *r.same(len(r.speed(case)["pairs"]) for case in (CHOSEN, GENERATED)),
    ],
)


def _speed(said: str, peer: str, *cases: str) -> None:
    """A row of the table: one case, or the least and most of several."""
    ratios = "{}" if len(cases) == 1 else "{} to {}"
    README.says(
        lambda: f"| {said} | {peer} | {ratios} | {{}}{r.missed(cases[0])} |",
        lambda: [
            *([len(LABELS_OF_BANKING)] if "{} labels" in said else []),
            *r.same(map(r.items, cases)),
            *(r.spread(map(r.times_faster, cases))[: len(cases)]),
            *r.same(map(r.goal, cases)),
        ],
    )


_speed("four options behind five shots, {} items", "lm-eval's `hf` model", OPTIONS)
_speed("{} labels, {} items", "lm-eval's `hf` model", LABELS)
_speed("generation behind eight shots, {} items", "`generate`", SHOTS)
_speed("generation behind retrieved passages, {} items", "`generate`", PASSAGES)
_speed("LoRA, {} examples", "TRL's `SFTTrainer`", *LORA)
_speed("full fine-tuning, {} examples", "TRL's `SFTTrainer`", *FULL)
_speed("seven methods compared, labels scored, {} items", "a script of both", CHOSEN)
_speed("seven methods compared, answers generated, {} items", "a script of both", GENERATED)
README.says(
    "Training takes {} to {} of the peer's memory (goal {}, missed by full fine-tuning beside a "
    "packed peer)",
    lambda: [
        *r.spread(map(r.memory_share, LORA + FULL)),
        *r.same(map(r.memory_goal, LORA + FULL)),
    ],
)
README.says(
    "where sums round, {} of {} and {} of {} generated texts differ",
    lambda: r.unlike(SHOTS) + r.unlike(PASSAGES),
)

# ---------------------------------------------------------------- the rest

README.says(
    "one that still runs {} minutes later is ended",
    lambda: [r.constants("benchmarks/workers.py", r"grace_seconds: float = (\S+)")[0] / 60],
)
README.says("ends with exit code {};", lambda: [FailedMethodsError.exit_code])
README.exempt("a version of a licence", "CC BY 4.0")
