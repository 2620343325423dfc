"""What a network of sequences has learned."""
