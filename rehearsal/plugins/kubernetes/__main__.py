"""The executable of the plugin."""

from rehearsal.plugins.kubernetes.provider import KubernetesProvider, replacing_settings
from rehearsal.plugins.plugin import serve

serve(KubernetesProvider(), replacing_settings)
