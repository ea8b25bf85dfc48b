"""The emulated ACM types: a certificate is issued when its validation records stand in Route 53."""
