#!/usr/bin/env bash
# Runs the program with the action's inputs. They arrive as environment variables and become whole arguments: no shell
# reads them, and none can become a flag of another name.
set -euo pipefail

fail() {
	local text=${1//'%'/%25}
	text=${text//$'\r'/%0D}
	printf '::error::%s\n' "${text//$'\n'/%0A}"
	exit 2
}

case "$COMMAND" in
'' | -* | *[!a-z-]*) fail "input command: \"$COMMAND\" is not a command of medusa-deploy, such as ship or rollback" ;;
esac
args=("$COMMAND")
test -z "${TARGET:-}" || args+=("--target=$TARGET")
test -z "${CONFIG:-}" || args+=("--config=$CONFIG")
if test "$COMMAND" = rollback; then
	args+=(--yes)
	test -z "${RELEASE:-}" || args+=("--to=$RELEASE")
elif test -n "${RELEASE:-}"; then
	fail "input release goes with the command rollback, not with $COMMAND"
fi
# Words, split at white space; no pattern is expanded.
read -r -d '' -a extra <<<"${ARGS:-}" || true
args+=(${extra[@]+"${extra[@]}"})
if test -n "${REF:-}"; then
	test "$COMMAND" = deploy || fail "input ref goes with the command deploy, not with $COMMAND: check the commit out before this step"
	args+=(-- "$REF")
fi
# A BuildKit daemon of the runner's goes before a builder of docker buildx.
if test -z "${MEDUSA_DEPLOY_BUILDER:-}" && test -n "${BUILDER:-}"; then
	if test -n "${BUILDKIT_HOST:-}"; then
		export MEDUSA_DEPLOY_BUILDER=buildkit
	else
		export MEDUSA_DEPLOY_BUILDER="buildx:$BUILDER"
	fi
fi
exec "$BINARY" "${args[@]}"
