"""The note is called remark in Python only."""

from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    remark = models.CharField(max_length=100, null=True, db_column="note")
    quantity = models.IntegerField()
