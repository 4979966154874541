"""Addresses of the front door's pages."""

from django.urls import path

from circular.intake import views

app_name = "intake"
urlpatterns = [
    path("b/<str:token>", views.draft, name="draft"),
]
