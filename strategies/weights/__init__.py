"""What the model is."""
