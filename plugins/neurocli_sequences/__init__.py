"""sequences: worlds and transforms of sequence tasks. Cards only; the code loads on demand."""
