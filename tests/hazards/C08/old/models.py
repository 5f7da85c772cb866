"""The release that is running lists items by name."""

from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    note = models.CharField(max_length=100, null=True)
    quantity = models.IntegerField()

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["name"], name="item_by_name")]
