"""Evaluators that compute a number by a rule, such as length or readability."""
