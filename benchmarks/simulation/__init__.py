"""Comparisons whose truth is known, drawn by the thousand, to see how often a report is right."""
