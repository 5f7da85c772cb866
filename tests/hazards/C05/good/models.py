"""A rule that all code keeps, since it is the key of the table."""

from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    note = models.CharField(max_length=100, null=True)
    quantity = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["id", "name"], name="item_id_name")]
