"""Addresses of the front door's pages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
