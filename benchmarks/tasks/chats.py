"""Reads a chat as one example: what was said before the last answer, and that answer.

Chats have ``messages`` with ``role`` and ``content``, as OpenAI, Anthropic and Hugging Face write
them, ``conversations`` with ``from`` and ``value``, as ShareGPT does, ``contents`` with ``parts``,
as Gemini does, or a ``prompt`` and a ``completion`` of messages, as TRL does; in TRL's preferences
the ``chosen`` answer counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.tasks.problems import shown

# Fields that hold a whole chat; the answer alone; and the system message beside a chat.
_WHOLE = ("messages", "conversations", "contents", "chosen")
_ANSWERS = ("completion", "chosen")
_SYSTEMS = ("system", "systemInstruction", "system_instruction")

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
# No sets: what stands in a file in place of a role may be a list, which has no hash.
_TOOL_ROLES = (
    "tool", "function", "function_call", "tool_call", "tool_response", "observation", "ipython",
)  # fmt: skip
_TEXT_PARTS = ("text", "input_text", "output_text")
_CONTENTS = ("content", "value", "parts")
_TOOL_PARTS = ("tool_use", "tool_result", "tool_call", "server_tool_use")
_TOOL_FIELDS = ("tool_calls", "function_call", "functionCall", "functionResponse")
_TOOLS = (
    "the chat calls tools, and only answers in text can be compared; "
    "leave it out, or write it without the calls"
)
WEIGHT_ZERO = "the answer has weight 0 and does not count, so the chat was left out"
EARLIER_ANSWER = (
    "the last answer has weight 0 and does not count, so the chat ends with an earlier answer"
)
UNANSWERED = "what was said after the last answer was left out"
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


@dataclass(frozen=True)
class RawChat:
    """The fields of a JSON object that make up a chat.

    Attributes:
        name: the field that messages are in.
        messages: as they stand in the file; anything, for they are not checked yet.
        system: the system message beside them, None when there is none.
        fields: the names of all fields that belong to the chat.
    """

    name: str
    messages: Any
    system: Any
    fields: frozenset[str]


def find_chat(value: Mapping[str, Any]) -> RawChat | None:
    """The chat in a JSON object, or None when the object is none."""
    found = _messages(value)
    if found is None:
        return None
    name, messages, fields = found
    systems = [field for field in _SYSTEMS if isinstance(value.get(field), str | list | dict)]
    system = value[systems[0]] if systems else None
    return RawChat(name, messages, system, frozenset({*fields, *systems[:1]}))


def _messages(value: Mapping[str, Any]) -> tuple[str, Any, tuple[str, ...]] | None:
    prompt = value.get("prompt")
    answer = next((field for field in _ANSWERS if field in value), None)
    if _are_messages(prompt) and answer is not None:
        said = value[answer]
        last = [{"role": "assistant", "content": said}] if isinstance(said, str) else said
        # What is no list is refused by read_chat.
        whole = [*list(prompt or []), *last] if isinstance(last, list) else last
        return "prompt", whole, ("prompt", answer)
    if "messages" in value:
        return "messages", value["messages"], ("messages",)
    name = next((field for field in _WHOLE if _are_messages(value.get(field))), None)
    return None if name is None else (name, value[name], (name,))


def _are_messages(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(turn, dict) for turn in value)


def read_chat(raw: RawChat) -> Chat:
    """The example that a chat makes.

    Raises:
        ValueError: it cannot be used; the message says why and what to do.
    """
    if not isinstance(raw.messages, list) or not raw.messages:
        raise ValueError(f'"{raw.name}" is not a list of messages')
    turns = [_turn(message) for message in raw.messages]
    systems = [turn.text for turn in turns if turn.role == "system"]
    if raw.system is not None:
        systems.insert(0, _text(raw.system))
    system = "\n".join(text for text in systems if text)
    asked = [turn for turn in turns if turn.role != "system"]
    answers = [place for place, turn in enumerate(asked) if turn.role == "assistant"]
    end = answers[-1] + 1 if answers else 0
    if not any(turn.role == "user" for turn in asked[:end]):
        raise ValueError(
            f'"{raw.name}" has no answer of the assistant to a message of the user; '
            "write one, or leave the chat out"
        )
    notes = [UNANSWERED] if end < len(asked) else []
    last = _last_that_counts(asked[:end])
    if last is None:
        return Chat(system, None, (WEIGHT_ZERO,))
    notes += [EARLIER_ANSWER] if last < end - 1 else []
    notes += [OTHER_WEIGHT] if asked[last].weight != 1 else []
    fields = {"input": _transcript(asked[:last]), "output": asked[last].text}
    for name, whose in (("input", "user's message"), ("output", "assistant's answer")):
        if not fields[name].strip():
            raise ValueError(f"the {whose} is empty; write it, or leave the chat out")
    return Chat(system, fields, tuple(notes))


def _turn(message: Any) -> _Turn:
    if not isinstance(message, dict):
        raise ValueError("a message is not a JSON object")
    role = message.get("role", message.get("from"))
    role = role.strip().lower() if isinstance(role, str) else role
    if role in _TOOL_ROLES or any(message.get(field) for field in _TOOL_FIELDS):
        raise ValueError(_TOOLS)
    if not isinstance(role, str) or role not in _ROLES:
        raise ValueError(f"role {shown(role)} is unknown; allowed: {', '.join(_ROLES)}")
    known = _ROLES[role]
    weight = _weight(message.get("weight")) if known == "assistant" else 1
    content = next((message[name] for name in _CONTENTS if message.get(name) is not None), None)
    return _Turn(known, _text(content), weight)


def _text(content: Any) -> str:
    if isinstance(content, dict):
        content = content.get("parts")
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise ValueError('a message has no text "content"')
    return "\n".join(map(_part, content))


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise ValueError(f"a message has {shown(part)} as a part of its content; expected a text")
    kind, text = part.get("type"), part.get("text")
    if kind in _TOOL_PARTS or any(part.get(field) for field in _TOOL_FIELDS):
        raise ValueError(_TOOLS)
    # Gemini's parts have no type.
    if isinstance(text, str) and (kind in _TEXT_PARTS or part.keys() == {"text"}):
        return text
    named = kind if "type" in part else next(iter(part), None)
    raise ValueError(
        f"a message has a part of type {shown(named)}, and only text can be read; "
        "leave the chat out, or write it without that part"
    )


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
