"""Addresses of the front door's pages."""

from django.urls import path

from circular.intake import views

app_name = "intake"
urlpatterns = [
    path("b/<str:token>", views.draft, name="draft"),
    path("correo", views.unsorted, name="unsorted"),
    path("correo/<int:incoming>/original", views.raw, name="raw"),
    path("correo/<int:incoming>/atendido", views.looked_at, name="looked_at"),
]
