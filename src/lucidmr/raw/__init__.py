"""Raw data: one reader per format, all giving a RawScan."""
