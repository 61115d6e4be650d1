"""Identity sources: decide who the first step says this is, and never guess."""
