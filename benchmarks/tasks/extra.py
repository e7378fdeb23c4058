"""Says what to install when something needs more than the base install brings."""

from __future__ import annotations

from importlib.util import find_spec

from strategies.errors import UserError


def need_the_extra(what: str, *modules: str, extra: str = "bench") -> None:
    """Check that modules are installed; none of them is imported.

    Args:
        what: the command or task that needs them.
        modules: top-level names.
        extra: of this package, that brings them.

    Raises:
        UserError: one of them is not installed.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{what} needs {', '.join(missing)}, which the base install leaves out. "
            f"Run: pip install 'adaptation-advisor[{extra}]'"
        )
