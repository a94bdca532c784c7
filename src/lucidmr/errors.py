"""The one exception a user is meant to read."""


class LucidError(Exception):
    """An expected failure: says which file or argument, what is wrong and what to do, in one line.

    The command line prints the message and exits with a non-zero status; everything else is a defect and keeps its
    traceback.
    """
