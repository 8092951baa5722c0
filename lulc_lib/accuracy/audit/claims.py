"""What the paper says about its numbers, each sentence tied to a computation on the corrected ones.

``published/claims.csv`` lists the claims in short words with their section; ``claim_tests`` and
``claim_tests_gee`` have one function of the same name for each. Nothing here is decided by hand:
a verdict is what the function finds in the numbers it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lulc_lib.accuracy.audit import claim_tests, claim_tests_gee
from lulc_lib.accuracy.audit.claim_tests import Finding
from lulc_lib.accuracy.audit.corrected import Facts, facts
from lulc_lib.accuracy.audit.hypotheses import Subject
from lulc_lib.accuracy.published.tables import claims

ClaimTest = Callable[[Facts], Finding]


def claim_test(name: str) -> ClaimTest:
    """The computation behind a claim, by the claim's id."""
    return getattr(claim_tests, name, None) or getattr(claim_tests_gee, name)


def judge_claims(
    subjects: Mapping[int, Subject], overlap: Mapping[str, float] | None = None,
    oa_interval: Mapping[str, tuple[float, float]] | None = None,
) -> list[dict[str, Any]]:
    """Every claim of the paper with its verdict on the corrected numbers.

    Parameters
    ----------
    subjects : from ``checks.subjects``.
    overlap : by site, share of the reference test pixels labelled in training; without it the claim
        that rests on it is ``not tested``.
    oa_interval : by site, 95 % interval of the network's OA from whole polygons; without it the
        binomial one.

    Returns
    -------
    Dictionaries ``id, section, claim, verdict, because``; and ``as_printed``: the verdict that the
    same computation gives on the numbers as the paper prints them.
    """
    right = facts(subjects, overlap, oa_interval)
    as_printed = facts(subjects, overlap, oa_interval, as_printed=True)
    found = []
    for claim in claims().itertuples():
        finding = claim_test(claim.id)(right)
        found.append({"id": claim.id, "section": claim.section, "claim": claim.claim,
                      **finding._asdict(), "as_printed": claim_test(claim.id)(as_printed).verdict})
    return found
