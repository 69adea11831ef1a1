from django.apps import AppConfig


class VotesConfig(AppConfig):
    name = "arena.votes"
    label = "votes"
    verbose_name = "Votes"
