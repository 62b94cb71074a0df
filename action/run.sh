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
# The container in which docker buildx keeps the builder's only node.
if test -n "${BUILDER:-}" && test -z "${BUILDKIT_HOST:-}"; then
	export BUILDKIT_HOST="docker-container://buildx_buildkit_${BUILDER}0"
fi
exec "$BINARY" "${args[@]}"
