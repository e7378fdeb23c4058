"""A first guess of the learning rate: it follows the model's width and family."""

from __future__ import annotations

from typing import Any

# 5e-4 x (2000 / hidden size) ^ exponent, fitted by Thinking Machines over models of two families:
# tinker-cookbook, hyperparam_utils.py, commit 9dfcc3a2.
_LORA_RATE_AT_2000 = 5e-4
_EXPONENTS = {"llama": 0.781, "qwen": 0.0775}
# The same source: full fine-tuning takes a tenth of LoRA's rate.
FULL_TO_LORA = 0.1


def lora_rate(config: Any) -> float:
    """A first guess of LoRA's learning rate for a model.

    Args:
        config: of a transformers model.

    Returns:
        the peak rate of AdamW. For a family without a published fit, the lower of the two
        published ones: a rate that is too high destroys a model, one that is too low costs time.

    Source: tinker-cookbook, hyperparam_utils.py, commit 9dfcc3a2.
    """
    text = config.get_text_config()
    family = str(getattr(text, "model_type", ""))
    known = [e for name, e in _EXPONENTS.items() if family.startswith(name)]
    rates: list[float] = [
        _LORA_RATE_AT_2000 * float((2000 / int(text.hidden_size)) ** exponent)
        for exponent in known or _EXPONENTS.values()
    ]
    return min(rates)
