#!/bin/sh
# Behind the installation of a package: the user, its folders, and what systemd knows. The
# service is not started: that is for whoever has read /etc/actionlog/actionlog.yaml.
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers actionlog.conf
	systemd-tmpfiles --create actionlog.conf || true # where systemd does not run, at the next start
	chgrp actionlog /etc/actionlog/actionlog.yaml
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
