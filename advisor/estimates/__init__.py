"""What a method takes, estimated before it is run."""
