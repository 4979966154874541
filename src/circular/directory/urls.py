"""Addresses of the directory."""

from django.urls import path

from circular.directory import views

app_name = "directory"
urlpatterns = [
    path("directorio", views.accounts, name="accounts"),
    path("directorio/importar", views.bring, name="import"),
    path("directorio/importar/<int:upload_id>", views.preview, name="preview"),
    path("directorio/importar/<int:upload_id>/descartar", views.forget, name="forget"),
    path("directorio/publicos", views.audiences, name="audiences"),
]
