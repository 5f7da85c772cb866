"""Releases: from a pushed image to the traffic on it, and back.

place.py       an environment's cluster, service, deployer and bucket; the service as it is now
preparing.py   what every task here begins with
files.py       the image's digest, the task definition and appspec: validated, registered
rehearsals.py  rehearsal documents in the bucket, by image and plan
gate.py        may this image migrate that database? checking.py asks only that
doctor.py      the pre-flight, a line a check; roles.py and alarms.py are two of them
inside.py      runs in the image: migrates by a rehearsed plan and no other
one_off.py     one ECS task to its end, with its log
patience.py    a bad moment of AWS is waited out; who stops watching is told what goes on
migrating.py   the one-off task that migrates
deployer.py    what shifts the traffic, as the rest sees it; codedeploy.py the one that there is
watching.py    a deployment to its end; health.py what the load balancer says meanwhile
timing.py      how long it will take, by what is set: arithmetic
deploying.py   a release, from look to bake
rollback.py    the way back, in the middle and afterwards; schema.py whether the schema allows it
running.py     the image that serves, for a rehearsal's drill old-release
records.py     what was released, by whom, and why past a check
standing.py    `status`
logs.py        `ecs-logs`
entering.py    `ecs-shell`
"""
