"""BANKING77: questions of bank customers into 77 fine-grained intents.

Source: Casanueva et al. 2020, arXiv:2003.04807.
"""

from __future__ import annotations

import csv

from benchmarks.tasks.recipes.recipe import (
    Files,
    Recipe,
    classify,
    from_github,
    without_leaks,
)
from benchmarks.tasks.task import Item, Splits, TaskSpec, fixed_order

FOLDER = "banking77"
REPOSITORY = "PolyAI-LDN/task-specific-datasets"
COMMIT = "57ec275d8078af65b7731c2a98be812d844a6d6b"
SHA256 = {
    "train.csv": "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
    "test.csv": "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
}
VALIDATION_ITEMS_PER_LABEL = 5

LABELS = (
    "Refund_not_showing_up",
    "activate_my_card",
    "age_limit",
    "apple_pay_or_google_pay",
    "atm_support",
    "automatic_top_up",
    "balance_not_updated_after_bank_transfer",
    "balance_not_updated_after_cheque_or_cash_deposit",
    "beneficiary_not_allowed",
    "cancel_transfer",
    "card_about_to_expire",
    "card_acceptance",
    "card_arrival",
    "card_delivery_estimate",
    "card_linking",
    "card_not_working",
    "card_payment_fee_charged",
    "card_payment_not_recognised",
    "card_payment_wrong_exchange_rate",
    "card_swallowed",
    "cash_withdrawal_charge",
    "cash_withdrawal_not_recognised",
    "change_pin",
    "compromised_card",
    "contactless_not_working",
    "country_support",
    "declined_card_payment",
    "declined_cash_withdrawal",
    "declined_transfer",
    "direct_debit_payment_not_recognised",
    "disposable_card_limits",
    "edit_personal_details",
    "exchange_charge",
    "exchange_rate",
    "exchange_via_app",
    "extra_charge_on_statement",
    "failed_transfer",
    "fiat_currency_support",
    "get_disposable_virtual_card",
    "get_physical_card",
    "getting_spare_card",
    "getting_virtual_card",
    "lost_or_stolen_card",
    "lost_or_stolen_phone",
    "order_physical_card",
    "passcode_forgotten",
    "pending_card_payment",
    "pending_cash_withdrawal",
    "pending_top_up",
    "pending_transfer",
    "pin_blocked",
    "receiving_money",
    "request_refund",
    "reverted_card_payment?",
    "supported_cards_and_currencies",
    "terminate_account",
    "top_up_by_bank_transfer_charge",
    "top_up_by_card_charge",
    "top_up_by_cash_or_cheque",
    "top_up_failed",
    "top_up_limits",
    "top_up_reverted",
    "topping_up_by_card",
    "transaction_charged_twice",
    "transfer_fee_charged",
    "transfer_into_account",
    "transfer_not_received_by_recipient",
    "transfer_timing",
    "unable_to_verify_identity",
    "verify_my_identity",
    "verify_source_of_funds",
    "verify_top_up",
    "virtual_card_not_working",
    "visa_or_mastercard",
    "why_verify_identity",
    "wrong_amount_of_cash_received",
    "wrong_exchange_rate_for_cash_withdrawal",
)


def convert(files: Files) -> Splits:
    """The published test split; the published training split gives the validation items."""
    test = _items(files, "test")
    published = without_leaks(_items(files, "train"), test)
    validation = _first_of_each_label(published)
    return Splits(train=without_leaks(published, validation), validation=validation, test=test)


def _items(files: Files, split: str) -> tuple[Item, ...]:
    with files[f"{FOLDER}/{split}.csv"].open(encoding="utf-8", newline="") as stream:
        return tuple(
            Item(id=f"{split}-{number}", input=row["text"].strip(), outputs=(row["category"],))
            for number, row in enumerate(csv.DictReader(stream), start=1)
        )


def _first_of_each_label(items: tuple[Item, ...]) -> tuple[Item, ...]:
    taken = dict.fromkeys(LABELS, 0)
    chosen = []
    for item in sorted(items, key=lambda item: fixed_order(item.id)):
        if taken[item.output] < VALIDATION_ITEMS_PER_LABEL:
            taken[item.output] += 1
            chosen.append(item)
    return tuple(chosen)


RECIPE = Recipe(
    spec=TaskSpec(
        id="banking77",
        title="Intent of a bank customer's question (BANKING77)",
        kind="classification",
        instruction=classify("What does this customer of a bank want?", LABELS),
        labels=LABELS,
        metric="accuracy",
        metrics=("macro_f1",),
        max_new_tokens=24,
        language="en",
        licence="CC BY 4.0",
        source=f"https://github.com/{REPOSITORY}/tree/{COMMIT}/banking_data",
        answers={
            "task_kind": "classification",
            "knowledge": "none",
            "behaviour": ["label_set"],
            "classes": len(LABELS),
            "labelled_examples": 10003,
            "eval_items": 3080,
        },
    ),
    variants=(from_github(REPOSITORY, COMMIT, "banking_data/", FOLDER, SHA256),),
    convert=convert,
)
