"""Renders chat templates in a process of its own; `strategies.chat_template` starts it.

A template is a program of whoever made the model. jinja's sandbox keeps it from files and from
Python, but not from computing for ever or from filling the memory, and neither can be stopped
from inside: ``9**(9**8)`` is one call into C. So the kernel ends this process when a rendering
takes too much processor time, and refuses it memory beyond a limit.

It is run as a script and imports jinja2 alone, which takes a tenth of a second. The environment
is the one that transformers renders in (``_cached_compile_jinja_template`` in
transformers/utils/chat_template_utils.py, 5.23); a test compares the two.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2 import ext, nodes, parser, sandbox, utils


class _Generation(ext.Extension):
    """``{% generation %}``, which marks what an assistant wrote, renders what is in it."""

    tags = {"generation"}  # noqa: RUF012 (as jinja declares it)

    def parse(self, parser: parser.Parser) -> list[nodes.Node]:
        """See `jinja2.ext.Extension.parse`."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return [nodes.CallBlock(self.call_method("_content"), [], [], body).set_lineno(line)]

    @staticmethod
    def _content(caller: Callable[[], str]) -> str:
        return caller()


class _Namespace(utils.Namespace):
    """A namespace that keeps no name which begins with an underscore."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *others = args
        for name in (values := dict(*others, **kwargs)):
            _refuse_hidden(name)
        utils.Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_hidden(name)
        super().__setitem__(name, value)


class _Dict:
    """What a template knows as ``dict``, without the attributes of the class."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        """As `dict.fromkeys`."""
        return dict.fromkeys(*args)


def _refuse_hidden(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"no namespace may keep {name!r}")


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.exceptions.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _environment() -> jinja2.Environment:
    environment = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    environment.globals["dict"] = _Dict()
    environment.globals["namespace"] = _Namespace
    return environment


class _Templates:
    """The templates that were sent so far, compiled."""

    def __init__(self, longest: int) -> None:
        self._environment = _environment()
        self._compiled: dict[int, jinja2.Template] = {}
        self._longest = longest

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The rendered text, or why there is none."""
        try:
            number = request["number"]
            if "template" in request:
                self._compiled[number] = self._environment.from_string(request["template"])
            text = self._compiled[number].render(request["variables"])
        except MemoryError:
            return {"limit": "memory"}
        except Exception as error:  # a template raises whatever its author chose
            return {"error": f"{str(error) or type(error).__name__:.2000}"}
        allowed = self._longest + 10 * len(str(request["variables"]))
        return {"text": text} if len(text) <= allowed else {"limit": "length"}


def _limit(what: int, amount: int) -> None:
    _, most = resource.getrlimit(what)
    resource.setrlimit(what, (amount if most < 0 else min(amount, most), most))


def main(cpu_seconds: float, memory_bytes: int, longest: int) -> None:
    """Answer requests, one JSON object a line, until standard input ends."""
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    # Nothing is to run when the time is over: the default action ends the process, also in C.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    # Ctrl-C is for the process that asks; this one ends when its input does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    templates = _Templates(longest)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        answer = templates.answer(request)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
