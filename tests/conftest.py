"""Tests run side by side, one worker per core: each holds its linear algebra to one thread, as `neuro` does."""

from neurocli.threads import one_thread_by_default

one_thread_by_default()
