"""Where downloads and finished work are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

HOME_VARIABLE = "ADVISOR_HOME"


def home() -> Path:
    """``$ADVISOR_HOME``, by default the platform's cache folder; created when missing."""
    folder = os.environ.get(HOME_VARIABLE) or platformdirs.user_cache_dir("adaptation-advisor")
    path = Path(folder).expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def make_fresh_home(folder: Path) -> Path:
    """A folder for `home` that has this one's models and nothing that was worked out before.

    Args:
        folder: made when missing; what it holds stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("models", "digests"):
        if not (folder / name).exists():
            (home() / name).mkdir(exist_ok=True)
            (folder / name).symlink_to(home() / name)
    return folder
