"""A repetition is held against its report, number by number."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report.reproduction import reproduction_markdown
from benchmarks.reproduction import Reproduction, reproduction
from benchmarks.store import Run
from tests.comparison.runs import Made, make_run


def right(count: int, items: int = 60) -> list[float]:
    return [1.0] * count + [0.0] * (items - count)


BEFORE = (Made("zero-shot", right(20)), Made("lora", right(40)))


def repeated(folder: Path, *after: Made) -> Reproduction:
    return reproduction(make_run(folder / "a", BEFORE), make_run(folder / "b", after))


def verdicts(found: Reproduction) -> dict[str, str]:
    return {number.arm: number.verdict for number in found.numbers}


def test_the_same_numbers_are_exact(tmp_path: Path) -> None:
    found = repeated(tmp_path, *BEFORE)
    assert found.agrees
    assert verdicts(found) == {"zero-shot-s0": "exact", "lora-s0": "exact"}
    # Runs without a commit do not say that their code is the same.
    assert [each.of for each in found.changed] == ["code"]
    assert found.same_answers == found.answers
    text = reproduction_markdown(found)
    assert "Every number came out again" in text
    assert "of 2, exact 2." in text


def test_a_trained_method_may_move_within_noise_and_no_other_may(tmp_path: Path) -> None:
    found = repeated(tmp_path, Made("zero-shot", right(19)), Made("lora", right(41)))
    assert verdicts(found) == {"zero-shot-s0": "differs", "lora-s0": "within noise"}
    assert not found.agrees
    assert "Not every number came out again" in reproduction_markdown(found)


def test_a_trained_method_that_is_separated_from_its_first_run_differs(tmp_path: Path) -> None:
    found = repeated(tmp_path, BEFORE[0], Made("lora", right(10)))
    assert verdicts(found) == {"zero-shot-s0": "exact", "lora-s0": "differs"}


def test_a_method_that_failed_again_is_missing(tmp_path: Path) -> None:
    found = repeated(tmp_path, BEFORE[0], Made("lora", status="failed"))
    assert verdicts(found) == {"zero-shot-s0": "exact", "lora-s0": "missing"}
    assert not found.agrees


def test_a_seed_that_moved_is_not_excused_by_another_that_moved_back(tmp_path: Path) -> None:
    def run(name: str, *correct: int) -> Run:
        arms = [Made("lora", right(count), seed=seed) for seed, count in enumerate(correct)]
        return make_run(tmp_path / name, arms)

    found = reproduction(run("a", 50, 10), run("b", 10, 50))
    assert verdicts(found) == {"lora-s0": "differs", "lora-s1": "differs"}
