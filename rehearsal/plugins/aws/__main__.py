"""The executable of the plugin."""

from rehearsal.plugins.aws.provider import AwsProvider
from rehearsal.plugins.plugin import serve

serve(AwsProvider())
