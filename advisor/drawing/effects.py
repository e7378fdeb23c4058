"""What a chart says, in words: effects and the conditions under which they hold."""

from __future__ import annotations

from advisor.drawing.labels import plain, shortened
from advisor.flowchart import Condition, Effect, citing
from advisor.language import ENGLISH, Language
from advisor.questionnaire import as_text

HOW_TO_READ = (
    "At each question, the first branch that fits the answers is taken.",
    "+ speaks for methods, - against them (1 weak, 2 clear, 3 decisive), x rules them out.",
)
_MOST_CHARACTERS = 200


def in_full(effect: Effect, say: Language = ENGLISH) -> str:
    """The effect with its reason, shortened, and the ids of its evidence."""
    said = effect.reason or effect.text or effect.note or effect.first or effect.provisional or ""
    cited = citing(shortened(said, _MOST_CHARACTERS), [plain(claim) for claim in effect.evidence])
    return f"{in_brief(effect, say)}: {cited}"


def moves(effect: Effect) -> bool:
    """Whether it moves the advice; a note does not, and neither does what is to be done first."""
    return bool(effect.methods or effect.verdict or effect.provisional)


def in_brief(effect: Effect, say: Language = ENGLISH) -> str:
    """Which methods it is about and with which strength, or which kind of thing it says."""
    kind = _kind(effect, say)
    if effect.when is None:
        return kind
    condition = plain(in_words(effect.when, say))
    return say("if {condition}, then {said}", condition=condition, said=kind)


def _kind(effect: Effect, say: Language) -> str:
    if effect.methods:
        strength = effect.strength if effect.for_ else -effect.strength
        sign = "x" if effect.block else f"{strength:+d}"
        return f"{sign} {plain(', '.join(effect.methods))}"
    if effect.verdict:
        return say("verdict {verdict}", verdict=effect.verdict)
    return say("do first" if effect.first else "note" if effect.note else "provisional")


def in_words(condition: Condition, say: Language = ENGLISH) -> str:
    """The condition as a clause, such as "labelled_examples is below 50"."""
    if condition.not_ is not None:
        return say("not ({condition})", condition=in_words(condition.not_, say))
    if condition.answer is None:
        parts = [
            f"({in_words(part, say)})" if part.all_ or part.any_ else in_words(part, say)
            for part in condition.all_ or condition.any_ or ()
        ]
        return say(" and " if condition.any_ is None else " or ").join(parts)
    return _compared(condition, say)


_IS = {
    "unknown": "{answer} is unknown",
    "known": "{answer} is known",
    "empty": "{answer} is empty",
}


def _compared(part: Condition, say: Language) -> str:
    """A comparison; values stand as an answers file has them."""
    if part.is_ in _IS:
        return say(_IS[str(part.is_)], answer=part.answer)
    if part.contains is not None:
        return say("{answer} has {value}", answer=part.answer, value=part.contains)
    if part.below is not None:
        return say("{answer} is below {value}", answer=part.answer, value=as_text(part.below))
    if part.at_least is not None or part.at_least_answer is not None:
        least = part.at_least_answer if part.at_least is None else as_text(part.at_least)
        return say("{answer} is at least {value}", answer=part.answer, value=least)
    value = "/".join(part.in_) if part.in_ is not None else as_text(part.is_)
    return say("{answer} is {value}", answer=part.answer, value=value)
