"""Items are called things."""

from django.db import models


class Thing(models.Model):
    name = models.CharField(max_length=100)
    note = models.CharField(max_length=100, null=True)
    quantity = models.IntegerField()

    class Meta:
        db_table = "stock_item"
