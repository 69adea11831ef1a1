"""Evaluators that compare responses, such as language models asked for a verdict."""
