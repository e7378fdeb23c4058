"""Keeps text that looks like a control token text: ``<|im_end|>`` in a user's data ends no turn.

A tokenizer turns the text of an added token into that one token, wherever it stands. So the parts
of a prompt that hold such text are read by a copy of the tokenizer whose control tokens have
names that no text contains. All other text goes through the tokenizer as it is.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any

from strategies.errors import DataError

# A noncharacter of Unicode: no text holds it.
_NO_TEXT = "\U0010fffe"
_BARS = re.compile(r"<[|｜].*[|｜]>", re.DOTALL)
_Spec = dict[str, Any]


class ControlTokens:
    """The control tokens of a tokenizer, and how to write their names as text.

    An added token controls when the tokenizer calls it special. Of the others, those count that
    have bars, such as DeepSeek's ``<｜User｜>``, and those that the chat template mentions, alone
    or as the other end of a pair, such as Qwen's ``<tool_call>``. The rest, such as runs of
    spaces and ``<b>``, are text with a token of their own and stay so.

    Attributes:
        names: text of every control token.
    """

    def __init__(self, tokenizer: Any) -> None:
        """Those of one tokenizer."""
        self._tokenizer = tokenizer
        template = str(tokenizer.chat_template or "")
        added = {
            str(token)
            for token in tokenizer.added_tokens_decoder.values()
            if token.special or _is_mark(str(token), template)
        }
        self.names = frozenset(name for name in {*added, *tokenizer.all_special_tokens} if name)
        longest_first = sorted(self.names, key=lambda name: (-len(name), name))
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self.longest = max(map(len, self.names), default=0)
        self._backend = getattr(tokenizer, "backend_tokenizer", None)

    def count(self, text: str) -> int:
        """Names of control tokens that a text holds."""
        return sum(1 for _ in self._pattern.finditer(text))

    def are_in(self, text: str) -> bool:
        """Whether the tokenizer makes a control token of something in a text."""
        if self._pattern.search(text):
            return True
        # A tokenizer that normalises first may make a name of other characters.
        return self._after_normalising and not self._ids.isdisjoint(self._plainly(text))

    def may_be_completed(self, text: str) -> bool:
        """Whether a text begins or ends with a part of a name, so that its surroundings matter."""
        heads, tails = self._cut_names
        lengths = range(1, min(self.longest, len(text) + 1))
        return any(text[:n] in tails or text[-n:] in heads for n in lengths)

    def as_text(self, text: str, *, inner: bool) -> list[int]:
        """Tokens of a text in which nothing controls.

        Args:
            text: to be encoded.
            inner: whether other text stands before it, so that no space is put there.

        Raises:
            DataError: the tokenizer cannot write it without a control token.
        """
        copy = self._inner if inner else self._first
        found: list[int] = copy.encode(text, add_special_tokens=False).ids
        controlling = sorted(self._ids.intersection(found))
        if controlling:
            names = ", ".join(self._tokenizer.convert_ids_to_tokens(controlling))
            raise DataError(
                f"the tokenizer can write {names} as a control token alone, not as text. "
                "Take it out of the text, or take another model"
            )
        return found

    def inner(self, text: str) -> list[int]:
        """Tokens of a template's text behind other text, control tokens among them."""
        if self._backend is None:
            return self._plainly(text)
        first = self._pattern.search(text)
        end = first.start() if first else len(text)
        return [*self.as_text(text[:end], inner=True), *self._plainly(text[end:])]

    def _plainly(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False).input_ids
        return ids

    @cached_property
    def _ids(self) -> frozenset[int]:
        """Control tokens that no text may become; the unknown token stands for text."""
        ends = {self._tokenizer.bos_token, self._tokenizer.eos_token}
        unknown = {self._tokenizer.unk_token} - ends
        return frozenset(self._tokenizer.convert_tokens_to_ids(sorted(self.names - unknown)))

    @cached_property
    def _after_normalising(self) -> bool:
        tokens = self._tokenizer.added_tokens_decoder.values()
        return any(token.normalized and str(token) in self.names for token in tokens)

    @cached_property
    def _cut_names(self) -> tuple[frozenset[str], frozenset[str]]:
        """Beginnings and ends of names, shorter than the whole."""
        cuts = [(name, n) for name in self.names for n in range(1, len(name))]
        return frozenset(name[:n] for name, n in cuts), frozenset(name[n:] for name, n in cuts)

    @cached_property
    def _first(self) -> Any:
        return self._copy(inner=False)

    @cached_property
    def _inner(self) -> Any:
        return self._copy(inner=True)

    def _copy(self, *, inner: bool) -> Any:
        """The tokenizer with control tokens that no text can name."""
        from tokenizers import Tokenizer

        if self._backend is None:
            raise DataError(
                f"{type(self._tokenizer).__name__} cannot write the name of a control token as "
                "text. Take a model with a tokenizer.json, or take the name out of the text"
            )
        spec: _Spec = json.loads(self._backend.to_str())
        spec |= {"post_processor": None, "truncation": None, "padding": None}
        _rename(spec, {name: f"{_NO_TEXT}{n}" for n, name in enumerate(sorted(self.names))})
        if inner:
            spec["normalizer"] = _without_space(spec["normalizer"], "normalizers")
            spec["pre_tokenizer"] = _without_space(spec["pre_tokenizer"], "pretokenizers")
        return Tokenizer.from_str(json.dumps(spec))


def _is_mark(name: str, template: str) -> bool:
    """Whether an added token that is not special controls."""
    if not name.startswith(("<", "[")):
        return False
    other_end = name[0] + (name[2:] if name[1:2] == "/" else f"/{name[1:]}")
    return bool(_BARS.fullmatch(name)) or name in template or other_end in template


def _rename(spec: _Spec, names: dict[str, str]) -> None:
    """Give tokens other names everywhere; their ids stay."""
    for token in spec["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    model = spec["model"]
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {names.get(token, token): place for token, place in vocab.items()}
    else:
        model["vocab"] = [[names.get(token, token), score] for token, score in vocab]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    if "merges" in model:
        # "<s>" may also be what "<" and "s>" merge into.
        merges = (m.split(" ", 1) if isinstance(m, str) else m for m in model["merges"])
        model["merges"] = [m for m in merges if names.keys().isdisjoint({*m, "".join(m)})]


def _without_space(step: _Spec | None, steps: str) -> _Spec | None:
    """A normalizer or a pre-tokenizer that puts no space before the text."""
    if step is None or step["type"] == "Prepend":
        return None
    if step["type"] == "Sequence":
        kept = [_without_space(each, steps) for each in step[steps]]
        return step | {steps: [each for each in kept if each is not None]}
    if step["type"] == "Metaspace":
        return step | {"prepend_scheme": "never"}
    return step | {"add_prefix_space": False} if "add_prefix_space" in step else step
