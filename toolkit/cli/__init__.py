"""What a person types: one module a command, thin, loaded when it is called."""
