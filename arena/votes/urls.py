from django.urls import path

from arena.votes import views

app_name = "votes"
urlpatterns = [
    path("battles/<uuid:battle_id>/vote/", views.vote, name="vote"),
    path("privacy/forget/", views.forget, name="forget"),
]
