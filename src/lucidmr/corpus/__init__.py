"""A folder of prepared raw data to train and evaluate with."""
