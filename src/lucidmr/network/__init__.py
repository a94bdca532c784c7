"""The context enhanced U-Net and its weights."""
