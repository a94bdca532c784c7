"""Training pairs: raw data and a seed in, (input, target, context) out."""
