"""GeoQuery: questions on the geography of the USA into SQL, judged by running it.

Source: Zelle and Mooney 1996; SQL of Finegan-Dollak et al. 2018, arXiv:1806.09029.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.tasks import sql
from benchmarks.tasks.recipes.recipe import Files, Recipe, SourceFile, github, without_leaks
from benchmarks.tasks.task import Item, Splits, TaskSpec

FOLDER = "text2sql"
REPOSITORY = "jkkummerfeld/text2sql-data"
COMMIT = "5050bad2309a93636ea4788d3660c9202bf11e0e"
QUESTIONS = f"{FOLDER}/geography.json"
DATABASE = f"{FOLDER}/geography.sqlite"

SCHEMA = """\
state(state_name, population, area, country_name, capital, density)
city(city_name, population, country_name, state_name)
border_info(state_name, border)
highlow(state_name, highest_elevation, lowest_point, highest_point, lowest_elevation)
river(river_name, length, country_name, traverse)
mountain(mountain_name, mountain_altitude, country_name, state_name)
lake(lake_name, area, country_name, state_name)"""


def convert(files: Files) -> Splits:
    """The question split with the variables filled in; items whose SQL fails are left out."""
    entries = json.loads(files[QUESTIONS].read_text(encoding="utf-8"))
    items: dict[str, list[Item]] = {"train": [], "dev": [], "test": []}
    for split, item in _items(entries):
        if sql.rows(files[DATABASE], item.output) is not None:
            items[split].append(item)
    test = without_leaks(items["test"])
    validation = without_leaks(items["dev"], test)
    return Splits(
        train=without_leaks(items["train"], validation, test), validation=validation, test=test
    )


def _items(entries: list[dict[str, Any]]) -> Iterator[tuple[str, Item]]:
    for number, entry in enumerate(entries):
        query = entry["sql"][0].rstrip().rstrip(";").rstrip()
        for place, sentence in enumerate(entry["sentences"]):
            variables = sentence["variables"]
            item = Item(
                id=f"geo-{number}-{place}",
                input=_filled(sentence["text"], variables),
                outputs=(_filled(query, variables),),
                group=f"geo-{number}",
            )
            yield sentence["question-split"], item


def _filled(text: str, variables: dict[str, str]) -> str:
    # Longer names first: "state_name1" is the beginning of "state_name10".
    for name in sorted(variables, key=len, reverse=True):
        text = text.replace(name, variables[name])
    return text


RECIPE = Recipe(
    spec=TaskSpec(
        id="geoquery-sql",
        title="Questions on US geography into SQL (GeoQuery, question split)",
        kind="sql",
        instruction="Write one SQLite query that answers the question. Answer with SQL only. "
        f"Names are in lower case. Tables:\n{SCHEMA}",
        metric="execution_match",
        max_new_tokens=128,
        language="en",
        licence="shared with permission of its authors, see LICENSE.md of the source",
        source=f"https://github.com/{REPOSITORY}/tree/{COMMIT}",
        answers={
            "task_kind": "code",
            "knowledge": "none",
            "behaviour": ["format", "skill"],
            "labelled_examples": 549,
            "eval_items": 277,
        },
    ),
    variants=(
        (
            SourceFile(
                QUESTIONS,
                "b20ad8ed357029c9efa49aa64434729f624591850f66b1137cabcc0e45273c1b",
                github(REPOSITORY, COMMIT, "data/geography.json"),
            ),
            SourceFile(
                DATABASE,
                "98955372123cd9a8e761b00c2c67fbf221f1b8699927add538b53154c702dd3c",
                github(REPOSITORY, COMMIT, "data/geography-db.added-in-2020.sqlite"),
            ),
        ),
    ),
    convert=convert,
    database=DATABASE,
)
