"""Languages and scripts: normalises how a text was typed, and splits it into words.

How a text is split depends on its own characters, so that scores are right even where
``language`` of ``task.yaml`` is missing or wrong. The language adds what characters do not show:
English articles and endings, and the Turkish i.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

# Codes of ISO 639-1 and of ISO 639-2/T, and names:
# https://www.loc.gov/standards/iso639-2/php/code_list.php (2026-11-30).
_CODES = """
aa aar Afar, ab abk Abkhazian, ae ave Avestan, af afr Afrikaans, ak aka Akan, am amh Amharic,
an arg Aragonese, ar ara Arabic, as asm Assamese, av ava Avaric, ay aym Aymara, az aze Azerbaijani,
ba bak Bashkir, be bel Belarusian, bg bul Bulgarian, bi bis Bislama, bm bam Bambara,
bn ben Bengali, bo bod Tibetan, br bre Breton, bs bos Bosnian, ca cat Catalan, ce che Chechen,
ch cha Chamorro, co cos Corsican, cr cre Cree, cs ces Czech, cu chu Church Slavic, cv chv Chuvash,
cy cym Welsh, da dan Danish, de deu German, dv div Divehi, dz dzo Dzongkha, ee ewe Ewe,
el ell Greek, en eng English, eo epo Esperanto, es spa Spanish, et est Estonian, eu eus Basque,
fa fas Persian, ff ful Fulah, fi fin Finnish, fj fij Fijian, fo fao Faroese, fr fra French,
fy fry Western Frisian, ga gle Irish, gd gla Scottish Gaelic, gl glg Galician, gn grn Guarani,
gu guj Gujarati, gv glv Manx, ha hau Hausa, he heb Hebrew, hi hin Hindi, ho hmo Hiri Motu,
hr hrv Croatian, ht hat Haitian, hu hun Hungarian, hy hye Armenian, hz her Herero,
ia ina Interlingua, id ind Indonesian, ie ile Interlingue, ig ibo Igbo, ii iii Sichuan Yi,
ik ipk Inupiaq, io ido Ido, is isl Icelandic, it ita Italian, iu iku Inuktitut, ja jpn Japanese,
jv jav Javanese, ka kat Georgian, kg kon Kongo, ki kik Kikuyu, kj kua Kuanyama, kk kaz Kazakh,
kl kal Greenlandic, km khm Khmer, kn kan Kannada, ko kor Korean, kr kau Kanuri, ks kas Kashmiri,
ku kur Kurdish, kv kom Komi, kw cor Cornish, ky kir Kyrgyz, la lat Latin, lb ltz Luxembourgish,
lg lug Ganda, li lim Limburgish, ln lin Lingala, lo lao Lao, lt lit Lithuanian,
lu lub Luba-Katanga, lv lav Latvian, mg mlg Malagasy, mh mah Marshallese, mi mri Maori,
mk mkd Macedonian, ml mal Malayalam, mn mon Mongolian, mr mar Marathi, ms msa Malay,
mt mlt Maltese, my mya Burmese, na nau Nauru, nb nob Norwegian Bokmål, nd nde North Ndebele,
ne nep Nepali, ng ndo Ndonga, nl nld Dutch, nn nno Norwegian Nynorsk, no nor Norwegian,
nr nbl South Ndebele, nv nav Navajo, ny nya Chichewa, oc oci Occitan, oj oji Ojibwa, om orm Oromo,
or ori Odia, os oss Ossetian, pa pan Punjabi, pi pli Pali, pl pol Polish, ps pus Pashto,
pt por Portuguese, qu que Quechua, rm roh Romansh, rn run Rundi, ro ron Romanian, ru rus Russian,
rw kin Kinyarwanda, sa san Sanskrit, sc srd Sardinian, sd snd Sindhi, se sme Northern Sami,
sg sag Sango, si sin Sinhala, sk slk Slovak, sl slv Slovenian, sm smo Samoan, sn sna Shona,
so som Somali, sq sqi Albanian, sr srp Serbian, ss ssw Swati, st sot Southern Sotho,
su sun Sundanese, sv swe Swedish, sw swa Swahili, ta tam Tamil, te tel Telugu, tg tgk Tajik,
th tha Thai, ti tir Tigrinya, tk tuk Turkmen, tl tgl Tagalog, tn tsn Tswana, to ton Tonga,
tr tur Turkish, ts tso Tsonga, tt tat Tatar, tw twi Twi, ty tah Tahitian, ug uig Uyghur,
uk ukr Ukrainian, ur urd Urdu, uz uzb Uzbek, ve ven Venda, vi vie Vietnamese, vo vol Volapük,
wa wln Walloon, wo wol Wolof, xh xho Xhosa, yi yid Yiddish, yo yor Yoruba, za zha Zhuang,
zh zho Chinese, zu zul Zulu
"""
_ENTRIES = [entry.split(maxsplit=2) for entry in _CODES.split(",")]
LANGUAGES: dict[str, str] = {code: name for code, _, name in _ENTRIES}
# The same language under a longer code: of ISO 639-2/T, or of 639-2/B, which libraries use.
_SHORTER = {longer: code for code, longer, _ in _ENTRIES} | dict(
    alb="sq", arm="hy", baq="eu", bur="my", chi="zh", cze="cs", dut="nl", fre="fr", geo="ka",
    ger="de", gre="el", ice="is", mac="mk", mao="mi", may="ms", per="fa", rum="ro", slo="sk",
    tib="bo", wel="cy",
)  # fmt: skip
_CODE_OF_NAME = {name.casefold(): code for code, name in LANGUAGES.items()}
_COMMON = "ar, bn, de, en, es, fr, hi, id, it, ja, ko, pl, pt, ru, th, tr, uk, ur, vi, zh"
# A language and, behind it, script, region and variants: RFC 5646, section 2.1, in short.
_TAG = re.compile(r"(?P<language>[a-z]{2,3})(-[a-z0-9]{2,8})*", re.IGNORECASE)

# Scripts written without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, Tai, Balinese,
# Javanese, Han, kana, Bopomofo, Yi. Their digits are left out, so a number stays whole.
_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u0f00\u0f40-\u0fbc\u1000-\u103f"
    "\u1050-\u108f\u109a-\u109f\u1780-\u17d3\u17d7\u17dc\u17dd\u1950-\u1974\u1980-\u19c9"
    "\u1a20-\u1a7f\u1b00-\u1b4c\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u309f"
    "\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua000-\ua48c\ua980-\ua9c0\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaadf\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0002fa1f\U00030000-\U000323af"
)
# Korean has spaces, but particles are joined to nouns, so whole words rarely match.
_HANGUL = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb"
_JOINERS = "\u200c\u200d"

_ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_TYPED_AS = {
    **dict.fromkeys("‘’‚‛ʼ´′׳", "'"),
    **dict.fromkeys("“”„‟«»″״", '"'),
    **dict.fromkeys("‐‑‒–−", "-"),
}
# Forms of one character that differ in width, position or typesetting alone. Raised and lowered
# characters and fractions are left out: 10² is not 102.
_SAME_CHARACTER = (
    "<wide>", "<narrow>", "<noBreak>", "<initial>", "<medial>", "<final>", "<isolated>", "<compat>",
)  # fmt: skip
_ASCII_WORD = re.compile(r"\b\w\w+\b")
_TATWEEL = "\u0640"
_TURKIC = frozenset({"tr", "az"})
_TURKISH_I = str.maketrans({"I": "ı", "İ": "i"})


# ---------------------------------------------------------------- language tags


def language_tag(text: str) -> str:
    """A language as its tag: ``ja`` of ``ja``, ``jpn`` and ``Japanese``; "" where none is given.

    A code of three letters becomes the one of two letters where the language has one, as RFC 5646
    (section 2.2.1) asks for.

    Raises:
        ValueError: it is neither an ISO 639-1 code, nor the English name of one, nor a BCP 47
            tag that begins with such a code or with a code of three letters.
    """
    wanted = text.strip()
    named = _CODE_OF_NAME.get(wanted.casefold(), wanted)
    found = _TAG.fullmatch(named.replace("_", "-"))
    if not wanted:
        return ""
    if found is None or (
        len(found["language"]) == 2 and found["language"].lower() not in LANGUAGES
    ):
        raise ValueError(
            f"{text!r} is no language that is known here; allowed: a code of ISO 639-1 ({_COMMON}, "
            "…), its English name, such as Japanese, or a tag that begins with a code, such as "
            "pt-BR or yue"
        )
    code = found["language"].lower()
    return _SHORTER.get(code, code) + named.replace("_", "-")[len(code) :]


def base_code(tag: str) -> str:
    """The language of a tag without script and region; "" where it says none."""
    code = tag.partition("-")[0].lower()
    return "" if code in ("und", "mul", "zxx") else code


def language_name(tag: str) -> str:
    """The English name of a tag's language, or the tag itself."""
    return LANGUAGES.get(base_code(tag), tag)


def language_of_script(texts: Iterable[str]) -> str:
    """The language that a script shows by itself, such as ``ja`` of kana; "" where none does."""
    scripts = _scripts(texts)
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    if (kana + scripts["CJK"]) * 2 > scripts.total():
        if kana * _LEAST_KANA > scripts["CJK"]:
            return "ja"
        return "zh" if not kana and scripts["CJK"] >= _SURELY_CHINESE else ""
    script, count = next(iter(scripts.most_common(1)), ("", 0))
    codes = _WRITTEN_IN.get(script, "").split()
    return codes[0] if len(codes) == 1 and count * 2 > scripts.total() else ""


def is_english(language: str, text: str) -> bool:
    """Whether rules for English apply to a text: its language is, or none is said and it may be."""
    if base_code(language):
        return base_code(language) == "en"
    if text.isascii():
        return True
    scripts = _scripts([text])
    return not scripts or scripts["LATIN"] * 2 >= scripts.total()


# ---------------------------------------------------------------- texts


def fold(text: str) -> str:
    """A text as it would be typed plainly; ASCII stays as it is.

    Composed (NFC), with straight quotes, plain hyphens, ASCII digits and characters of usual
    width, without invisible characters. Letter case stays.

    Source: Unicode Standard Annex 15 (NFC, compatibility mappings).
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", "".join(map(_folded, text)))


def fold_case(text: str, language: str = "") -> str:
    """`fold` without letter case; the Turkish i where the language or its letters ask for it."""
    turkic = base_code(language) in _TURKIC
    if text.isascii() and not turkic:
        return text.lower()
    plain = fold(text)
    if turkic:
        plain = plain.translate(_TURKISH_I)
    # Folding İ leaves a dot above the i, which no keyboard types.
    return unicodedata.normalize("NFC", plain.casefold()).replace("i\u0307", "i")


def case_language(language: str, *texts: str) -> str:
    """The language whose rules of letter case hold for texts that are compared.

    Where none is said, dotless ı and dotted İ show Turkish.
    """
    if not base_code(language) and any("ı" in text or "İ" in text for text in texts):
        return "tr"
    return language


def label_form(text: str) -> str:
    """A label as it is compared: composed (NFC), without white space around it."""
    return unicodedata.normalize("NFC", text).strip()


def without_punctuation(text: str) -> str:
    """The text without ASCII punctuation and without Unicode's category P."""
    return "".join(character for character in text if not _is_punctuation(character))


def units(text: str) -> list[str]:
    """Words; single characters, with their marks, in scripts without spaces between words.

    A word ends at white space and at a character of such a script.

    Source: mixed segmentation of MLQA (Lewis et al. 2020, arXiv:1910.07475); syllables for
    Korean as in KorQuAD (Lim et al. 2019, arXiv:1909.07005).
    """
    return text.split() if text.isascii() else _patterns().unit.findall(text)


def letter_units(text: str) -> list[str]:
    """`units` of letters, marks and digits alone; symbols where a text has nothing else."""
    found = _patterns().letters.findall(text)
    if found or text.isascii():
        return found
    return [character for character in text if not character.isspace()]


def index_terms(text: str) -> list[str]:
    """Words of two letters or more; single characters and pairs in scripts without spaces.

    ASCII is split as scikit-learn's default pattern splits it.
    """
    if text.isascii():
        return _ASCII_WORD.findall(text)
    terms: list[str] = []
    for run in _patterns().runs.findall(fold(text)):
        characters = _patterns().single.findall(run)
        if characters:
            terms += [*characters, *map("".join, pairwise(characters))]
        elif len(run) > 1:
            terms.append(run)
    return terms


def spaced(text: str) -> str:
    """A text with spaces around each token that a tokenizer for Western texts would not find.

    These are characters of scripts without spaces between words, Korean syllables, and
    punctuation beyond ASCII. On Chinese this agrees with sacrebleu's tokenizer ``zh``. ASCII
    stays as it is.
    """
    if text.isascii():
        return text
    return _patterns().apart.sub(_apart, fold(text))


def whole_phrase(phrase: str) -> re.Pattern[str]:
    """Finds a phrase as whole words and whole numbers, in a text folded like the phrase.

    Next to a character of a script without spaces between words, or of Korean, a word may begin
    and end anywhere, but never between a letter and its marks.
    """
    inside = re.compile(f"[{_UNSPACED}{_HANGUL}]")
    mark = f"[{_marks()}{_JOINERS}]"
    before = "" if inside.match(phrase) else f"(?<!{_SPACED_LETTER})(?<!{_spaced_mark()})"
    ends_inside = inside.match(phrase[-1:])
    after = f"(?!{mark})" if ends_inside else f"(?!{_SPACED_LETTER}|{_spaced_mark()})"
    # "300" must not be found in "1,300" or "300.5", nor "arm" in "alarm".
    before += r"(?<!\d[.,])" if phrase[:1].isdigit() else ""
    after += r"(?![.,]\d)" if phrase[-1:].isdigit() else ""
    return re.compile(before + re.escape(phrase) + after)


def word_count(text: str) -> int:
    """Words of a text; each character counts as one in a script without spaces between words."""
    return len(text.split() if text.isascii() else _patterns().counted.findall(text))


def word_estimate(text: str) -> float:
    """About how many words a text has; two characters make one in scripts without spaces."""
    if text.isascii():
        return len(text.split())
    single = len(_patterns().counted_single.findall(text))
    return word_count(text) - single / 2


# ---------------------------------------------------------------- what suits a language


def suitability_notes(
    language: str, metrics: Sequence[str], inputs: Sequence[str], answers: Sequence[str]
) -> tuple[str, ...]:
    """What a reader of a task's scores has to know about its language, in sentences.

    Args:
        language: tag of the task's language; "" where it says none.
        metrics: names of its metrics.
        inputs: what is asked.
        answers: what is accepted.
    """
    notes = [
        *_code_notes(language),
        *_script_notes(language, inputs),
        *_word_notes(language, metrics, answers),
        *_english_notes(language, metrics, answers),
    ]
    if "bleu" in metrics and answers and all(len(spaced(a).split()) < 4 for a in answers):
        notes.append(
            "bleu counts sequences of four words, and no answer has four; it will be 0. "
            "exact_match and token_f1 suit short answers."
        )
    return tuple(notes)


# Which languages are written in a script, by the first word of its characters' names in Unicode.
# A language that is often written in another one too is left out.
_WRITTEN_IN = {
    "ARABIC": "ar fa ps sd ug ur", "ARMENIAN": "hy", "BENGALI": "bn", "BOPOMOFO": "zh",
    "CJK": "ja ko zh", "CYRILLIC": "be bg mk ru uk", "DEVANAGARI": "hi mr ne sa", "GEORGIAN": "ka",
    "GREEK": "el", "GUJARATI": "gu", "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja",
    "KANNADA": "kn", "KATAKANA": "ja", "KHMER": "km", "LAO": "lo",
    "LATIN": "cs da de en es et fi fr ga hr hu id is it lt lv nb nl nn no pl pt ro sk sl sq sv tl "
    "tr vi",
    "MALAYALAM": "ml", "MYANMAR": "my", "TAMIL": "ta", "TELUGU": "te", "THAI": "th",
}  # fmt: skip
# Half of the letters of Japanese prose are kana; names and headings may have none.
_LEAST_KANA = 10
_SURELY_CHINESE = 200
_BY_WORDS = ("token_f1", "rouge_l", "bleu")
# English has letters beyond ASCII in a few borrowed words and names alone.
_FOREIGN_SHARE = 0.01


def _code_notes(language: str) -> list[str]:
    """A code of three letters may be one of thousands in ISO 639-3, or a slip."""
    code = base_code(language)
    if not code or code in LANGUAGES:
        return []
    return [
        f"task.yaml says language: {language}, and {code} is no language that is known here. "
        "Words are split by the rules of Unicode, and no rule of a language is applied. Correct it "
        f"if it is a slip; common codes are {_COMMON}."
    ]


def _script_notes(language: str, inputs: Sequence[str]) -> list[str]:
    scripts, code = _scripts(inputs), base_code(language)
    wanted = [name for name, codes in _WRITTEN_IN.items() if code in codes.split()]
    if not wanted or sum(scripts[name] for name in wanted) * 2 >= scripts.total():
        return []
    found = scripts.most_common(1)[0][0]
    # Names of scripts; Unicode calls Chinese characters CJK.
    found = "Chinese characters" if found == "CJK" else found.capitalize()
    return [
        f"task.yaml says language: {language}, but most letters of the inputs are {found}; correct "
        "it if it is wrong."
    ]


def _word_notes(language: str, metrics: Sequence[str], answers: Sequence[str]) -> list[str]:
    named = [name for name in _BY_WORDS if name in metrics]
    letters = _scripts(answers).total()
    single = sum(len(_patterns().single.findall(fold(text))) for text in answers)
    if not named or single * 2 < letters or not single:
        return []
    korean = len(re.findall(f"[{_HANGUL}]", "".join(answers))) * 2 > single
    whose = language_name(language) if base_code(language) else "this script"
    what = f"every syllable of {whose}" if korean else f"every character of {whose}"
    return [
        f"{_and(named)} {'takes' if len(named) == 1 else 'take'} {what} for a word; do not compare "
        "the values with ones that were counted over words."
    ]


def _english_notes(language: str, metrics: Sequence[str], answers: Sequence[str]) -> list[str]:
    named = [name for name in ("token_f1", "exact_match", "rouge_l") if name in metrics]
    scripts = _scripts(answers)
    if not named or scripts["LATIN"] * 2 < scripts.total():
        return []
    if base_code(language):
        if base_code(language) == "en" or "rouge_l" not in metrics:
            return []
        return [
            "rouge_l ignores endings of English words only; in "
            f"{language_name(language)} each form of a word counts as a word of its own."
        ]
    foreign = sum(not c.isascii() and c.isalpha() for text in answers for c in fold(text))
    if foreign <= _FOREIGN_SHARE * scripts.total():
        return []
    return [
        f"task.yaml names no language, so {_and(named)} {'goes' if len(named) == 1 else 'go'} by "
        "English articles and endings. If the answers are in another language, name it there, "
        "such as language: fr."
    ]


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _scripts(texts: Iterable[str]) -> Counter[str]:
    """How many letters there are of each script."""
    found: Counter[str] = Counter()
    for character, count in Counter("".join(texts)).items():
        if character.isalpha():
            found[_script(character)] += count
    return found


# ---------------------------------------------------------------- characters


@cache
def _script(character: str) -> str:
    return unicodedata.name(fold(character)[:1] or character, "OTHER").split()[0]


@cache
def _folded(character: str) -> str:
    if character.isascii():
        return character
    if character in _TYPED_AS:
        return _TYPED_AS[character]
    if _is_invisible(character):
        return ""
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    if unicodedata.decomposition(character).startswith(_SAME_CHARACTER):
        return unicodedata.normalize("NFKC", character)
    return character


def _is_invisible(character: str) -> bool:
    # Joiners change the meaning in Persian and the shape of letters in Indic scripts.
    hidden = unicodedata.category(character) == "Cf" and character not in _JOINERS
    selects = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return hidden or selects or character == _TATWEEL


@cache
def _is_punctuation(character: str) -> bool:
    return character in _ASCII_PUNCTUATION or unicodedata.category(character).startswith("P")


def _apart(found: re.Match[str]) -> str:
    text = found.group()
    is_token = _is_punctuation(text[0]) or _patterns().single.match(text)
    return f" {text} " if is_token else text


_SPACED_LETTER = rf"[^\W{_UNSPACED}{_HANGUL}]"


@dataclass(frozen=True)
class _Patterns:
    """Patterns that need all combining marks of Unicode.

    Attributes:
        single: a character that is a unit by itself, with its marks.
        unit: that, or what stands between such and white space.
        letters: that, or a run of letters, marks and digits.
        counted: as `unit`, but a Korean word is one.
        counted_single: a character that counts as a word there.
        runs: several of them, or a run of letters, marks, digits and underscores.
        apart: that, or any other character beyond ASCII.
    """

    single: re.Pattern[str]
    unit: re.Pattern[str]
    letters: re.Pattern[str]
    counted: re.Pattern[str]
    counted_single: re.Pattern[str]
    runs: re.Pattern[str]
    apart: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    marks = f"[{_marks()}{_JOINERS}]*"
    single = f"[{_UNSPACED}{_HANGUL}]{marks}"
    letters = rf"(?:[^\W_{_UNSPACED}{_HANGUL}]|{_spaced_mark()})+"
    return _Patterns(
        single=re.compile(single),
        unit=re.compile(rf"{single}|[^\s{_UNSPACED}{_HANGUL}]+"),
        letters=re.compile(f"{single}|{letters}"),
        counted=re.compile(rf"[{_UNSPACED}]{marks}|[^\s{_UNSPACED}]+"),
        counted_single=re.compile(f"[{_UNSPACED}]{marks}"),
        runs=re.compile(f"(?:{single})+|(?:_|{letters})+"),
        apart=re.compile(f"{single}|[^\\x00-\\x7f]"),
    )


@cache
def _spaced_mark() -> str:
    """A class of marks and joiners that stand in words between spaces."""
    unspaced = re.compile(f"[{_UNSPACED}]")
    return f"[{_ranges(m for m in _all_marks() if not unspaced.match(m))}{_JOINERS}]"


@cache
def _marks() -> str:
    return _ranges(_all_marks())


@cache
def _all_marks() -> tuple[str, ...]:
    # Planes 0 and 1; the marks of plane 14 are variation selectors, which are invisible.
    return tuple(c for c in map(chr, range(0x20000)) if unicodedata.category(c)[0] == "M")


def _ranges(characters: Iterable[str]) -> str:
    """The inside of a regular expression's class of these characters, which are in order."""
    spans: list[list[int]] = []
    for code in map(ord, characters):
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in spans)
