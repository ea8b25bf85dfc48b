"""The rules, which need nothing but what they are given."""
