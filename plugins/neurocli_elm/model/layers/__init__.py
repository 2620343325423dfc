"""Operations on whole sequences, with gradients."""
