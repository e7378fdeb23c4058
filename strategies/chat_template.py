"""Chat templates, rendered where they can do no harm: with limits of time, memory and length.

A template comes with the model and may be anybody's. See `strategies.chat_template_process`
for why it does not run in this process.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from strategies.errors import ModelError

CPU_SECONDS = 5.0
"""Of one rendering; templates that people use take less than a thousandth of a second."""
MEMORY_BYTES = 512 * 2**20
LONGEST = 1_000_000
"""Characters of a rendered text, beside ten times those of the conversation."""
# The process is ended by its own use of the processor. This is for one that somebody stopped.
_STALL_SECONDS = 300.0
_SCRIPT = Path(__file__).with_name("chat_template_process.py")
_CONFIG, _FILE = "tokenizer_config.json", "chat_template.jinja"
_PROBES = (
    (("user", "Q"),),
    (("system", "S"), ("user", "Q")),
    (("user", "Q"), ("assistant", "A")),
    (("user", "Q"), ("assistant", "A"), ("user", "a longer question, with words\n\nand lines")),
)


class TemplateError(ModelError):
    """A template that raised an error, as some do for a conversation they do not know."""


class _Process:
    """The process that renders, and the templates that it was sent."""

    def __init__(self) -> None:
        limits = (str(CPU_SECONDS), str(MEMORY_BYTES), str(LONGEST))
        # -P keeps the script's folder out of the import path, where modules of ours lie.
        self._child = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT), *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._sent: dict[str, int] = {}
        assert self._child.stdout is not None
        self._poll = select.poll()
        self._poll.register(self._child.stdout, select.POLLIN)

    def ask(self, template: str, variables: Mapping[str, Any]) -> dict[str, Any] | None:
        """What the process answers; None when it has ended."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        request: dict[str, Any] = {"variables": variables}
        if template not in self._sent:
            self._sent[template] = len(self._sent)
            request["template"] = template
        request["number"] = self._sent[template]
        try:
            self._child.stdin.write(json.dumps(request).encode() + b"\n")
            self._child.stdin.flush()
            ready = self._poll.poll(_STALL_SECONDS * 1000)
            line = self._child.stdout.readline() if ready else b""
        except BrokenPipeError:
            line = b""
        answer: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
        return answer

    def end(self) -> int:
        """End the process; its exit code, negative when a signal ended it."""
        self._close()
        with suppress(subprocess.TimeoutExpired):
            return self._child.wait(1)
        self._child.kill()
        return self._child.wait()

    def forget(self) -> None:
        """Leave the process to the one that this one was forked from."""
        self._close()
        self._child.returncode = 0  # It is no child of ours that could be waited for.

    def _close(self) -> None:
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class _Here:
    """What this Python process renders with; begun when the first template is rendered."""

    def __init__(self) -> None:
        self.process: _Process | None = None
        self.lock = threading.Lock()

    def ask(self, template: str, variables: Mapping[str, Any]) -> dict[str, Any] | int:
        """What the process answers, or the exit code of the one that the template brought down."""
        while True:
            fresh = self.process is None
            self.process = self.process or _Process()
            answer = self.process.ask(template, variables)
            if answer is not None:
                return answer
            code = self.end()
            # One that waited may have been ended by somebody else: that is no template's fault.
            if fresh or code == -signal.SIGPROF:
                return code

    def end(self) -> int:
        """End the process, if there is one."""
        process, self.process = self.process, None
        return process.end() if process else 0

    def begin_anew(self) -> None:
        """In a fork: the other process's conversation is not to be disturbed."""
        self.lock = threading.Lock()
        process, self.process = self.process, None
        if process:
            process.forget()


_here = _Here()
atexit.register(_here.end)
os.register_at_fork(after_in_child=_here.begin_anew)


def rendered(template: str, variables: Mapping[str, Any], place: str) -> str:
    """A conversation as a chat template writes it.

    Args:
        template: jinja, as transformers reads it.
        variables: ``messages`` and whatever else the template is told; JSON values.
        place: the model's folder, for messages.

    Raises:
        TemplateError: the template raised an error.
        ModelError: it took more than `CPU_SECONDS` of processor time or `MEMORY_BYTES`, or wrote
            more than `LONGEST` characters.
    """
    with _here.lock:
        answer = _here.ask(template, variables)
        if isinstance(answer, int):
            raise ModelError(_of_dead(answer, place))
    if "error" in answer:
        raise TemplateError(f"The chat template of {place} fails: {answer['error']}")
    if "limit" in answer:
        raise ModelError(_of_limit(answer["limit"], place))
    return str(answer["text"])


_MEND = "Use another model, or mend the template in chat_template.jinja or tokenizer_config.json."


def _of_dead(code: int, place: str) -> str:
    if code == -signal.SIGPROF:
        return f"The chat template of {place} does not end within {CPU_SECONDS:g} seconds. {_MEND}"
    return f"The process that renders the chat template of {place} broke down ({code}). {_MEND}"


def _of_limit(limit: str, place: str) -> str:
    if limit == "memory":
        return f"The chat template of {place} needs more than {MEMORY_BYTES >> 20} MiB. {_MEND}"
    return (
        f"The chat template of {place} makes more than {LONGEST} characters of a short "
        f"conversation. {_MEND}"
    )


def refuse_endless_template(folder: Path, place: str) -> None:
    """Try the chat template of a folder on a few short conversations.

    A template may misbehave at some contents only: `rendered` keeps its limits at each.

    Args:
        folder: that holds a tokenizer, with or without a template.
        place: what the user knows it by, for messages.

    Raises:
        ModelError: as of `rendered`. A template that raises an error is not refused: some know
            no system message.
    """
    template, tokens = _template_of(folder)
    for turns in _PROBES if template else ():
        variables = {
            **tokens,
            "messages": [{"role": role, "content": content} for role, content in turns],
            "tools": None,
            "documents": None,
            "add_generation_prompt": turns[-1][0] == "user",
        }
        with suppress(TemplateError):
            rendered(template, variables, place)


def _template_of(folder: Path) -> tuple[str, dict[str, str]]:
    """A folder's template, "" without one, and its special tokens by their names."""
    config: Any = {}
    if (folder / _CONFIG).is_file():
        with suppress(ValueError):
            config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    values = config if isinstance(config, dict) else {}
    tokens = {name: _text(value) for name, value in values.items() if name.endswith("_token")}
    if (folder / _FILE).is_file():
        return (folder / _FILE).read_text(encoding="utf-8", errors="replace"), tokens
    found = values.get("chat_template")
    if isinstance(found, list):
        named = {str(each.get("name")): each.get("template") for each in found if each}
        found = named.get("default")
    return found if isinstance(found, str) else "", tokens


def _text(token: object) -> str:
    return str(token.get("content") if isinstance(token, dict) else token)
