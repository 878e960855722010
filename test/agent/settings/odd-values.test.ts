import { expect, it } from 'vitest'
import { oddValues } from '../../../agent/settings/odd-values.ts'

it.each([
  [
    'TS_AUTHKEY',
    '"tskey-hidden"',
    'TS_AUTHKEY has quotes around its value, which belong to it: leave them out, or put them around TS_AUTHKEY=… as a whole',
  ],
  ['TS_EXTRA_ARGS', "'--accept-routes --ssh'", /^TS_EXTRA_ARGS has quotes around its value/],
  ['TS_ROUTES', '""', /^TS_ROUTES has quotes/],
  [
    'TS_USERSPACE',
    '"false"',
    'TS_USERSPACE has quotes around its value, which belong to it, so that it counts as true: leave them out, or put them around TS_USERSPACE=… as a whole',
  ],
  [
    'TS_EXTRA_ARGS',
    '--accept-routes --login-server=$(CONTROL_URL)',
    'TS_EXTRA_ARGS contains $(CONTROL_URL), which nobody has replaced: Kubernetes would if CONTROL_URL were listed before TS_EXTRA_ARGS',
  ],
  [
    'TS_ROUTES',
    '10.0.0.0/8,${PODS:-hidden}',
    'TS_ROUTES contains ${PODS}, which nobody has replaced: compose and shells would, Kubernetes and systemd do not',
  ],
  ['TS_HOSTNAME', '$NAME', /^TS_HOSTNAME contains \$\{NAME\}, which nobody has replaced/],
  ['TS_USERSPACE', 'nope', 'TS_USERSPACE="nope" is not a boolean and counts as true'],
])('%s=%s is warned of', (name, value, warning) => {
  const [said, ...more] = oddValues({ [name]: value })
  if (typeof warning === 'string') expect(said).toBe(warning)
  else expect(said).toMatch(warning)
  expect(said).not.toContain('hidden')
  expect(more).toEqual([])
})

it.each([
  ['TS_AUTHKEY', 'tskey-client-a?ephemeral=false&preauthorized=true'],
  ['TS_AUTHKEY', '"'],
  ['TS_EXTRA_ARGS', '--hostname="a" --ssh'],
  ['TS_EXTRA_ARGS', '--operator=a$b'],
  ['TS_USERSPACE', 'False'],
  ['TS_USERSPACE', ''],
  ['OTHER', '"quoted ${placeholder}"'],
])('%s=%s is not', (name, value) => {
  expect(oddValues({ [name]: value })).toEqual([])
})
