"""The administration: releases are edited, all that was measured can only be looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from ledger.models import Finding, Lock, MigrationRun, Rehearsal, Release, Stall, Statement

admin.site.site_header = "Ledger of rehearsals and releases"
admin.site.site_title = "Ledger"


class Measured:
    """What was measured is not edited."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MeasuredInline(Measured, admin.TabularInline):
    extra = 0
    can_delete = False


class StallInline(MeasuredInline):
    model = Stall


class FindingInline(MeasuredInline):
    model = Finding
    fields = ("hazard", "name", "severity", "table", "migration", "summary")


class MigrationRunInline(MeasuredInline):
    model = MigrationRun
    show_change_link = True
    fields = ("position", "app_label", "name", "status", "seconds", "statements")
    readonly_fields = ("statements",)

    @admin.display(description="statements")
    def statements(self, run: MigrationRun) -> str:
        return statements_of(run)


class LockInline(MeasuredInline):
    model = Lock


class RehearsalInline(MeasuredInline):
    model = Rehearsal
    show_change_link = True
    fields = ("identifier", "verdict", "created_at", "read_stall_ms", "write_stall_ms")


@admin.register(Release)
class ReleaseAdmin(admin.ModelAdmin):
    list_display = ("version", "status", "git_commit", "created_at", "deployed_at")
    list_filter = ("status",)
    search_fields = ("version", "git_commit", "image_digest")
    date_hierarchy = "created_at"
    inlines = (RehearsalInline,)


@admin.register(Rehearsal)
class RehearsalAdmin(Measured, admin.ModelAdmin):
    list_display = ("identifier", "verdict", "created_at", "git_branch", "release", "read_stall_ms", "write_stall_ms")
    list_filter = ("verdict", "source_kind", "project")
    list_select_related = ("release",)
    search_fields = ("identifier", "git_commit", "git_branch", "plan_fingerprint")
    date_hierarchy = "created_at"
    inlines = (StallInline, FindingInline, MigrationRunInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rehearsal]:
        return super().get_queryset(request).defer("document")


@admin.register(MigrationRun)
class MigrationRunAdmin(Measured, admin.ModelAdmin):
    list_display = ("__str__", "rehearsal_link", "status", "seconds", "statements")
    list_filter = ("status", "app_label")
    list_select_related = ("rehearsal",)
    search_fields = ("name", "=rehearsal__identifier")
    readonly_fields = ("statements",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[MigrationRun]:
        return super().get_queryset(request).defer("rehearsal__document")

    @admin.display(description="rehearsal", ordering="rehearsal")
    def rehearsal_link(self, run: MigrationRun) -> str:
        return link_to(run.rehearsal)

    @admin.display(description="statements")
    def statements(self, run: MigrationRun) -> str:
        return statements_of(run)


@admin.register(Statement)
class StatementAdmin(Measured, admin.ModelAdmin):
    list_display = ("__str__", "migration_link", "seconds", "calls", "rows", "sqlstate")
    list_filter = ("migration__status", "migration__app_label")
    list_select_related = ("migration",)
    search_fields = ("sql", "migration__name")
    ordering = ("-seconds",)
    inlines = (LockInline,)
    show_full_result_count = False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "migration__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description="migration", ordering="migration")
    def migration_link(self, statement: Statement) -> str:
        return link_to(statement.migration)


@admin.register(Finding)
class FindingAdmin(Measured, admin.ModelAdmin):
    list_display = ("__str__", "severity", "table", "migration", "rehearsal_link")
    list_filter = ("severity", "hazard")
    list_select_related = ("rehearsal",)
    search_fields = ("name", "table", "migration", "=rehearsal__identifier")
    date_hierarchy = "rehearsal__created_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Finding]:
        return super().get_queryset(request).defer("rehearsal__document")

    @admin.display(description="rehearsal", ordering="rehearsal")
    def rehearsal_link(self, finding: Finding) -> str:
        return link_to(finding.rehearsal)


def link_to(row: Model) -> str:
    url = reverse(f"admin:ledger_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row)


def statements_of(run: MigrationRun) -> str:
    """The list of the run's statements: there may be thousands, too many for an inline."""
    url = reverse("admin:ledger_statement_changelist", query={"migration__id__exact": run.pk})
    return format_html('<a href="{}">Show</a>', url)
