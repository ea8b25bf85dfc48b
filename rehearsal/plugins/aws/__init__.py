"""The emulated `aws` provider plugin: moto through boto3, with the replace-or-update rules of the real provider.

A type is a file of its service's package, under its Pulumi name, that declares a `TYPE` (table.py); no list names it.
"""
