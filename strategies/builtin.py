"""What comes with the package, registered through the same hook as any plug-in."""

from __future__ import annotations

from strategies.method import Method, Registry
from strategies.prompting.demonstrations import DemonstrationPrompting
from strategies.prompting.instruction import InstructionPrompting
from strategies.prompting.retrieval import RetrievalPrompting
from strategies.weights.base import BaseWeights
from strategies.weights.full import FullWeights
from strategies.weights.peft import LoraWeights

_METHODS = (
    Method(
        name="zero-shot",
        summary="The instruction alone, on the model as it comes.",
        prompting=InstructionPrompting(),
        weights=BaseWeights(),
    ),
    Method(
        name="icl-random",
        summary="Four demonstrations, drawn once, classes balanced.",
        prompting=DemonstrationPrompting(selection="balanced"),
        weights=BaseWeights(),
    ),
    Method(
        name="icl-nearest",
        summary="The four training examples most similar to each input as demonstrations.",
        prompting=DemonstrationPrompting(selection="nearest"),
        weights=BaseWeights(),
    ),
    Method(
        name="rag",
        summary="The two most similar passages of the corpus before the input.",
        prompting=RetrievalPrompting(),
        weights=BaseWeights(),
    ),
    Method(
        name="lora",
        summary="A low-rank adapter on all linear layers, prompted by the instruction alone.",
        prompting=InstructionPrompting(),
        weights=LoraWeights(),
    ),
    Method(
        name="full",
        summary="Every parameter fine-tuned, prompted by the instruction alone.",
        prompting=InstructionPrompting(),
        weights=FullWeights(),
    ),
    Method(
        name="rag+lora",
        summary="The adapter of lora, trained without passages; retrieval at inference.",
        prompting=RetrievalPrompting(),
        weights=LoraWeights(),
        train_prompting=InstructionPrompting(),
    ),
    Method(
        name="raft",
        summary="An adapter trained with retrieved passages and distractors, as it will be used.",
        prompting=RetrievalPrompting(),
        weights=LoraWeights(),
        train_prompting=RetrievalPrompting(oracle_share=0.8),
    ),
)


def register(registry: Registry) -> None:
    """Register the built-in promptings, weights and methods."""
    for prompting in (InstructionPrompting, DemonstrationPrompting, RetrievalPrompting):
        registry.add_prompting(prompting)
    for weights in (BaseWeights, LoraWeights, FullWeights):
        registry.add_weights(weights)
    for method in _METHODS:
        registry.add_method(method)
