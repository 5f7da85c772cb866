from __future__ import annotations

from django.urls import path

from ledger import views

app_name = "ledger"

urlpatterns = [
    path("", views.RehearsalList.as_view(), name="rehearsals"),
    path("rehearsals/<str:identifier>/", views.RehearsalDetail.as_view(), name="rehearsal"),
    path("rehearsals/<str:identifier>/migrations/<int:position>/", views.MigrationDetail.as_view(), name="migration"),
]
