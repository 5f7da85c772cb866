"""What stands in AWS, which infra/terraform describes.

- `hook`   packages the function that looks at green before it gets traffic
"""
