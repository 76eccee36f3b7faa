"""The files of pods: one module per type of volume. `folder.Folders` is what the workers use."""
