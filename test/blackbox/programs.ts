/** Programs of the fake root. Each writes first how it was called, one line, behind what others wrote. */
const recording = `#!/bin/sh
echo "$0 $*" >>"$TS_TEST_RECORD_ARGS"
`

/** A tailscaled: makes the socket that was asked for, and runs until it is told to end. */
const tailscaled = `${recording}
for argument; do
  case $argument in --socket=*) socket=\${argument#--socket=} ;; esac
done
trap 'rm -f "$socket"; kill $!; exit 0' TERM INT
sleep 60 &
ln -s "$TS_TEST_SOCKET" "$socket"
wait
`

/** A tailscaled that takes its time to end. */
const slow = tailscaled.replace("trap '", "trap 'sleep 1.5; ")

/** Runs until it is told to end, and does nothing: a tailscaled without a socket, an `up` that never returns. */
const idle = `${recording}
trap 'kill $!; exit 0' TERM INT
sleep 60 &
wait
`

/** A tailscaled that does not listen when it is told to end. */
const deaf = `${recording}
ln -s "$TS_TEST_SOCKET" "\${1#--socket=}"
trap '' TERM INT
exec sleep 60
`

/** Fails at once. */
const failing = `${recording}
echo "cannot do that here" >&2
exit 1
`

/** A tailscale whose auth key is good for one login. */
const oneLogin = `${recording}
if [ -e "$TS_TEST_ONLY_ROOT/tmp/spent" ]; then echo "invalid key: it was used before" >&2; exit 1; fi
: >"$TS_TEST_ONLY_ROOT/tmp/spent"
`

export const programs = { recording, tailscaled, slow, idle, deaf, failing, oneLogin } as const
