"""Models of every odd kind that the drill old-release must be able to exercise."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower


class Item(models.Model):
    name = models.CharField(max_length=100)
    note = models.CharField(max_length=100, null=True)
    quantity = models.IntegerField()


class Special(Item):
    extra = models.IntegerField(default=0)


class Passport(models.Model):
    item = models.OneToOneField(Item, models.CASCADE)
    number = models.CharField(max_length=12, unique=True)


class Tree(models.Model):
    parent = models.ForeignKey("self", models.CASCADE, null=True)
    code = models.SlugField(max_length=8)
    depth = models.PositiveSmallIntegerField()

    class Meta:
        unique_together = [("parent", "code")]
        constraints = [models.CheckConstraint(condition=models.Q(depth__lte=9), name="tree_not_deep")]


class Keyed(models.Model):
    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    data = models.JSONField()
    words = ArrayField(models.CharField(max_length=10))
    double = models.GeneratedField(expression=models.F("size") * 2, output_field=models.IntegerField(), db_persist=True)
    size = models.IntegerField(db_default=3)


class Named(models.Model):
    name = models.CharField(max_length=30, primary_key=True)
    kind = models.CharField(max_length=5, choices=[("Group", [("a", "A"), ("b", "B")]), ("c", "C")])
    items = models.ManyToManyField(Item)

    class Meta:
        constraints = [models.UniqueConstraint(Lower("kind"), "name", name="named_kind")]


class Paired(models.Model):
    pk = models.CompositePrimaryKey("left", "right")
    left = models.IntegerField()
    right = models.IntegerField()
    note = models.TextField(blank=True)


class Elsewhere(models.Model):
    word = models.CharField(max_length=10)

    class Meta:
        managed = False
        db_table = "not_there"


class Alias(Item):
    class Meta:
        proxy = True


class Required(models.Model):
    """Its parent has no rows."""

    tree = models.ForeignKey(Tree, models.CASCADE)
    at = models.DateTimeField(auto_now_add=True)
    amount = models.DecimalField(max_digits=6, decimal_places=2)
    blob = models.BinaryField()
    took = models.DurationField()
    address = models.GenericIPAddressField()
