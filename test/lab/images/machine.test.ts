import { expect, test } from 'vitest'
import { mirrorsIn } from './machine.ts'

const [main, security, other] = [
  'http://mirror.test/debian/',
  'http://mirror.test/security/',
  'https://other.test/apt/',
]

test.each([
  ['archive and security', [`${main} bookworm main`, `${security} bookworm-security main`], { main, security }],
  ['no security archive', [`${main} bookworm main`], { main, security: undefined }],
  [
    'updates, other components and the sources of others before it',
    [`${other} stable main`, `${other} bookworm stable`, `${main} bookworm-updates main`, `${main} bookworm main`],
    { main, security: undefined },
  ],
  ['another release', [`${main} sid main`], undefined],
  ['nothing', [], undefined],
])('mirrors of Debian: %s', (_what, lines, mirrors) => {
  expect(mirrorsIn(lines.join('\n'), 'bookworm')).toEqual(mirrors)
})
