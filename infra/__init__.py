"""What the CDK app reads: the build manifest. Imports nothing of `packager`."""
