"""Pictures, charts and pages that reports are made of; they know nothing of what they show."""
