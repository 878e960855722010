/** Programs of the fake root. Each first appends a line with its arguments to a shared file. */
const recording = `#!/bin/sh
echo "$0 $*" >>"$TS_TEST_RECORD_ARGS"
`

/** A tailscaled: creates its socket, and runs until it gets a signal. */
const tailscaled = `${recording}
for argument; do
  case $argument in --socket=*) socket=\${argument#--socket=} ;; esac
done
trap 'rm -f "$socket"; kill $!; exit 0' TERM INT
sleep 1000 &
ln -s "$TS_TEST_SOCKET" "$socket"
wait
`

/** A tailscaled that takes some time to end. */
const slow = tailscaled.replace("trap '", "trap 'sleep 1.5; ")

/** Runs until it gets a signal, and does nothing: a tailscaled without a socket, an `up` that never returns. */
const idle = `${recording}
trap 'kill $!; exit 0' TERM INT
sleep 1000 &
wait
`

/** An `up` that never returns, and takes some time to end. */
const idleSlow = idle.replace("trap '", "trap 'sleep 1.5; ")

/** A tailscaled that ignores SIGTERM. */
const ignoresSignals = `${recording}
ln -s "$TS_TEST_SOCKET" "\${1#--socket=}"
trap '' TERM INT
exec sleep 1000
`

/** Fails at once. */
const failing = `${recording}
echo "cannot do that here" >&2
exit 1
`

/** A tailscale whose auth key can be used once. */
const oneLogin = `${recording}
if [ -e "$TS_TEST_ONLY_ROOT/tmp/spent" ]; then echo "invalid key: it was used before" >&2; exit 1; fi
: >"$TS_TEST_ONLY_ROOT/tmp/spent"
`

export const programs = { recording, tailscaled, slow, idle, idleSlow, ignoresSignals, failing, oneLogin } as const
