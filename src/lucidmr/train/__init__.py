"""Training: settings, the stream of pairs, losses and the loop."""
