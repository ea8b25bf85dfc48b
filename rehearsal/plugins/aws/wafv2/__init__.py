"""The emulated WAFv2 types: state lies in moto, and no rule is applied to a request."""
