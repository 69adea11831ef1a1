from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "arena.core"
    label = "core"
    verbose_name = "Arena"

    def ready(self) -> None:
        from arena.core import checks, logs  # noqa: F401  (registers the checks)

        logs.configure()
