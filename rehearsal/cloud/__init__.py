"""The AWS API that a rehearsal talks to: moto, what it lacks or lets through, and the API servers of the clusters."""
