"""Every address of the site, but for `/livez` and `/readyz`, which `config.health` answers before all else."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

urlpatterns = [
    path("", include("ledger.urls")),
    path("login/", LoginView.as_view(template_name="ledger/login.html"), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
