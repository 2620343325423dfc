"""From what a file holds to what a sequence model reads: orders of pixels, patches, chunks, windows, tokens."""
