from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "arena.catalog"
    label = "catalog"
    verbose_name = "Catalogue"
