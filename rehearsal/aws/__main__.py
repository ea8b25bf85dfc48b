"""The executable of the plugin."""

from rehearsal.aws.provider import AwsProvider
from rehearsal.plugin import serve

serve(AwsProvider())
