"""Where downloads and finished work are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """``$ADVISOR_HOME``, by default the platform's cache folder; created when missing."""
    folder = os.environ.get("ADVISOR_HOME") or platformdirs.user_cache_dir("adaptation-advisor")
    path = Path(folder).expanduser().resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path
