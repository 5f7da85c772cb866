"""A constraint that the running code keeps."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stock", "0001_initial")]
    operations = [
        migrations.AddConstraint("item", models.UniqueConstraint(fields=["id", "name"], name="item_id_name")),
    ]
