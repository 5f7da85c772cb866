"""The index stays as long as the running release lists by name."""

from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    note = models.CharField(max_length=100, null=True)
    quantity = models.IntegerField()

    class Meta:
        indexes = [models.Index(fields=["name"], name="item_by_name")]
