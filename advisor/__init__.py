"""What to do: questionnaire, flowchart, recommendation. Pure, fast, imports nothing heavy."""

from __future__ import annotations


def __getattr__(name: str) -> str:
    # Looked up when asked for, so that `import advisor` itself imports nothing.
    if name == "__version__":
        from importlib.metadata import version

        return version("adaptation-advisor")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
