"""One file per component, on mocks."""
