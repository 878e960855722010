import { expect, test } from 'vitest'
import { publicMachineKey } from '../../wire/machine-key.ts'

test('the public key follows from the private one, as RFC 7748 has it (5.2, after one iteration)', () => {
  expect(publicMachineKey(`privkey:09${'00'.repeat(31)}`)).toBe(
    'mkey:422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079',
  )
})

test.each(['', 'privkey:', `privkey:${'00'.repeat(31)}`, `privkey:${'0g'.repeat(32)}`, `nodekey:${'00'.repeat(32)}`])(
  'what is no private key has none: %j',
  (text) => expect(publicMachineKey(text)).toBeUndefined(),
)
