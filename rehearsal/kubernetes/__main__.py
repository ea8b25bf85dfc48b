"""The executable of the plugin."""

from rehearsal.kubernetes.provider import KubernetesProvider, replacing_settings
from rehearsal.plugin import serve

serve(KubernetesProvider(), replacing_settings)
