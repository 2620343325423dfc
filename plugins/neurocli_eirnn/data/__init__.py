"""Recordings of the family: readers and writers of files, and the dataset that a model trains on."""
