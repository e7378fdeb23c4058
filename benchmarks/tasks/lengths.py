"""How many tokens an answer takes: measured with the default model's tokenizer, or estimated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.plan import Plan

# Room for a token at each end and for a word more than any answer has.
_MARGIN = 4
_LEAST = 8
# Half of the context of a model that reads 4,096 tokens; the prompt takes the rest.
MOST_ANSWER_TOKENS = 2048

Count = Callable[[str], int]


def longest_answer_tokens(answers: Sequence[str], count: Count | None = None) -> int:
    """A limit in tokens that all of these answers keep.

    Where the default model's tokenizer is here, half as much again as it needs, since other
    models cut text otherwise, but no more than any tokenizer of bytes needs. Else that bound.
    Never less than half the number of characters, and at most `MOST_ANSWER_TOKENS`.

    Args:
        answers: at least one.
        count: tokens of a text; None takes the default model's tokenizer where it is here.
    """
    count = count or default_tokenizer()
    needed = max(_needed(answer, count) for answer in answers) + _MARGIN
    return min(MOST_ANSWER_TOKENS, max(_LEAST, needed))


def token_bound(text: str) -> int:
    """Tokens that a text takes at most: a bound that depends on its script.

    A character beyond ASCII is at most its bytes in UTF-8: two of Greek, Cyrillic, Hebrew and
    Arabic, three of most others, four of emoji and rare Chinese characters. No tokenizer over
    bytes, or with a fallback to bytes, cuts it finer. In a text of ASCII alone, digits, capitals
    and punctuation count one each, since tokenizers cut numbers and codes short, and two small
    letters or spaces count one, a careful estimate: English has about four a token.
    """
    if not text.isascii():
        return len(text.encode("utf-8", "surrogatepass"))
    usual = sum(character.islower() or character == " " for character in text)
    return len(text) - usual + -(-usual // 2)


def default_tokenizer() -> Count | None:
    """Counts tokens with the tokenizer of a plan's default model; None where it is not here."""
    from strategies.models import PACKAGED, packaged_folder

    model = Plan.model_fields["model"].default
    file = packaged_folder(model) / "tokenizer.json" if model in PACKAGED else None
    if file is None or not file.is_file():
        return None
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _needed(answer: str, count: Count | None) -> int:
    bound = token_bound(answer)
    if count is None:
        return bound
    measured = count(answer)
    return max(len(answer) // 2, measured, min(bound, measured * 3 // 2))
