"""/v1/files, and the uploads to its signed URLs."""
