import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = dirname(import.meta.dirname)

/** Which rooms each room may import from, beside itself. Clients of the outside are passed in as narrow interfaces. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  wire: ['lib'],
  netfilter: ['lib', 'wire'],
  localapi: ['lib', 'wire'],
  serve: ['lib', 'wire', 'localapi'],
  certs: ['lib', 'wire', 'localapi'],
  kube: ['lib', 'wire'],
  agent: ['lib', 'wire', 'netfilter', 'localapi', 'serve', 'certs', 'kube'],
  operator: ['lib', 'wire', 'kube'],
}

const files = Object.keys(allowed).flatMap((room) => sources(join(root, room)))

function sources(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => relative(root, join(folder, name)))
  } catch {
    // A room that is not built yet.
    return []
  }
}

const importsOf = (file: string): string[] =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
    (match) => match[1] ?? '',
  )

const roomOf = (path: string): string => path.split('/')[0] ?? ''

describe('the rooms of the house', () => {
  it('has files to look at', () => {
    expect(files.length).toBeGreaterThan(20)
  })

  it.each(files)('%s imports only what its room may', (file) => {
    const room = roomOf(file)
    for (const name of importsOf(file).filter((path) => path.startsWith('.'))) {
      const target = roomOf(normalize(join(dirname(file), name)))
      expect([room, ...(allowed[room] ?? [])], `import of ${name}`).toContain(target)
    }
  })

  it.each(files)('%s is at most 250 lines long', (file) => {
    expect(readFileSync(join(root, file), 'utf8').split('\n').length).toBeLessThanOrEqual(251)
  })

  const programs = /\b(?:'nft'|'iptables(?:-restore)?'|'ip6tables(?:-restore)?'|'conntrack'|'sysctl')/
  it.each(files.filter((file) => roomOf(file) !== 'netfilter'))(
    '%s leaves the firewall’s programs to netfilter/',
    (file) => {
      expect(readFileSync(join(root, file), 'utf8')).not.toMatch(programs)
    },
  )

  it.each(files.filter((file) => file !== 'agent/main.ts'))(
    '%s leaves the environment to the composition root',
    (file) => {
      expect(readFileSync(join(root, file), 'utf8')).not.toMatch(/process\.(env|argv|exit\b)/)
    },
  )
})
