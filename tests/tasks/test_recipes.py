"""Recipes: what they say when data is missing, and what they make of it when it is there.

The public files are not part of this project; the tests that read them run where
``ADVISOR_DATA_DIR`` names a folder that has them.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.tasks.catalogue import default_data_dir, load_task, recipes
from benchmarks.tasks.loading import check_splits
from benchmarks.tasks.metrics import aggregate
from benchmarks.tasks.problems import Problems
from benchmarks.tasks.recipes import squad_v2
from benchmarks.tasks.recipes.recipe import content_sha256
from benchmarks.tasks.task import SPLITS
from strategies.errors import DataError

NAMES = list(recipes())
DATA_DIR = default_data_dir()


def needs_data(name: str) -> None:
    if not recipes()[name].present(DATA_DIR):
        pytest.skip(f"ADVISOR_DATA_DIR has no data for {name}")


def test_the_seven_public_sets_have_a_recipe() -> None:
    assert sorted(NAMES) == [
        "banking77",
        "e2e-nlg",
        "financial-phrasebank",
        "geoquery-sql",
        "restaurant8k",
        "squad-v2",
        "tweeteval-emotion",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_missing_files_are_all_named_with_hash_source_and_licence(
    name: str, tmp_path: Path
) -> None:
    recipe = recipes()[name]
    with pytest.raises(DataError) as caught:
        load_task(name, tmp_path)
    for file in recipe.variants[0]:
        assert f"{file.path}: is missing" in str(caught.value)
        assert file.sha256 in str(caught.value)
        assert file.url in str(caught.value)
    assert recipe.spec.licence in str(caught.value)
    assert "--data-dir" in str(caught.value)


def test_another_file_of_the_same_name_is_refused(tmp_path: Path) -> None:
    for file in recipes()["banking77"].variants[0]:
        path = tmp_path / file.path
        path.parent.mkdir(exist_ok=True)
        path.write_text("text,category\n")
    with pytest.raises(DataError, match=r"banking77/train\.csv: has another SHA-256"):
        load_task("banking77", tmp_path)


def test_a_broken_gzip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / squad_v2.FROM_EXPLORER.path
    path.parent.mkdir()
    path.write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"jsonl\.gz: cannot be read"):
        load_task("squad-v2", tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_instructions_of_classifications_hold_every_label(name: str) -> None:
    spec = recipes()[name].spec
    assert all(label in spec.instruction for label in spec.labels)


def test_both_forms_of_squad_give_the_same_task(tmp_path: Path) -> None:
    titles = [f"Title_{number:02d}" for number in range(15)]
    rows = [
        {
            "id": f"{title}-{paragraph}",
            "title": title,
            "para": paragraph,
            "question": f"What is said in {title} {paragraph}?",
            "answers": ["this", "this", "that"] if paragraph else [],
            "is_impossible": not paragraph,
            "context": f"{title} says this {paragraph}.",
        }
        for title in titles
        for paragraph in range(2)
    ]
    official = tmp_path / squad_v2.OFFICIAL.path
    explorer = tmp_path / squad_v2.FROM_EXPLORER.path
    official.parent.mkdir()
    with gzip.open(explorer, "wt") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    official.write_text(json.dumps({"data": [_article(title, rows) for title in titles]}))
    splits = []
    for path, source in ((official, squad_v2.OFFICIAL), (explorer, squad_v2.FROM_EXPLORER)):
        pinned = replace(source, sha256=content_sha256(path))
        recipe = replace(squad_v2.RECIPE, variants=((pinned,),))
        task = recipe.load(tmp_path)
        splits.append((task.train, task.validation, task.test, set(task.corpus)))
    assert splits[0] == splits[1]
    train, validation, test, corpus = splits[0]
    assert (len(train), len(validation), len(test), len(corpus)) == (2, 3, 10, 30)
    assert test[0].outputs == ("this", "that")


def _article(title: str, rows: list[dict[str, object]]) -> dict[str, object]:
    return {
        "title": title,
        "paragraphs": [
            {
                "context": row["context"],
                "qas": [
                    {
                        "id": row["id"],
                        "question": row["question"],
                        "answers": [{"text": text} for text in row["answers"]],  # type: ignore[attr-defined]
                    }
                ],
            }
            for row in rows
            if row["title"] == title
        ],
    }


# Train, validation, test, passages. Test splits of the classifications and the passages are as
# published; the other numbers pin what is left without items that stand in another split.
SIZES = {
    "tweeteval-emotion": (3227, 374, 1421, 0),
    "banking77": (9562, 385, 3080, 0),
    "squad-v2": (3811, 452, 1659, 1204),
    "financial-phrasebank": (3477, 388, 970, 0),
    "geoquery-sql": (547, 48, 277, 0),
    "e2e-nlg": (487, 60, 200, 0),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_makes_a_task_of_the_pinned_size_without_leaks(name: str) -> None:
    needs_data(name)
    task = load_task(name, DATA_DIR)
    found = (len(task.train), len(task.validation), len(task.test), len(task.corpus))
    assert found == SIZES[name]
    problems = Problems(name, "")
    places = {
        split: [(split, line) for line, _ in enumerate(getattr(task, split))] for split in SPLITS
    }
    check_splits(recipes()[name].spec, task, places, problems)
    assert not problems, problems.text()


@pytest.mark.parametrize("name", NAMES)
def test_published_answers_score_full_marks(name: str) -> None:
    needs_data(name)
    task = load_task(name, DATA_DIR)
    sample = task.test[:50]
    assert aggregate(task, task.metric, sample, [item.output for item in sample]) == 1.0


def test_squad_articles_do_not_straddle_splits() -> None:
    needs_data("squad-v2")
    task = load_task("squad-v2", DATA_DIR)
    titles = [{item.passages[0].partition("#")[0] for item in getattr(task, s)} for s in SPLITS]
    assert [len(found) for found in titles] == [22, 3, 10]
    assert len(set.union(*titles)) == 35
