"""Recipes for public data sets; each file describes one, and `RECIPES` lists them."""

from __future__ import annotations

from benchmarks.tasks.recipes import (
    banking77,
    e2e_nlg,
    financial_phrasebank,
    geoquery_sql,
    restaurant8k,
    squad_v2,
    tweeteval_emotion,
)
from benchmarks.tasks.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    module.RECIPE.spec.id: module.RECIPE
    for module in (
        tweeteval_emotion,
        banking77,
        squad_v2,
        financial_phrasebank,
        geoquery_sql,
        e2e_nlg,
        restaurant8k,
    )
}
