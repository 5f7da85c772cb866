"""The note is called remark."""

from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    remark = models.CharField(max_length=100, null=True)
    quantity = models.IntegerField()
