"""The image that ships: building it, pushing it, and the three files of a release.

planning.py       what is built, under which name, for where: decided and checked before anything runs
context.py        what goes into it and is in no commit
building.py       `docker buildx build`, its progress, and why it failed
repository.py     ECR: the repository, what it has by a tag already, and the log-in
layers.py         what an image is made of, and what changed since the last one that was built here
release_files.py  imageDetail.json, taskdef.json, appspec.yaml, from the digest that was pushed
"""
