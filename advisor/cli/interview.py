"""The interview of ``advisor ask``: only what can still change the advice, and one may go back."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from advisor.cli.output import prompt
from advisor.cli.screen import screen
from advisor.errors import AdvisorError, AnswersError, InterruptionError
from advisor.questionnaire import (
    Answers,
    allowed,
    as_text,
    detail,
    parse_answers,
    questions,
    takes_many,
    typical,
)
from strategies.visible import shell_path, shown

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from advisor.flowchart import Flowchart
    from advisor.language import Language

_BACK, _UNKNOWN = "<", "?"
_YES_NO: dict[str, bool] = {
    "yes": True, "y": True, "はい": True, "no": False, "n": False, "いいえ": False,
}  # fmt: skip
# Where an interrupted interview is kept that had no file to save to.
KEPT = Path("advisor-answers.yaml")


class Interview:
    """Asks what is open, question by question.

    Args:
        chart: tells which questions can still change the advice.
        say: the language of the interview.
        save: told of the answers after each question; None keeps nothing.
    """

    def __init__(
        self, chart: Flowchart, say: Language, save: Callable[[Answers], None] | None
    ) -> None:
        self._chart, self._say, self._save = chart, say, save
        self._console = screen()
        self._before: list[tuple[str, Answers]] = []

    @property
    def begun(self) -> bool:
        """Whether anything has been answered."""
        return bool(self._before)

    def run(self, known: Answers) -> Answers:
        """The known answers and those to the open questions.

        Raises:
            AdvisorError: there is no terminal to ask on.
            KeyboardInterrupt: Ctrl-C; ``answers`` holds what was answered.
        """
        self.answers = known
        remaining = self._open()
        if not remaining:
            return self.answers
        if not sys.stdin.isatty():
            raise AdvisorError("There is no terminal to ask on. Add --no-input, or --answers FILE.")
        self._console.print(
            self._say("Enter takes the answer in brackets, ? is 'not known', < goes back.")
        )
        while remaining:
            self._ask(remaining)
            remaining = self._open()
        return self.answers

    def _open(self) -> list[str]:
        asked = {name for name, _ in self._before}
        unasked = {name for name in questions() if getattr(self.answers, name) is None} - asked
        matter = self._chart.open_questions(self.answers, unasked)
        return [name for name in questions() if name in matter]

    def _ask(self, remaining: list[str]) -> None:
        name = remaining[0]
        number = len(self._before) + 1
        self._console.print(
            "\n"
            + self._say("[{number}, {more} more at most]", number=number, more=len(remaining) - 1)
            + f" {self._say(questions()[name].description or name)}"
        )
        answer = self._one(name)
        if answer is _GO_BACK:
            if self._before:
                _, self.answers = self._before.pop()
                self._keep()
            else:
                self._console.print(self._say("  This is the first question."), style="red")
            return
        self._before.append((name, self.answers))
        self.answers = self.answers.model_copy(update={name: answer})
        self._keep()

    def _keep(self) -> None:
        if self._save is not None:
            self._save(self.answers)

    def _one(self, name: str) -> Any:
        """One answer, asked for until it is usable; None is 'not known'."""
        field = questions()[name]
        self._console.print(f"  {self._say(detail(field, 'why'))}", style="dim")
        for line in _choices(field, self._say):
            self._console.print(f"  {line}")
        usual = detail(field, "suggested") or _UNKNOWN
        while True:
            text = prompt(f"  {self._hint(field)}", usual).strip()
            if text in (_BACK, _UNKNOWN):
                return _GO_BACK if text == _BACK else None
            try:
                return getattr(parse_answers({name: parsed(text, field)}, "answer"), name)
            except AnswersError as error:
                self._console.print(str(error).splitlines()[-1], style="red")

    def _hint(self, field: FieldInfo) -> str:
        if allowed(field) == (True, False):
            return self._say("yes / no")
        unit = self._say(detail(field, "unit"))
        such_as = ", ".join(as_text(number) for number in typical(field))
        if not such_as:
            return unit or self._say("number or name")
        return self._say("{unit}, such as {numbers}", unit=unit, numbers=such_as)


_GO_BACK = object()


def _choices(field: FieldInfo, say: Language) -> list[str]:
    """The allowed values, numbered, with what they are called in the language."""
    values = [value for value in allowed(field) if isinstance(value, str)]
    return [f"{place} {say.glossed(value)}" for place, value in enumerate(values, start=1)]


def parsed(text: str, field: FieldInfo) -> Any:
    """What a person typed, as an answers file would have it.

    Raises:
        AnswersError: a number with commas that do not set thousands apart.
    """
    if allowed(field) == (True, False):
        return _YES_NO.get(text.lower(), text)
    if takes_many(field):
        return [_named(one.strip(), field) for one in text.split(",")] if text != "none" else []
    if allowed(field):
        return _named(text, field)
    if "," not in text or not typical(field):
        return text
    if not re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text):
        raise AnswersError(
            f"  {text!r} is no number here: commas only set thousands apart, as in 1,500; "
            "write a fraction with a point, as in 1.5"
        )
    return text.replace(",", "")


def _named(text: str, field: FieldInfo) -> str:
    """A choice by its number or by its name."""
    values = allowed(field)
    return values[int(text) - 1] if text.isdecimal() and 1 <= int(text) <= len(values) else text


def interviewed(
    known: Answers, interview: Interview, kept: Path | None, keep: Callable[[Answers, Path], None]
) -> Answers:
    """The answers of an interview; what was answered before Ctrl-C is kept.

    Args:
        known: answers that are given.
        interview: asks for the others.
        kept: file that holds every answer so far; None if there is none.
        keep: writes answers to a file.

    Raises:
        InterruptionError: says where the answers are.
    """
    try:
        return interview.run(known)
    except (KeyboardInterrupt, typer.Abort):
        if not interview.begun:
            raise
        if kept is None:
            kept = _free(KEPT)
            keep(interview.answers, kept)
        raise InterruptionError(
            f"\nInterrupted. The answers so far are in {shown(kept)}: go on with "
            f"--answers {shell_path(kept)}"
        ) from None


def _free(path: Path) -> Path:
    """The path, with a number where others have been kept before."""
    number, free = 2, path
    while free.exists():
        free = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return free
