"""The numbers of docs/how-to-read-a-report.md."""

from __future__ import annotations

from benchmarks.results import ALPHA
from tests.report.claims import records as r
from tests.report.claims.page import Page

GUIDE = Page("docs/how-to-read-a-report.md")
EXAMPLE = "an example of how a number is read, no measurement"
SCALE = "the ends of a scale"
RUN = "handbook-reply"


def _best() -> str:
    return str(r.runs()[RUN]["leader"])


def _detectable(which: str) -> list[float]:
    """Points, in the runs whose answers are right or wrong."""
    runs = [run for run in r.runs().values() if run["run"]["task"]["metric"] == "accuracy"]
    return [100 * share for share in r.spread(run[which] for run in runs)]


GUIDE.says(
    "for example {} of them. Another {} questions",
    lambda: r.same(run["items"] for run in r.runs().values()) * 2,
)
GUIDE.exempt(SCALE, "from 0 to 1.", "add up to 100 %", "0 is chance, 1 is always")
GUIDE.exempt(
    EXAMPLE, ".80 is two points better than .78", "a 10 % chance of being the best and an expected "
    "loss of 0.3 points", "so 150 of them may tell you as much as 60", "can leave out 0 and",
)  # fmt: skip
GUIDE.says("as in “{} ({} to {})”", lambda: r.scored(RUN, _best()))
GUIDE.says("hold the true value {} times in {}.", lambda: [r.CONFIDENCE_PERCENT, 100])
GUIDE.says(
    "“{} %” is strong and not certain",
    lambda: [100 * r.method(RUN, _best())["probability_best"]],
)
GUIDE.says("Below {} counts as separated", lambda: [ALPHA])
GUIDE.says(
    "With {} questions that are right or wrong, differences below some {} to {} points are missed "
    "in {} of {} tries or more, and after the correction for many pairs below {} to {}.",
    lambda: [
        *r.same(run["items"] for run in r.runs().values()),
        *_detectable("typical_detectable"),
        1,
        1 / (1 - r.constants("benchmarks/statistics.py", r"\nPOWER = (\S+)\n")[0]),
        *_detectable("typical_detectable_corrected"),
    ],
)
GUIDE.says(
    "says “{} points” and you care",
    lambda: [100 * r.runs()["tweeteval-emotion"]["typical_detectable"]],
)
GUIDE.says(
    "“{} points, at most {}” says: as far as these questions tell, nothing, and hardly more than "
    "{} points",
    lambda: [
        100 * r.runs()["tweeteval-emotion"]["advice"]["regret"]["cross_fitted"],
        *[100 * r.runs()["tweeteval-emotion"]["advice"]["regret"]["at_most"]] * 2,
    ],
)
