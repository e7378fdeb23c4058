"""Reads a chat as one example: what was said before the last answer, and that answer.

Chats have ``messages`` with ``role`` and ``content``, as OpenAI and Hugging Face write them, or
``conversations`` with ``from`` and ``value``, as ShareGPT does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.tasks.problems import shown

CHAT_FIELDS = ("messages", "conversations")

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}
_TOOL_ROLES = frozenset(
    {"tool", "function", "function_call", "tool_call", "tool_response", "observation", "ipython"}
)
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
_TOOLS = (
    "the chat calls tools, and only answers in text can be compared; "
    "leave it out, or write it without the calls"
)
WEIGHT_ZERO = "the answer has weight 0 and does not count, so the chat was left out"
EARLIER_ANSWER = (
    "the last answer has weight 0 and does not count, so the chat ends with an earlier answer"
)
OTHER_WEIGHT = "weights other than 0 count as 1"


@dataclass(frozen=True)
class Chat:
    """A chat as an example.

    Attributes:
        system: its system or developer messages, "" when there are none.
        fields: ``input`` and ``output``; None when no answer of it counts.
        notes: what a user should know of how it was read.
    """

    system: str
    fields: dict[str, str] | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Turn:
    role: str
    text: str
    weight: int | float = 1


def chat_field(value: Mapping[str, Any]) -> str | None:
    """The field of a JSON object that holds a chat, or None."""
    if "messages" in value:
        return "messages"
    found = value.get("conversations")
    is_chat = isinstance(found, list) and all(isinstance(turn, dict) for turn in found)
    return "conversations" if is_chat else None


def read_chat(value: Mapping[str, Any], field: str) -> Chat:
    """The chat in a field of a JSON object.

    Raises:
        ValueError: it cannot be used; the message says why and what to do.
    """
    raw = value[field]
    if not isinstance(raw, list) or not raw:
        raise ValueError(f'"{field}" is not a list of messages')
    turns = [_turn(message) for message in raw]
    if turns[-1].role != "assistant" or not any(turn.role == "user" for turn in turns):
        raise ValueError(f'"{field}" needs a user message and ends with the assistant\'s answer')
    systems = [turn.text for turn in turns if turn.role == "system"]
    # ShareGPT keeps its system message beside the chat.
    if field == "conversations" and isinstance(value.get("system"), str):
        systems.insert(0, value["system"])
    asked = [turn for turn in turns if turn.role != "system"]
    last = _last_that_counts(asked)
    system = "\n".join(text for text in systems if text)
    if last is None:
        return Chat(system, None, (WEIGHT_ZERO,))
    notes = [EARLIER_ANSWER] if last < len(asked) - 1 else []
    if asked[last].weight != 1:
        notes.append(OTHER_WEIGHT)
    fields = {"input": _transcript(asked[:last]), "output": asked[last].text}
    return Chat(system, fields, tuple(notes))


def _turn(message: Any) -> _Turn:
    if not isinstance(message, dict):
        raise ValueError("a message is not a JSON object")
    role = message.get("role", message.get("from"))
    if role in _TOOL_ROLES or message.get("tool_calls") or message.get("function_call"):
        raise ValueError(_TOOLS)
    if not isinstance(role, str) or role not in _ROLES:
        raise ValueError(f"role {shown(role)} is unknown; allowed: {', '.join(_ROLES)}")
    known = _ROLES[role]
    weight = _weight(message.get("weight")) if known == "assistant" else 1
    return _Turn(known, _text(message.get("content", message.get("value"))), weight)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise ValueError('a message has no text "content"')
    parts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else "text"
        text = part.get("text") if isinstance(part, dict) else part
        if kind not in _TEXT_PARTS or not isinstance(text, str):
            raise ValueError(
                f"a message has a part of type {shown(kind)}, and only text can be read; "
                "leave the chat out, or write it without that part"
            )
        parts.append(text)
    return "\n".join(parts)


def _weight(value: Any) -> int | float:
    if value is None:
        return 1
    # This is false for NaN too.
    if isinstance(value, int | float) and 0 <= value < math.inf:
        return value
    raise ValueError(f"weight {shown(value)} is no weight; allowed: 0 and 1")


def _last_that_counts(turns: list[_Turn]) -> int | None:
    """Place of the last answer with a weight that comes after a user's message."""
    first_user = next(place for place, turn in enumerate(turns) if turn.role == "user")
    for place in range(len(turns) - 1, first_user, -1):
        if turns[place].role == "assistant" and turns[place].weight:
            return place
    return None


def _transcript(turns: list[_Turn]) -> str:
    if len(turns) == 1:
        return turns[0].text
    return "\n\n".join(f"{turn.role.capitalize()}: {turn.text}" for turn in turns)
