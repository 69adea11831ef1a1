"""Evaluators that give one response a number."""
