"""The emulated `aws` provider plugin: moto through boto3, with the replace-or-update rules of the real provider."""
