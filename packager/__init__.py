"""Next.js route handlers for Python, deployed to AWS."""
