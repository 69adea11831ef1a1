from django.urls import path

from arena.battles import views

app_name = "battles"
urlpatterns = [
    path("arenas/<slug:arena_slug>/battle/", views.battle_open_view, name="open"),
    path("arenas/<slug:arena_slug>/ask/", views.ask, name="ask"),
    path("arenas/<slug:arena_slug>/stock/", views.stock, name="stock"),
    path("battles/<uuid:battle_id>/", views.battle, name="battle"),
    path("battles/<uuid:battle_id>/stream/", views.stream, name="stream"),
]
