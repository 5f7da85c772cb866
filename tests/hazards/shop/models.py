"""The orders as the code has them, which is no affair of a migration's."""

from django.db import models


class Order(models.Model):
    """So much of an order as the examples need."""

    status = models.CharField(max_length=20)

    def __str__(self) -> str:
        return f"order {self.pk}"
