"""The web process under load, beside a bare Django that does the same work in the database."""
