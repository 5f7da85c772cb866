"""Terraform as tasks: one root module, an environment at a time.

- `stack`       the root module as an environment has it: its files, its state, and whether they agree
- `terraform`   running the program: JSON lines in, progress out; a signal reaches it once
- `refusals`    what Terraform says when it fails, as a sentence with a next step
- `preparing`   `terraform init`, where it is needed
- `plan`        what a plan would do, by name, and what of it must be allowed by name
- `applying`    plan, and apply exactly that
- `bootstrap`   the bucket of the state, made once
- `hook`        packages the function that looks at green before it gets traffic
"""
