"""SSH by Fabric, with what Fabric leaves out: the host key of every hop is verified, and secrets go by standard input.

`connection` opens it: `route` reads ssh_config, `dialling` gives the bytes below, `transport` tunes paramiko for large
streams, `known_hosts` judges host keys, `identities` logs in. `host` and `remote` run and stream programs there by the
`scripts`; `directory` holds a private directory, which `traces` finds when we were killed; `transfer` brings a file;
`tunnel` forwards a port, by the process `forwarding`.
"""
