"""A colour, which the database fills in."""

from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    note = models.CharField(max_length=100, null=True)
    quantity = models.IntegerField()
    colour = models.CharField(max_length=20, db_default="grey")
