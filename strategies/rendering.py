"""Turns the messages of a prompt into the text and tokens that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from strategies.choices import begins_another
from strategies.data import Message, Prompt

# Templates that write the day into a prompt are told this one, so that prompts stay the same.
_DAY = "26 Jul 2024"
_CLOCK = f"{{%- macro strftime_now(format) -%}}{_DAY}{{%- endmacro -%}}"
_PLAIN_TITLES = {"user": "Input", "assistant": "Output"}


class Renderer:
    """Renders prompts with the model's chat template, or as plain text when it has none."""

    def __init__(self, tokenizer: Any) -> None:
        """A renderer for one tokenizer."""
        self.tokenizer = tokenizer
        self._chat = bool(tokenizer.chat_template)

    def text(self, prompt: Prompt) -> str:
        """The whole prompt, ready for the answer to follow."""
        return self._render(prompt.messages, open_turn=True)

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

    def encode(self, text: str) -> list[int]:
        """Tokens of a rendered text, with BOS where the tokenizer adds one and none is there.

        Mirrors the encoding of lm-eval's ``HFLM``: a text that starts with BOS gets no second.
        """
        return self._encode_all([text])[0]

    def encode_answers(
        self, prompt: Prompt, answers: Sequence[str]
    ) -> tuple[list[int], list[list[int]]]:
        """Tokens of a prompt and of each answer that may follow it.

        Training, scoring and generation all take the line between prompt and answer from here.
        The prompt is what generation reads, the template's last newline included; an answer is
        what follows, without `end_ids`. lm-eval's ``TemplateLM`` counts white space at the end
        of the prompt to the answer instead: a tuned model was never trained to predict it.
        """
        opened = self.text(prompt)
        behind = [self.continuation(answer) for answer in answers]
        first, *wholes = self._encode_all([opened, *(f"{opened}{text}" for text in behind)])
        return first, [
            # A token that spans the line can neither be generated nor be trained.
            whole[len(first) :] if whole[: len(first)] == first else self._encode_alone(text)
            for whole, text in zip(wholes, behind, strict=True)
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
        before, whole = self._encode_all([answered, f"{answered}{self.ending}"])
        same = whole[: len(before)] == before
        ids = whole[len(before) :] if same else self._encode_alone(self.ending)
        stops = (place for place, token in enumerate(ids) if token in self.stop_ids)
        return tuple(ids[: next(stops, len(ids)) + 1])

    def _encode_alone(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        bos = self.tokenizer.bos_token
        special = not (bos and texts[0].startswith(bos))
        tokens: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=special).input_ids
        return tokens

    def _render(self, messages: tuple[Message, ...], *, open_turn: bool) -> str:
        if not self._chat:
            return _plain(messages)
        turns = [message.model_dump() for message in messages]
        merged = _without_system(turns)
        try:
            text = self._apply(turns, open_turn)
        except Exception:  # a template raises whatever its author chose
            if merged == turns:
                raise
            return self._apply(merged, open_turn)
        # Others drop a system role without a word.
        dropped = merged != turns and turns[0]["content"].strip() not in text
        return self._apply(merged, open_turn) if dropped else text

    def _apply(self, turns: list[dict[str, str]], open_turn: bool) -> str:
        text: str = self.tokenizer.apply_chat_template(
            turns,
            chat_template=_CLOCK + self.tokenizer.get_chat_template(),
            tokenize=False,
            add_generation_prompt=open_turn,
            enable_thinking=False,
            date_string=_DAY,
        )
        return text


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
