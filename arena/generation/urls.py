from django.urls import path

from arena.generation import views

app_name = "generation"
urlpatterns = [
    path("fleet/", views.fleet_page, name="fleet"),
    path("fleet/<int:system_id>/", views.system_switch, name="switch"),
    path("test/<int:system_id>/", views.system_test, name="test"),
    path("test-job/<int:job_id>/", views.test_job, name="test_job"),
]
