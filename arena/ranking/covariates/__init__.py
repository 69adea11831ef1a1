"""Boards as if all answers were equal in style: contrasts of features beside strengths."""
