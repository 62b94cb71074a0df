#!/bin/sh
# Makes sure that libseccomp can be linked statically into runc: present is a success, missing is installed on Debian
# and its kin when we are root, and anything else is an error that says what to install.
set -eu

linkable() {
	echo '#include <seccomp.h>
	int main(void) { return seccomp_init(SCMP_ACT_ALLOW) == 0; }' |
		"${CC:-cc}" -static -x c -o /dev/null - -lseccomp 2>/dev/null
}

if linkable; then
	exit 0
fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
	echo "engine: installing libseccomp-dev (runc's system-call filter needs it)"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libseccomp-dev >/dev/null
	if linkable; then
		exit 0
	fi
fi
cat >&2 <<'END'
engine: cannot link libseccomp statically, and runc needs it
  Debian, Ubuntu:  sudo apt-get install gcc libc6-dev libseccomp-dev
  Fedora:          sudo dnf install gcc glibc-static libseccomp-devel libseccomp-static
  Alpine:          sudo apk add gcc musl-dev libseccomp-dev libseccomp-static
END
exit 1
