"""How fragile a board is, and boards that bear some bad votes."""
