"""The emulated `kubernetes` provider plugin: objects per cluster, and what webhooks and CRDs refuse."""
