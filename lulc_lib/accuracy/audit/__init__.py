"""The published accuracy numbers computed again: matches, mismatches, explanations, claims."""

from lulc_lib.accuracy.audit.findings import audit, audit_table
from lulc_lib.accuracy.audit.reconstruct import reconstruct_counts

__all__ = ["audit", "audit_table", "reconstruct_counts"]
