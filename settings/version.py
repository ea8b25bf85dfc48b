"""The version of this program, in one place: CHANGELOG.md says what each brings, docs/upgrading.md how to take it."""

VERSION = "0.2.0"
