from django.db import migrations


class Migration(migrations.Migration):
    """Contract: when a loan ends stands in the lease, and an offer in the worker's journal."""

    dependencies = [
        ('mailing', '0003_recipients_are_written_once_more'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='recipient',
            name='leased_until',
        ),
        migrations.RemoveField(
            model_name='recipient',
            name='offered_at',
        ),
    ]
