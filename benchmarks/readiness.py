"""What a bench or a probe rests on is looked at before the first method runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.tasks.task import Task
from strategies.errors import all_at_once
from strategies.home import check_home


def load_checked(load: Callable[[], Task], model: str, embedder: str) -> Task:
    """The task, when the home, the models that are here and the task itself can be used.

    Args:
        load: loads the task.
        model: as `strategies.models.resolve` takes it; nothing is fetched or converted.
        embedder: the same.

    Raises:
        StorageError: models and results cannot be kept.
        DataError: the task cannot be used; what is wrong with the models is told as well.
        ModelError: a model cannot be used.
    """
    from strategies.model_checks import look_at_embedder, look_at_model

    check_home()
    loaded: list[Task] = []
    all_at_once(
        lambda: loaded.append(load()),
        partial(look_at_model, model),
        partial(look_at_embedder, embedder),
    )
    return loaded[0]
