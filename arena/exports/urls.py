from django.urls import path

from arena.exports import views

app_name = "exports"
urlpatterns = [
    path("", views.index, name="index"),
    path("<slug:arena_slug>/build/", views.build, name="build"),
    path("<uuid:key>/<str:name>", views.released_file, name="file"),
]
