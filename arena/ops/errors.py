"""The one exception of this package: its text is a sentence for the person at the terminal."""


class StartError(Exception):
    """Something on this machine keeps us from starting; the message says what to do about it."""
