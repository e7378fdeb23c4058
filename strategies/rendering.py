"""Turns the messages of a prompt into the text and tokens that a model reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from strategies.chat_template import TemplateError, rendered
from strategies.choices import begins_another
from strategies.control_tokens import ControlTokens
from strategies.data import Message, Prompt

# Templates that write the day into a prompt are told this one, so that prompts stay the same.
_DAY = "26 Jul 2024"
_CLOCK = f"{{%- macro strftime_now(format) -%}}{_DAY}{{%- endmacro -%}}"
_PLAIN_TITLES = {"user": "Input", "assistant": "Output"}


_MARK = "\ue000"  # a character for private use
_PROBES = ("a", "the", "0", ".")


@dataclass(frozen=True)
class _Part:
    """A piece of a rendered text; a literal one holds no control token, whatever it says."""

    text: str
    literal: bool = False


class Renderer:
    """Renders prompts with the model's chat template, or as plain text when it has none."""

    def __init__(self, tokenizer: Any) -> None:
        """A renderer for one tokenizer."""
        self.tokenizer = tokenizer
        self._chat = bool(tokenizer.chat_template)
        self._control = ControlTokens(tokenizer)

    def text(self, prompt: Prompt) -> str:
        """The whole prompt, ready for the answer to follow."""
        return "".join(part.text for part in self._parts(prompt.messages))

    def continuation(self, answer: str) -> str:
        """An answer as it follows the prompt."""
        return f"{self._around_answer[0]}{answer}"

    @property
    def ending(self) -> str:
        """What the template puts behind an answer, such as ``<|im_end|>``."""
        return self._around_answer[1]

    @cached_property
    def _around_answer(self) -> tuple[str, str]:
        """What stands between a prompt and its answer, and what follows the answer."""
        end = str(self.tokenizer.eos_token or "\n")
        if not self._chat:
            return " ", end
        asked = (Message(role="user", content="Q"),)
        before = self._render(asked, open_turn=True)
        whole = self._render((*asked, Message(role="assistant", content="A")), open_turn=False)
        gap, answered, after = whole.removeprefix(before).partition("A")
        if not whole.startswith(before) or not answered or gap.strip():
            return "", end
        return gap, after.rstrip() or end

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""
        ending = self.tokenizer.encode(self.ending, add_special_tokens=False)
        # Phi's ends in <|end|>, a line break and another token: the first of them is the end.
        special = {*self.tokenizer.get_added_vocab().values(), *self.tokenizer.all_special_ids}
        stops = set(ending[:1]) if len(ending) == 1 or special.issuperset(ending[:1]) else set()
        if self.tokenizer.eos_token_id is not None:
            stops.add(self.tokenizer.eos_token_id)
        return frozenset(stops)

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """Texts before which a generated answer ends; plain prompts have no end-of-turn token."""
        return () if self._chat else (f"\n{_PLAIN_TITLES['user']}:", "\n\n")

    def stops(self, prompt: Prompt) -> tuple[str, ...]:
        """Texts that end an answer to this prompt: none that a demonstrated answer contains."""
        shown = [message.content for message in prompt.messages if message.role == "assistant"]
        return tuple(stop for stop in self.stop_texts if not any(stop in text for text in shown))

    def encode(self, text: str) -> list[int]:
        """Tokens of a rendered text in which the names of control tokens are control tokens.

        What the tokenizer puts before a text, such as BOS, stands there once: as in lm-eval's
        ``HFLM``, a text that starts with BOS gets no second. What it puts behind a text, such as
        EOS, is left out: the answer is still to come.
        """
        return self._encode_all([[_Part(text)]])[0]

    def encode_prompt(self, prompt: Prompt) -> list[int]:
        """Tokens of a prompt, for an answer to be generated.

        Raises:
            DataError: it names a control token that the tokenizer cannot write as text.
        """
        return self._encode_all([self._parts(prompt.messages)])[0]

    def encode_answers(
        self, prompt: Prompt, answers: Sequence[str]
    ) -> tuple[list[int], list[list[int]]]:
        """Tokens of a prompt and of each answer that may follow it.

        Training, scoring and generation all take the line between prompt and answer from here.
        The prompt is what generation reads, the template's last newline included; an answer is
        what follows, without `end_ids`. lm-eval's ``TemplateLM`` counts white space at the end
        of the prompt to the answer instead: a tuned model was never trained to predict it.

        Raises:
            DataError: one of them names a control token that the tokenizer cannot write as text.
        """
        parts = self._parts(prompt.messages)
        tails = [self._tail(parts[-1], self.continuation(answer)) for answer in answers]
        first, *wholes = self._encode_all([parts, *(_followed(parts, tail) for tail in tails)])
        return first, [
            # A token that spans the line can neither be generated nor be trained.
            whole[len(first) :] if whole[: len(first)] == first else self._encode_inner(tail)
            for whole, tail in zip(wholes, tails, strict=True)
        ]

    def encode_choices(
        self, prompt: Prompt, choices: Sequence[str]
    ) -> tuple[list[int], list[list[int]]]:
        """Tokens of a prompt and of the choices among which likelihood decides.

        Where a choice begins another ("1" and "10"), every choice of the set is scored with the
        end of the answer. Without it the shorter one is always the likelier one. lm-eval does
        not score the end.
        """
        context, answers = self.encode_answers(prompt, choices)
        if begins_another(answers):
            answers = [[*answer, *self.end_ids] for answer in answers]
        return context, answers

    @cached_property
    def end_ids(self) -> tuple[int, ...]:
        """Tokens that a model is trained to write behind an answer, up to the one that stops it."""
        asked = Prompt(messages=(Message(role="user", content="Q"),))
        answered = f"{self.text(asked)}{self.continuation('A')}"
        before, whole = self.encode(answered), self.encode(f"{answered}{self.ending}")
        same = whole[: len(before)] == before
        ids = whole[len(before) :] if same else self._encode_inner(_Part(self.ending))
        stops = (place for place, token in enumerate(ids) if token in self.stop_ids)
        return tuple(ids[: next(stops, len(ids)) + 1])

    @cached_property
    def _prefix_ids(self) -> list[int]:
        """What the tokenizer puts before a text, found by encoding a word with and without."""
        for word in _PROBES:
            bare = self._bare(word)
            whole: list[int] = self.tokenizer(word).input_ids
            for start in range(len(whole) - len(bare) + 1):
                if bare and whole[start : start + len(bare)] == bare:
                    return whole[:start]
        return []

    def _bare(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def _encode_all(self, rows: Sequence[Sequence[_Part]]) -> list[list[int]]:
        encoded: list[list[int]]
        if any(len(row) > 1 or row[0].literal for row in rows):
            encoded = [self._encode_parts(row) for row in rows]
        else:
            texts = [row[0].text for row in rows]
            encoded = self.tokenizer(texts, add_special_tokens=False).input_ids
        return [
            ids if self._begun(row[0], ids) else [*self._prefix_ids, *ids]
            for row, ids in zip(rows, encoded, strict=True)
        ]

    def _begun(self, first: _Part, ids: list[int]) -> bool:
        """Whether a text brings along what the tokenizer would put before it."""
        bos, prefix = self.tokenizer.bos_token, self._prefix_ids
        if ids[: len(prefix)] == prefix:
            return True
        return bool(bos) and not first.literal and first.text.startswith(bos)

    def _encode_parts(self, parts: Sequence[_Part]) -> list[int]:
        first, *others = parts
        if first.literal:
            ids = self._control.as_text(first.text, inner=False)
        else:
            ids = self._bare(first.text)
        return [*ids, *(token for part in others for token in self._encode_inner(part))]

    def _encode_inner(self, part: _Part) -> list[int]:
        if part.literal:
            return self._control.as_text(part.text, inner=True)
        return self._control.inner(part.text)

    def _parts(self, messages: Sequence[Message]) -> list[_Part]:
        """The rendered prompt; contents that name control tokens stand apart from the rest."""
        named = {n for n, each in enumerate(messages) if self._control.are_in(each.content)}
        parts = self._marked(messages, named)
        edges = {n for n, m in enumerate(messages) if self._control.may_be_completed(m.content)}
        if edges <= named:
            return parts
        apart = self._marked(messages, named | edges)
        return parts if self._controls(parts) == self._controls(apart) else apart

    def _controls(self, parts: Sequence[_Part]) -> int:
        return sum(self._control.count(part.text) for part in parts if not part.literal)

    def _marked(self, messages: Sequence[Message], literal: Collection[int]) -> list[_Part]:
        """The rendered prompt, in which some contents are literal.

        The template sees a mark in their place, so that it finds no sign of its own in them.
        """
        mark = _MARK
        while any(mark in message.content for message in messages):
            mark += _MARK
        cores = {n: messages[n].content.strip() for n in literal}
        shown = [
            message.model_copy(
                update={"content": message.content.replace(cores[n], f"{mark}{n}{mark}", 1)}
            )
            if n in literal
            else message
            for n, message in enumerate(messages)
        ]
        text = self._render(tuple(shown), open_turn=True)
        pieces = re.split(f"{mark}([0-9]+){mark}", text)
        parts = [
            _Part(cores[int(piece)], literal=True) if place % 2 else _Part(piece)
            for place, piece in enumerate(pieces)
        ]
        return [part for part in parts if part.text] or [_Part("")]

    def _tail(self, before: _Part, text: str) -> _Part:
        """An answer behind a prompt; literal where a control token would come of its text."""
        if self._control.are_in(text):
            return _Part(text, literal=True)
        if before.literal or not self._control.may_be_completed(text):
            return _Part(text)
        seen = before.text[-self._control.longest :]
        return _Part(text, self._control.count(seen + text) != self._control.count(seen))

    def _render(self, messages: tuple[Message, ...], *, open_turn: bool) -> str:
        if not self._chat:
            return _plain(messages)
        turns = [message.model_dump() for message in messages]
        merged = _without_system(turns)
        try:
            text = self._apply(turns, open_turn)
        except TemplateError:
            if merged == turns:
                raise
            return self._apply(merged, open_turn)
        # Others drop a system role without a word.
        dropped = merged != turns and turns[0]["content"].strip() not in text
        return self._apply(merged, open_turn) if dropped else text

    def _apply(self, turns: list[dict[str, str]], open_turn: bool) -> str:
        variables = {
            **self.tokenizer.special_tokens_map,
            "messages": turns,
            "tools": None,
            "documents": None,
            "add_generation_prompt": open_turn,
            "enable_thinking": False,
            "date_string": _DAY,
        }
        template = _CLOCK + self.tokenizer.get_chat_template()
        return rendered(template, variables, self.tokenizer.name_or_path or "the tokenizer")


def _followed(parts: Sequence[_Part], tail: _Part) -> list[_Part]:
    """A prompt with an answer behind it; text that nothing sets apart is encoded together."""
    if parts[-1].literal or tail.literal:
        return [*parts, tail]
    return [*parts[:-1], _Part(parts[-1].text + tail.text)]


def _without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The same turns with the instruction at the head of the first user's turn.

    Some templates, Gemma's among them, refuse a system role.
    """
    if turns[0]["role"] != "system":
        return turns
    instruction, first, *rest = turns
    content = f"{instruction['content']}\n\n{first['content']}"
    return [{"role": "user", "content": content}, *rest]


def _plain(messages: tuple[Message, ...]) -> str:
    parts = [
        message.content
        if message.role == "system"
        else f"{_PLAIN_TITLES[message.role]}: {message.content}"
        for message in messages
    ]
    return "\n\n".join([*parts, f"{_PLAIN_TITLES['assistant']}:"])


def padded(values: Sequence[int], width: int, fill: int, *, right: bool = False) -> list[int]:
    """A row of tokens, labels or a mask, filled up on the left or on the right."""
    padding = [fill] * (width - len(values))
    return [*values, *padding] if right else [*padding, *values]
