"""Errors of the advisor that a user can act on; the command line shows the message alone."""

from __future__ import annotations


class AdvisorError(Exception):
    """A problem that the user can solve; the message says how."""

    exit_code = 2


class InterruptionError(AdvisorError):
    """The user stopped a command."""

    exit_code = 130


class AnswersError(AdvisorError):
    """Answers that cannot be used; every problem is listed."""

    exit_code = 3


class FlowchartError(AdvisorError):
    """A flowchart or evidence file that contradicts itself; every problem is listed."""

    exit_code = 7


class EstimateError(AdvisorError):
    """An estimate that was asked for with numbers that cannot be, or with too few."""


class ModelFileError(EstimateError):
    """A model's folder or config.json that cannot be read."""

    exit_code = 4
