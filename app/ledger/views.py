"""The pages: the list of rehearsals, one rehearsal, one migration with all its statements. Members of the team only:
reports hold no data, but they show the schema.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count, Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.views.generic import DetailView, ListView

from ledger.models import MigrationRun, Rehearsal, Statement, Verdict

STATEMENTS_SHOWN = 10


class RehearsalList(LoginRequiredMixin, ListView):
    """Newest first; `?verdict=` and `?branch=` narrow it down."""

    paginate_by = 25
    template_name = "ledger/rehearsals.html"
    context_object_name = "rehearsals"

    def get_queryset(self) -> QuerySet[Rehearsal]:
        found = Rehearsal.objects.select_related("release").defer("document")
        if self.request.GET.get("verdict") in Verdict.values:
            found = found.filter(verdict=self.request.GET["verdict"])
        if branch := self.asked_branch():
            found = found.filter(git_branch=branch)
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = {"verdict": self.request.GET.get("verdict", ""), "branch": self.asked_branch()}
        return super().get_context_data(verdicts=Verdict.values, asked=asked, **kwargs)

    def asked_branch(self) -> str:
        return self.request.GET.get("branch", "").replace("\0", "").strip()


class RehearsalDetail(LoginRequiredMixin, DetailView):
    """Verdict, reasons, stalls, findings, and each migration with its first statements."""

    template_name = "ledger/rehearsal.html"
    slug_field = slug_url_kwarg = "identifier"

    def get_queryset(self) -> QuerySet[Rehearsal]:
        return Rehearsal.objects.select_related("release").prefetch_related("stalls", "findings")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        first = Statement.objects.filter(position__lt=STATEMENTS_SHOWN).prefetch_related("locks")
        migrations = (
            self.object.migrations.select_related("rehearsal")
            .annotate(statement_count=Count("statements"))
            .prefetch_related(Prefetch("statements", first, to_attr="first_statements"))
        )
        reasons = self.object.document.get("reasons", [])
        return super().get_context_data(migrations=migrations, reasons=reasons, **kwargs)


class MigrationDetail(LoginRequiredMixin, ListView):
    """Every statement of one migration, with its locks."""

    paginate_by = 50
    template_name = "ledger/migration.html"
    context_object_name = "statements"
    migration: MigrationRun

    def get_queryset(self) -> QuerySet[Statement]:
        self.migration = get_object_or_404(
            MigrationRun.objects.select_related("rehearsal"),
            rehearsal__identifier=self.kwargs["identifier"],
            position=self.kwargs["position"],
        )
        return self.migration.statements.order_by("position").prefetch_related("locks")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(migration=self.migration, **kwargs)
