import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { environmentWarnings, readSettings } from '../../../agent/settings/read.ts'
import { variables } from '../../../agent/settings/variables.ts'
import { CulvertError } from '../../../lib/errors.ts'

const secret = 'tskey-0123456789'

const plausible = [
  'true',
  '0',
  '10.0.0.1',
  'fd00::1',
  'fd00::1:9002',
  '[::]:9002',
  '10.0.0.0/8',
  '60s',
  'iptables',
  'tcp/80',
  'udp/1-9',
  '',
]
const value = fc.oneof(
  fc.constantFrom(...plausible),
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom(...plausible)).map(String),
)
const environment = fc.record(
  Object.fromEntries(variables.map(({ name, secret: isSecret }) => [name, isSecret ? fc.constant(secret) : value])),
  { requiredKeys: [] },
)

it('any environment gives settings, or an error that contains no secret', () => {
  fc.assert(
    fc.property(environment, (env) => {
      expect(environmentWarnings(env).join()).not.toContain(secret)
      try {
        const { settings, warnings } = readSettings(env)
        expect(settings.bootTimeoutMs).toBeGreaterThan(0)
        expect(warnings.join()).not.toContain(secret)
      } catch (error) {
        expect(error).toBeInstanceOf(CulvertError)
        expect((error as CulvertError).code).toBe('settings')
        expect((error as CulvertError).message).not.toContain(secret)
      }
    }),
    { numRuns: 2000 },
  )
})
