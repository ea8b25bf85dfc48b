"""The stack file as a user meets it: what it may say, what each mistake costs, what the program asks of it."""
