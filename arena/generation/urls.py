from django.urls import path

from arena.generation import views

app_name = "generation"
urlpatterns = [
    path("test/<int:system_id>/", views.system_test, name="test"),
    path("test-job/<int:job_id>/", views.test_job, name="test_job"),
]
