"""Preferences that no single scale can hold: cycles, their null, and boards that allow for them."""
