"""SSH by Fabric, with what Fabric leaves out: the host key of every hop is verified, and secrets go by standard input.

`connection` opens it, `host` runs and streams programs there, `tunnel` forwards a port, `transfer` brings a file.
"""
