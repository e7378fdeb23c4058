"""How adaptation is done: promptings, weights, training and inference."""
