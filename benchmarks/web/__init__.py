"""The web process under load, beside a bare Django that does the same work in the database."""

SMALL_ARENA, LARGE_ARENA, LARGE_BOARD = "small", "large", "people"
