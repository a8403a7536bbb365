"""Findings: one symptom a file, each a function of a case."""
