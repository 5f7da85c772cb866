"""The two views that are asked for, and those that their pages link to."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from config.health import livez


def live(_request: HttpRequest) -> JsonResponse:
    """The same answer as ours."""
    return livez()


urlpatterns = [
    path("livez", live),
    path("", include("ledger.urls")),
    path("login/", LoginView.as_view(), name="login"),
    path("admin/", admin.site.urls),
    path("logout/", LogoutView.as_view(), name="logout"),
]
