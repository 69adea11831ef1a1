from django.urls import path

from arena.leaderboards import views

app_name = "leaderboards"
urlpatterns = [
    path("", views.home, name="home"),
    path("leaderboards/", views.index, name="index"),
    path("leaderboards/<slug:arena_slug>/", views.arena, name="arena"),
    path("leaderboards/<slug:arena_slug>/<slug:board_slug>/", views.board, name="board"),
    path("battles/<uuid:battle_id>/result/", views.result, name="result"),
]
