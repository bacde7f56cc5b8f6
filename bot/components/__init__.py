"""Custom Rasa graph components of the dialogue layer."""
