"""The physics of an MR acquisition: pure functions on tensors.

No files, no global state, and no randomness without an explicit generator. Every function is batched over leading
axes where that has a meaning, and runs on CPU and CUDA unchanged.
"""
