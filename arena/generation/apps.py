from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "arena.generation"
    label = "generation"
    verbose_name = "Generation"
