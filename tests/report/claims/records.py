"""What the claims are compared with: committed records, plans, catalogues and constants."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import yaml

from advisor.estimates.shapes import ModelShape, catalogue
from advisor.flowchart import load_flowchart
from advisor.published import PublishedCheck, check_published
from benchmarks.results import ALPHA

ROOT = Path(__file__).parents[3]
REPORTS = ROOT / "reports"
CONFIDENCE_PERCENT = 100 * (1 - ALPHA)

# Committed before the flowchart's strengths were last changed, see design/0011: all of them.
IN_SAMPLE = tuple(sorted(path.name for path in (REPORTS / "runs").iterdir()))


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def _json(path: str) -> Any:
    return json.loads(text_of(path))


@cache
def _yaml(path: str) -> Any:
    return yaml.safe_load(text_of(path))


def constants(path: str, pattern: str) -> list[float]:
    """Numbers that a source file holds, by the groups of a pattern; it has to match once."""
    found = list(re.finditer(pattern, text_of(path)))
    assert len(found) == 1, f"{path}: {pattern!r} matches {len(found)} times"
    return [float(group) for group in found[0].groups()]


def numbers(path: str, pattern: str) -> list[float]:
    """The same number at every place of a source file that the pattern finds."""
    return [float(found) for found in re.findall(pattern, text_of(path))]


def same(values: Iterable[float]) -> list[float]:
    """The one value that all of them are."""
    found = set(values)
    assert len(found) == 1, f"not all the same: {sorted(found)}"
    return list(found)


def spread(values: Iterable[float]) -> list[float]:
    """The least and the most."""
    found = list(values)
    return [min(found), max(found)]


def at_most(limit: float, value: float) -> float:
    """The limit where the value keeps to it, for text that says "within"; else the value."""
    return limit if value <= limit else value


def rounded(value: float, digits: int) -> float:
    """A value to so many significant digits, for text that rounds: 17,960 is some 18,000."""
    return float(f"{value:.{digits}g}")


# ---------------------------------------------------------------- the committed runs


def runs() -> dict[str, Any]:
    """The comparison of every committed run, by its folder's name."""
    folders = sorted(REPORTS.glob("runs/*/comparison.json"))
    return {file.parent.name: _json(str(file.relative_to(ROOT))) for file in folders}


def plan(name: str) -> Any:
    return _yaml(f"reports/plans/{name}.yaml")


def planned(name: str, method: str) -> Any:
    return next(m for m in plan(name)["methods"] if m["name"] == method)


def trained(name: str, method: str) -> Any:
    """How a plan trains a method."""
    return planned(name, method)["weights"]["training"]


def method(run: str, name: str) -> Any:
    return next(m for m in runs()[run]["methods"] if m["name"] == name)


def standing(run: str, name: str) -> str:
    """As README words it."""
    words = {"leader": "leader", "behind": "behind", "ahead": "ahead"}
    return words.get(method(run, name)["standing"], "not separated")


def scored(run: str, name: str) -> list[float]:
    """A method's score and the ends of its interval."""
    found = method(run, name)
    return [found["score"], found["interval"]["low"], found["interval"]["high"]]


def leads_alone() -> int:
    """Runs whose leader is separated from every other method."""
    return sum(run["tied"] == [run["leader"]] for run in runs().values())


def targets() -> dict[str, float]:
    answers = {name: run["recommendation"]["answers"] for name, run in runs().items()}
    return {n: a["target_score"] for n, a in answers.items() if a.get("target_score") is not None}


def targets_reached() -> int:
    """Targets that the best score of a run reaches."""
    found = targets().items()
    return sum(method(n, runs()[n]["leader"])["score"] >= target for n, target in found)


def not_above_the_floor() -> int:
    """Runs in which no method is separated above the best floor."""
    return sum(not run["above_floor"] for run in runs().values())


# ---------------------------------------------------------------- the advice, tested


def tables(page: str) -> list[list[dict[str, str]]]:
    """The tables of a Markdown page, a dictionary a row, without its markup."""
    found: list[list[dict[str, str]]] = []
    heads: list[str] = []
    for line in text_of(page).splitlines():
        cells = [re.sub(r"</?code>|[*`]", "", c).strip() for c in line.strip("| ").split(" | ")]
        if not line.startswith("|"):
            heads = []
        elif not heads:
            heads = cells
            found.append([])
        elif not set(line) <= set("|-: "):
            found[-1].append(dict(zip(heads, cells, strict=True)))
    return found


def _table(page: str, *heads: str) -> list[dict[str, str]]:
    return next(t for t in tables(page) if t and set(heads) <= t[0].keys())


def hits() -> int:
    """Runs in which what is advised today has the highest score of all methods."""
    rows = _table("reports/advice.md", "advised", "best measured")
    return sum(row["advised"] == runs()[row["run"]]["leader"] for row in rows)


@cache
def published() -> PublishedCheck:
    return check_published(load_flowchart(), "the built-in one")


def policy(name: str, column: str) -> float:
    """A figure of a policy, in reports/advice.md."""
    rows = _table("reports/advice.md", "policy", column)
    said = next(row[column] for row in rows if row["policy"] == name)
    return float(said.split()[0].replace(",", ""))


# ---------------------------------------------------------------- speed, simulation and the rest


def speed(case: str, precision: str = "bf16") -> Any:
    return _json(f"reports/speed/{case}-{precision}.json")


def items(case: str) -> float:
    return float(speed(case)["setting"]["items"])


def ratios(case: str, precision: str = "bf16") -> list[float]:
    """How many times longer the peer took, pair by pair."""
    pairs = speed(case, precision)["pairs"]
    return [p["peer"]["seconds"] / p["ours"]["seconds"] for p in pairs]


def times_faster(case: str, precision: str = "bf16") -> float:
    return median(ratios(case, precision))


def memory_share(case: str, precision: str = "bf16") -> float:
    pairs = speed(case, precision)["pairs"]
    shares = [p["ours"]["peak_memory_bytes"] / p["peer"]["peak_memory_bytes"] for p in pairs]
    return float(median(shares))


def seconds(case: str, side: str) -> float:
    return float(median(p[side]["seconds"] for p in speed(case)["pairs"]))


def peak_gib(case: str, side: str) -> float:
    return float(median(p[side]["peak_memory_bytes"] for p in speed(case)["pairs"])) / 2**30


def unlike(case: str, precision: str = "bf16") -> list[float]:
    """Answers of the first pair that are unlike, and how many were compared."""
    found = speed(case, precision)["pairs"][0]["agreement"]
    return [len(found["unlike"]), found["items"]]


def goal(case: str) -> float:
    from benchmarks.speed.cases import CASES

    found = CASES[case].goal
    assert found is not None
    return found


def memory_goal(case: str) -> float:
    from benchmarks.speed.cases import CASES

    found = CASES[case].memory_goal
    assert found is not None
    return found


def missed(case: str) -> str:
    """What follows a goal in a table where it was missed."""
    return ", missed" if times_faster(case) < goal(case) else ""


def growth(axis: str) -> tuple[float, float, float]:
    """Seconds and bytes of one more, and R² of the seconds."""
    sizes = _json(f"reports/speed/growth-{axis}.json")["sizes"]
    xs = [size["size"] for size in sizes]
    ys = [size["seconds"] for size in sizes]
    memory = np.polyfit(xs, [size["peak_memory_bytes"] for size in sizes], 1)[0]
    return float(np.polyfit(xs, ys, 1)[0]), float(memory), float(np.corrcoef(xs, ys)[0, 1] ** 2)


def start_up(command: str) -> list[float]:
    """Processor seconds of every call of a command, in order."""
    commands = _json("reports/speed/startup.json")["commands"]
    return sorted(next(c for c in commands if command in c["command"])["cpu_seconds"])


def simulation() -> Any:
    return _json("reports/simulation/findings.json")


def promises() -> list[float]:
    """Simulated promises that hold, and all."""
    text = text_of("reports/simulation/report.md")
    said = re.search(
        r"\*\*(?:All (?P<all>\d+) promises hold"
        r"|(?P<broken>\d+) of (?P<tested>\d+) promises do not hold"
        r"|(?P<held>\d+) of (?P<asked>\d+) promises hold, and \d+ are not settled)\.\*\*",
        text,
    )
    assert said is not None
    count = int(said["all"] or said["tested"] or said["asked"])
    silent = re.search(r"In (\d+) more cases no chance is stated", text)
    drawn = len(simulation()["findings"])
    assert count + int(silent[1] if silent else 0) == drawn, "not written from these findings"
    held = count - int(said["broken"]) if said["broken"] else int(said["held"] or count)
    return [held, count]


def reproduced(task: str) -> list[float]:
    """Numbers that came out exactly, and all that were compared."""
    text = text_of(f"reports/reproductions/{task}.md")
    count = re.search(r"of (\d+), exact (\d+)", text)
    assert count is not None
    return [float(count[2]), float(count[1])]


def rates(model: str) -> Any:
    """The cell of a model in the study of learning rates: LoRA on tweeteval-emotion."""
    return _json(f"reports/learning-rates/{model}-tweeteval-emotion-lora.json")


def shape(model: str) -> ModelShape:
    """Of a model of the catalogue, by its name or that of its tuned sibling."""
    return catalogue()[model.removesuffix("-instruct")]


def millions(model: str) -> float:
    """Parameters of a model."""
    return shape(model).parameters / 1e6


def evidence() -> Any:
    return _yaml("advisor/evidence.yaml")
