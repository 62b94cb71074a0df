#!/bin/sh
# Installs what the tests use and a machine may lack: git, the AWS CLI, shellcheck, GitHub's gh, skopeo,
# and docker and its daemon, from Debian's packages; with the argument medusa also what the real shop needs.
set -eu

missing=""
command -v git >/dev/null || missing="$missing git"
command -v aws >/dev/null || missing="$missing awscli"
command -v shellcheck >/dev/null || missing="$missing shellcheck"
command -v gh >/dev/null || missing="$missing gh"
command -v skopeo >/dev/null || missing="$missing skopeo"
command -v docker >/dev/null && command -v dockerd >/dev/null || missing="$missing docker.io"
if test "${1-}" = medusa; then # the shop's base image and databases
	command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
	command -v npm >/dev/null || missing="$missing npm"
	command -v redis-server >/dev/null || missing="$missing redis-server"
	test -n "$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null)" || missing="$missing postgresql"
fi
test -z "$missing" && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
	echo "the tests need:$missing; install them and run this again" >&2
	exit 1
fi
echo "installing$missing"
if test "${1-}" = medusa && ! test -e /usr/sbin/policy-rc.d; then
	# Debian starts a server when its package is installed. Here each rehearsal starts its own.
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086 # one word a package
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
