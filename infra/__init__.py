"""The CDK app: build manifest in, cloud assembly out. Imports nothing of `packager`."""
