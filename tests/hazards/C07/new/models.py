"""A third state."""

from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    note = models.CharField(max_length=100, null=True)
    quantity = models.IntegerField()
    state = models.CharField(
        max_length=10, default="here", db_default="here", choices=[("here", "Here"), ("sold", "Sold"), ("lost", "Lost")]
    )
